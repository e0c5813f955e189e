"""The least that firebase-functions can serve: what every other start is compared with."""

from firebase_functions import https_fn


@https_fn.on_request()
def api(request: https_fn.Request) -> https_fn.Response:  # noqa: ARG001 (the signature that the SDK calls)
    return https_fn.Response("ok")
