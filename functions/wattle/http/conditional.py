"""Conditional reads: what the client has already is not sent again (RFC 9110 section 13)."""

from typing import Final

from werkzeug.wrappers import Response

from wattle.http.etag import match
from wattle.http.exchange import Exchange

_READING: Final = frozenset({"GET", "HEAD"})


def answer_unchanged(exchange: Exchange, response: Response) -> Response:
    """304 without a body where `If-None-Match` names what would be sent."""
    given = exchange.request.headers.get("If-None-Match")
    present = response.headers.get("ETag")
    if given is None or present is None or response.status_code != 200 or exchange.request.method not in _READING:
        return response
    known = match(given, present)
    if known is None:
        return response
    unchanged = Response(status=304)
    del unchanged.headers["Content-Type"]
    # The form that the client has: it is the stored answer of that tag that stays valid.
    unchanged.headers["ETag"] = known
    unchanged.headers["Cache-Control"] = response.headers["Cache-Control"]
    return unchanged
