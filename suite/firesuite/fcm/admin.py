"""Point firebase_admin's messaging at the sink.

    app = firebase_admin.initialize_app(options={"projectId": "demo-x"})
    firesuite.fcm.admin.connect(app)
    messaging.send(messaging.Message(fid="..."), app=app)

firebase_admin has no setting for the host of FCM (as of 7.7), so `connect` prepares the messaging service which the app
would otherwise make on first use: its two URLs, which the synchronous and the asynchronous calls share, lead to the
sink, and its credential is the "owner" token of Google's emulators instead of the app's own.
"""

# ruff: noqa: SLF001 - there is no public seam, and this file is all that reaches for private ones

import os
from typing import Any
from urllib.parse import urlsplit

HOST_VARIABLE = "FCM_EMULATOR_HOST"


class _SinkApp:
    """The app as the messaging service sees it while it is made."""

    def __init__(self, app: Any, credential: Any) -> None:
        self.project_id = app.project_id
        self.options = app.options
        self.credential = self
        self._credential = credential

    def get_credential(self) -> Any:
        return self._credential


def connect(app: Any, host: str | None = None) -> None:
    """Send all messages and topic requests of `app` (a `firebase_admin.App`) to the sink at `host`.

    host: `127.0.0.1:9399`; without it, the environment variable FCM_EMULATOR_HOST. Raises ValueError when neither is
    set, when the app has no project id, or when the app was deleted.
    """
    import requests.adapters  # noqa: PLC0415 - firebase_admin and what it brings are no dependencies of the suite
    from firebase_admin import _http_client, _utils, messaging  # noqa: PLC0415

    host = host or os.environ.get(HOST_VARIABLE)
    if not host:
        raise ValueError(f"Say where the FCM sink is: connect(app, host='127.0.0.1:9399') or set {HOST_VARIABLE}.")
    base = f"http://{host}"
    make_service: Any = messaging._MessagingService
    make_credential: Any = _utils.EmulatorAdminCredentials
    service = make_service(_SinkApp(app, make_credential()))
    service._fcm_url = f"{base}/v1/projects/{app.project_id}/messages:send"
    service._fcm_topic_url = f"{base}/v1/projects/{app.project_id}/registrations"

    class IidAdapter(requests.adapters.HTTPAdapter):
        """The deprecated topic calls have their URL in the class: it is changed on the way."""

        def send(self, request: Any, *args: Any, **kwargs: Any) -> Any:
            request.url = base + urlsplit(request.url).path
            request.headers["x-goog-user-project"] = app.project_id
            return super().send(request, *args, **kwargs)

    session = service._client.session
    retries = _http_client.DEFAULT_RETRY_CONFIG
    # The pool and the retries which the service has for FCM itself: send_each uses a thread per message.
    pool = {"pool_connections": 100, "pool_maxsize": 100, "max_retries": retries}
    session.mount(base, requests.adapters.HTTPAdapter(**pool))
    session.mount("https://iid.googleapis.com", IidAdapter(max_retries=retries))
    _replace_service(app, messaging._MESSAGING_ATTRIBUTE, service)


def _replace_service(app: Any, name: str, service: Any) -> None:
    with app._lock:
        app._get_service(name, lambda _app: service)  # raises ValueError for a deleted app
        app._services[name] = service
