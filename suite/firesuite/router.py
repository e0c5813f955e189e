"""The functions' port where several codebases share it: each request goes to the process of its codebase."""

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from firesuite.proxy import Answer, forward

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

_DIRECT = re.compile(r"/[^/]+/(?P<region>[^/]+)/(?P<name>[^/]+)(?:/.*)?")
_TRIGGER = re.compile(r"/functions/projects/[^/]+/triggers/(?P<key>[^/]+?)(?:-\d+)?")


class Router:
    """The WSGI application."""

    def __init__(self, ports: Mapping[str, int]) -> None:
        """`ports`: the port of each function's process, by `region-name`."""
        self._ports = ports

    def replace(self, ports: Mapping[str, int]) -> None:
        """Functions came or went."""
        self._ports = ports

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if match := _TRIGGER.fullmatch(path):
            key = match["key"]
        elif match := _DIRECT.fullmatch(path):
            key = f"{match['region']}-{match['name']}"
        else:
            return Answer.text(404, "Not Found").send(start_response)
        port = self._ports.get(key)
        if port is None:
            text = f"Function {key} does not exist, valid functions are: {', '.join(self._ports)}"
            return Answer.text(404, text, "text/html; charset=utf-8").send(start_response)
        try:
            return forward(environ, port).send(start_response)
        except OSError:
            return Answer.text(503, "The functions are being started.").send(start_response)
