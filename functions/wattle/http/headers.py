"""Headers that every answer carries."""

from collections.abc import Sequence
from typing import Final

from werkzeug.wrappers import Response

from wattle.http.exchange import Exchange

_SECURITY: Final[Sequence[tuple[str, str]]] = (
    # Two years, as the preload list asks for.
    ("Strict-Transport-Security", "max-age=63072000; includeSubDomains"),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    # What an answer depends on besides its URL.
    ("Vary", "Origin, Accept-Encoding"),
)
# JSON needs nothing: no scripts, no frames. A page that needs more says so itself.
_POLICY: Final = "default-src 'none'; frame-ancestors 'none'"


def secure(exchange: Exchange, response: Response) -> Response:
    """The security headers, the request's id, and what the steps before wanted to be said."""
    for name, value in exchange.headers.items():
        response.headers.add(name, value)
    return secured(response, exchange.request_id)


def secured(response: Response, request_id: str) -> Response:
    """With the security headers and the request's id."""
    headers = response.headers
    # add() in place of []: nobody else sets these, and werkzeug looks through all headers for each it replaces.
    for name, value in _SECURITY:
        headers.add(name, value)
    if "Content-Security-Policy" not in headers:
        headers.add("Content-Security-Policy", _POLICY)
    headers.add("X-Request-Id", request_id)
    return response
