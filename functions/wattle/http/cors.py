"""Cross-origin requests, from the origins of `ALLOWED_ORIGINS` (Fetch Standard, "CORS protocol").

Callers are known by their bearer token and never by a cookie, so credentials are not allowed, and no answer ever says
`*`. Apps on phones have no origin and need none of this.
"""

from typing import Final

from werkzeug.wrappers import Response

from wattle.http.exchange import Exchange
from wattle.http.routing import NotAllowed

_EXPOSED: Final = "ETag, Idempotency-Replayed, RateLimit, RateLimit-Policy, Retry-After, X-Request-Id"
_REQUEST_HEADERS: Final = (
    "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, "
    "X-App-Version, X-Firebase-AppCheck, X-Request-Id, traceparent"
)
# Chrome keeps a preflight for two hours at most.
_PREFLIGHT_AGE: Final = "7200"


def answer_preflight(exchange: Exchange) -> Response | None:
    """Tell a browser what the path allows, before it sends the request itself."""
    request = exchange.request
    if request.method != "OPTIONS" or "Access-Control-Request-Method" not in request.headers:
        return None
    if not _allowed(exchange):
        return None
    response = Response(status=204)
    del response.headers["Content-Type"]
    response.headers["Access-Control-Allow-Methods"] = ", ".join(_methods(exchange))
    response.headers["Access-Control-Allow-Headers"] = _REQUEST_HEADERS
    response.headers["Access-Control-Max-Age"] = _PREFLIGHT_AGE
    response.headers.add("Vary", "Access-Control-Request-Method, Access-Control-Request-Headers")
    return response


def allow_origin(exchange: Exchange, response: Response) -> Response:
    """Let a page of an allowed origin read the answer."""
    if _allowed(exchange):
        response.headers["Access-Control-Allow-Origin"] = exchange.request.headers["Origin"]
        response.headers["Access-Control-Expose-Headers"] = _EXPOSED
    return response


def _allowed(exchange: Exchange) -> bool:
    return exchange.request.headers.get("Origin") in exchange.services.config.allowed_origins


def _methods(exchange: Exchange) -> tuple[str, ...]:
    """Those of the path.

    Raises:
        RouteNotFound.
    """
    try:
        exchange.router.match("OPTIONS", exchange.request.path)
    except NotAllowed as error:
        return error.allowed
    return ()
