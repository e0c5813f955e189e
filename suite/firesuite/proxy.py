"""Passes a request on to another local server: what the hub, the task queues, hosting and several codebases share.

`forward` gives the whole answer, for who looks at it or changes it; `stream` passes it on as it comes.
"""

import dataclasses
import http.client
from collections.abc import Callable, Iterable, Iterator, Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING

from firesuite.ports import HOST

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

# Of one connection, not of the message (RFC 9110, 7.6.1); the length is set anew.
_HOP_BY_HOP = frozenset(
    {"connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "content-length"}
)

# As long as Cloud Run lets an HTTP function work.
_SECONDS = 3600.0

_CHUNK_BYTES = 65_536


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """A whole response."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @classmethod
    def text(cls, status: int, text: str, content_type: str = "text/plain; charset=utf-8") -> "Answer":
        return cls(status, (("Content-Type", content_type),), text.encode())

    def header(self, name: str) -> str | None:
        """The first header of that name, in any case."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    def send(self, start_response: "StartResponse") -> Iterable[bytes]:
        """Answer a WSGI request with it."""
        headers = [*self.headers, ("Content-Length", str(len(self.body)))]
        start_response(_status_line(self.status), headers)
        return [self.body]


def _status_line(status: int) -> str:
    known = {status.value for status in HTTPStatus}
    return f"{status} {HTTPStatus(status).phrase if status in known else 'Unknown'}"


class _Body:
    """A response's body as it comes. It raises OSError where the other server breaks off, and ends the connection to it
    in `close`, be the body at its end or not."""

    def __init__(
        self,
        connection: http.client.HTTPConnection,
        response: http.client.HTTPResponse,
        closed: Callable[[], object],
    ) -> None:
        self._connection = connection
        self._response = response
        self._closed = closed

    def __iter__(self) -> Iterator[bytes]:
        try:
            while chunk := self._response.read1(_CHUNK_BYTES):
                yield chunk
        except http.client.HTTPException as error:
            raise OSError(f"the connection was broken off: {error!r}") from error
        if self._response.length:
            raise OSError(f"the connection was broken off: {self._response.length} bytes are missing")

    def close(self) -> None:
        try:
            self._response.close()
            self._connection.close()
        finally:
            self._closed()


def stream(
    environ: "WSGIEnvironment",
    start_response: "StartResponse",
    port: int,
    closed: Callable[[], object] = lambda: None,
) -> Iterable[bytes]:
    """Answer this request as the server on `port` does, while that still answers: what it sends is passed on as it
    comes.

    `closed` is called when the answer is at its end or the client has gone; not when this raises OSError, which it does
    when the server cannot be reached or breaks off before it answers.
    """
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    connection = http.client.HTTPConnection(HOST, port, timeout=_SECONDS)
    try:
        connection.request(environ["REQUEST_METHOD"], target(environ), body, request_headers(environ))
        response = connection.getresponse()
    except http.client.HTTPException as error:
        connection.close()
        raise OSError(f"port {port} broke the connection off: {error!r}") from error
    except BaseException:
        connection.close()
        raise
    # With the length, which is of the message, and which the answer to HEAD has, too.
    kept = [
        (name, value)
        for name, value in response.getheaders()
        if name.lower() not in _HOP_BY_HOP or name.lower() == "content-length"
    ]
    start_response(_status_line(response.status), kept)
    return _Body(connection, response, closed)


def forward(
    environ: "WSGIEnvironment",
    port: int,
    *,
    path: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """What the server on `port` answers to this request, with another `path` (query included) or other `headers`.

    Raises OSError when it cannot be reached.
    """
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    return send(
        environ["REQUEST_METHOD"],
        port,
        path if path is not None else target(environ),
        body,
        headers if headers is not None else request_headers(environ),
    )


def send(method: str, port: int, path: str, body: bytes, headers: Mapping[str, str]) -> Answer:
    """One request to the server on `port`. Raises OSError when it cannot be reached or breaks off."""
    connection = http.client.HTTPConnection(HOST, port, timeout=_SECONDS)
    try:
        connection.request(method, path, body, dict(headers))
        response = connection.getresponse()
        kept = tuple((name, value) for name, value in response.getheaders() if name.lower() not in _HOP_BY_HOP)
        return Answer(response.status, kept, response.read())
    except http.client.HTTPException as error:
        raise OSError(f"port {port} broke the connection off: {error!r}") from error
    finally:
        connection.close()


def target(environ: "WSGIEnvironment") -> str:
    """The path as the client wrote it, still percent-encoded, and the query."""
    raw: str = environ.get("REQUEST_URI") or environ["PATH_INFO"]
    if "?" in raw or not environ.get("QUERY_STRING"):
        return raw
    return f"{raw}?{environ['QUERY_STRING']}"


def request_headers(environ: "WSGIEnvironment") -> dict[str, str]:
    """The headers of a WSGI request that are the message's own."""
    headers = {
        key.removeprefix("HTTP_").replace("_", "-").lower(): value
        for key, value in environ.items()
        if key.startswith("HTTP_")
    }
    if content_type := environ.get("CONTENT_TYPE"):
        headers["content-type"] = content_type
    return {name: value for name, value in headers.items() if name not in _HOP_BY_HOP}
