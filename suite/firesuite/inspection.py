"""What the suite tells the other commands of firesuite, and the functions host, at the hub's address."""

import dataclasses
import json
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from firesuite import credentials
from firesuite.appcheck import AppCheck
from firesuite.errors import SuiteError
from firesuite.history import History
from firesuite.proxy import Answer

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

PREFIX = "/firesuite"
STATUS_PATH = f"{PREFIX}/status"
LOGS_PATH = f"{PREFIX}/logs"
APP_CHECK_KEYS_PATH = f"{PREFIX}/appCheck/jwks"
APP_CHECK_TOKEN_PATH = f"{PREFIX}/appCheck/token"
TOKEN_PATH = f"{PREFIX}/token"
"""Where the made-up service account gets its access tokens."""
EVENTS_PATH = f"{PREFIX}/events/"
"""With a function's name behind it; takes a POST of `{"data": ..., "attributes": {...}}`."""

# Below the 30 s after which a client of the log may think that nobody is there.
_LOG_WAIT_SECONDS = 25.0
SOME_APP = "1:123456789012:web:local"
"""The app that a token is for where none is named."""


class Inspection:
    """The WSGI application."""

    def __init__(
        self,
        history: History,
        app_check: AppCheck,
        status: Callable[[], Mapping[str, Any]],
        send: Callable[[str, Any, Mapping[str, str]], Answer],
    ) -> None:
        """`send` hands an event to a function: its name, data, attributes."""
        self._history = history
        self._send = send
        self._app_check = app_check
        self._status = status

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        if environ["PATH_INFO"].startswith(EVENTS_PATH):
            return self._deliver(environ).send(start_response)
        query = {name: values[0] for name, values in parse_qs(environ.get("QUERY_STRING", "")).items()}
        documents: Mapping[str, Callable[[], Mapping[str, Any]]] = {
            STATUS_PATH: self._status,
            LOGS_PATH: lambda: {"lines": self._lines(int(query.get("after", 0)), wait="wait" in query)},
            TOKEN_PATH: lambda: credentials.TOKEN,
            APP_CHECK_KEYS_PATH: self._app_check.keys,
            APP_CHECK_TOKEN_PATH: lambda: {"token": self._app_check.token(query.get("app", SOME_APP))},
        }
        make = documents.get(environ["PATH_INFO"])
        if make is None:
            return Answer.text(404, "Not Found").send(start_response)
        return Answer.text(200, json.dumps(make()), "application/json").send(start_response)

    def _deliver(self, environ: "WSGIEnvironment") -> Answer:
        try:
            body = json.loads(environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)))
            data, attributes = body["data"], dict(body.get("attributes") or {})
        except (ValueError, KeyError, TypeError, AttributeError):
            return Answer.text(400, 'Expected a POST of {"data": ..., "attributes": {...}}.')
        try:
            return self._send(environ["PATH_INFO"].removeprefix(EVENTS_PATH), data, attributes)
        except SuiteError as error:
            return Answer.text(400, str(error))

    def _lines(self, after: int, *, wait: bool) -> list[Mapping[str, Any]]:
        """Those after number `after`: at once if there are any, else when there are, where that is asked for."""
        lines = self._history.after(after, seconds=_LOG_WAIT_SECONDS if wait else 0.0)
        return [dataclasses.asdict(line) for line in lines]
