"""The FCM sink: a local Firebase Cloud Messaging that keeps what it accepts and fails on demand.

`create_app()` is the WSGI application. In order of a request: `app` routes it, `schema` reads the JSON as Google does,
`message` holds FCM's rules (`condition` those of its conditions), `errors` the bodies of refusals, `project` keeps what was
accepted, `scripts` decides about failures, `topics` about who is reached.
"""

from firesuite.fcm.app import create_app

__all__ = ["create_app"]
