"""The FCM sink: a local Firebase Cloud Messaging that keeps what it accepts and fails on demand.

`create_app()` is the WSGI application; README.md beside this file shows its use.

In order of a request: `app` routes it, `schema` reads the JSON as Google does, `message` holds FCM's rules (`condition`
those of its conditions), `errors` the bodies of refusals, `project` keeps what was accepted, `scripts` decides about
failures, `topics` and `subscriptions` about who is reached, `devices` about what a person sees. `inspection` is the API
for tests, `page` the web page for people, `admin` the adapter for firebase_admin.
"""

from firesuite.fcm.app import create_app

__all__ = ["create_app"]
