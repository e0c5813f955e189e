"""gzip, for answers that are large enough to gain by it."""

import gzip
from typing import Final

from werkzeug.wrappers import Response

from wattle.http.etag import GZIP
from wattle.http.exchange import Exchange

# Below this an answer fits into one packet with its headers: compressing it saves no time.
_SMALLEST: Final = 1024
# Level 5 saves 99 % of what 9 saves, in two thirds of the time (20 orders, 11 kB to 3 kB: 0.12 ms against 0.18).
_LEVEL: Final = 5


def compress(exchange: Exchange, response: Response) -> Response:
    """Compress the body where the client accepts it; its tag then says so."""
    if response.is_streamed or "Content-Encoding" in response.headers:
        return response
    accepted = exchange.request.headers.get("Accept-Encoding")
    if not accepted or not _accepts_gzip(accepted):
        return response
    data = response.get_data()
    if len(data) <= _SMALLEST:
        return response
    # Without the time in its header the same data gives the same bytes.
    response.set_data(gzip.compress(data, _LEVEL, mtime=0))
    response.headers["Content-Encoding"] = "gzip"
    tag = response.headers.get("ETag")
    if tag is not None:
        response.headers["ETag"] = f'{tag[:-1]}{GZIP}"'
    return response


def _accepts_gzip(header: str) -> bool:
    """RFC 9110 section 12.5.3; a coding named explicitly counts before `*`."""
    quality: dict[str, float] = {}
    for part in header.lower().split(","):
        coding, _, parameter = part.partition(";")
        value = parameter.strip().removeprefix("q=") or "1"
        try:
            quality[coding.strip()] = float(value)
        except ValueError:
            return False
    return quality.get("gzip", quality.get("*", 0.0)) > 0
