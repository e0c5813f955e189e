"""What the suite tells the other commands of firesuite, and the functions host, at the hub's address."""

import dataclasses
import json
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from firesuite.appcheck import AppCheck
from firesuite.history import History
from firesuite.proxy import Answer

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

PREFIX = "/firesuite"
STATUS_PATH = f"{PREFIX}/status"
LOGS_PATH = f"{PREFIX}/logs"
APP_CHECK_KEYS_PATH = f"{PREFIX}/appCheck/jwks"
APP_CHECK_TOKEN_PATH = f"{PREFIX}/appCheck/token"

# Below the 30 s after which a client of the log may think that nobody is there.
_LOG_WAIT_SECONDS = 25.0
_SOME_APP = "1:123456789012:web:local"


class Inspection:
    """The WSGI application."""

    def __init__(self, history: History, app_check: AppCheck, status: Callable[[], Mapping[str, Any]]) -> None:
        self._history = history
        self._app_check = app_check
        self._status = status

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        query = {name: values[0] for name, values in parse_qs(environ.get("QUERY_STRING", "")).items()}
        documents: Mapping[str, Callable[[], Mapping[str, Any]]] = {
            STATUS_PATH: self._status,
            LOGS_PATH: lambda: {"lines": self._lines(int(query.get("after", 0)), wait="wait" in query)},
            APP_CHECK_KEYS_PATH: self._app_check.keys,
            APP_CHECK_TOKEN_PATH: lambda: {"token": self._app_check.token(query.get("app", _SOME_APP))},
        }
        make = documents.get(environ["PATH_INFO"])
        if make is None:
            return Answer.text(404, "Not Found").send(start_response)
        return Answer.text(200, json.dumps(make()), "application/json").send(start_response)

    def _lines(self, after: int, *, wait: bool) -> list[Mapping[str, Any]]:
        """Those after number `after`: at once if there are any, else when there are, where that is asked for."""
        lines = self._history.after(after, seconds=_LOG_WAIT_SECONDS if wait else 0.0)
        return [dataclasses.asdict(line) for line in lines]
