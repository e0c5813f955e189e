"""Point firebase_admin's messaging at the sink.

    app = firebase_admin.initialize_app(options={"projectId": "demo-x"})
    firesuite.fcm.admin.connect(app)
    messaging.send(messaging.Message(fid="..."), app=app)

firebase_admin has no setting for the host of FCM (as of 7.7), so `connect` prepares the messaging service which the app
would otherwise make on first use: its two URLs, which the synchronous and the asynchronous calls share, lead to the
sink, and its credential is the "owner" token of Google's emulators instead of the app's own.

Where firesuite itself starts Python (functions, `firesuite exec`, pytest) nobody needs to call it: there `connect_all`
has prepared every app. Those interpreters may have nothing of firesuite, so this file imports nothing of it, and at its
own import only what Python has loaded already or loads in no time.
"""

# ruff: noqa: SLF001 - there is no public seam, and this file is all that reaches for private ones

import importlib.machinery
import os
import sys
from collections.abc import Sequence
from typing import Any

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
    from firebase_admin import messaging  # noqa: PLC0415 - firebase_admin and what it brings are no dependencies

    host = host or os.environ.get(HOST_VARIABLE)
    if not host:
        raise ValueError(f"Say where the FCM sink is: connect(app, host='127.0.0.1:9399') or set {HOST_VARIABLE}.")
    _replace_service(app, messaging._MESSAGING_ATTRIBUTE, _service(messaging._MessagingService, app, host))


def connect_all() -> None:
    """The same for every app of this process, from the import of firebase_admin.messaging on, be it long after this.

    The sink is at FCM_EMULATOR_HOST as it is when an app sends for the first time; without it messages go to FCM.
    """
    if (loaded := sys.modules.get(_MESSAGING)) is not None:
        _lead(loaded)
    else:
        sys.meta_path.insert(0, _Finder())


_MESSAGING = "firebase_admin.messaging"


class _Finder:
    """Finds firebase_admin.messaging as it would be found, and leads it once it is loaded."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: Any = None) -> Any:
        if name != _MESSAGING:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            load = spec.loader.exec_module

            def load_and_lead(module: Any) -> None:
                load(module)
                _lead(module)

            spec.loader.exec_module = load_and_lead  # type: ignore[method-assign]  # of this one loader
        return spec


def _lead(messaging: Any) -> None:
    make_service = messaging._MessagingService

    def get_service(app: Any) -> Any:
        def made(its_app: Any) -> Any:
            host = os.environ.get(HOST_VARIABLE)
            return _service(make_service, its_app, host) if host else make_service(its_app)

        return messaging._utils.get_app_service(app, messaging._MESSAGING_ATTRIBUTE, made)

    messaging._get_messaging_service = get_service


def _service(make_service: Any, app: Any, host: str) -> Any:
    """The messaging service of an app, which sends to `host`."""
    from urllib.parse import urlsplit  # noqa: PLC0415 - see above: this file loads nothing that takes time

    import requests.adapters  # noqa: PLC0415 - comes with firebase_admin
    from firebase_admin import _http_client, _utils  # noqa: PLC0415 - no dependency of the suite

    base = f"http://{host}"
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
    return service


def _replace_service(app: Any, name: str, service: Any) -> None:
    with app._lock:
        app._get_service(name, lambda _app: service)  # raises ValueError for a deleted app
        app._services[name] = service
