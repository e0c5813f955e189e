"""The functions' port where several processes share it: each request goes to the one that has its function."""

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from firesuite.proxy import Answer, stream

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

_DIRECT = re.compile(r"/[^/]+/(?P<region>[^/]+)/(?P<name>[^/]+)(?:/.*)?", re.DOTALL)
_TRIGGER = re.compile(r"/functions/projects/[^/]+/triggers/(?P<key>[^/]+?)(?:-\d+)?")


def function_key(path: str) -> str | None:
    """`region-name` of the function that a path on the functions' port is for; None when it is for none."""
    if match := _TRIGGER.fullmatch(path):
        return match["key"]
    if match := _DIRECT.fullmatch(path):
        return f"{match['region']}-{match['name']}"
    return None


def unknown_function(key: str | None, known: Iterable[str]) -> Answer:
    """In the words of Google's emulator."""
    if key is None:
        return Answer.text(404, "Not Found")
    text = f"Function {key} does not exist, valid functions are: {', '.join(known)}"
    return Answer.text(404, text, "text/html; charset=utf-8")


class Router:
    """The WSGI application."""

    def __init__(self, ports: Mapping[str, int], other: int | None = None) -> None:
        """`ports`: the port of each function's process, by `region-name`; `other` has those that it does not name."""
        self._ports = ports
        self._other = other

    def replace(self, ports: Mapping[str, int]) -> None:
        """Functions came or went."""
        self._ports = ports

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        key = function_key(environ["PATH_INFO"])
        port = self._ports.get(key or "", self._other)
        if port is None or key is None:
            return unknown_function(key, self._ports).send(start_response)
        try:
            return stream(environ, start_response, port)
        except OSError:
            return Answer.text(503, "The functions are being started.").send(start_response)
