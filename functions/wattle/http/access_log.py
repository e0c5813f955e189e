"""One line of log for each request. It names no person: routes are templates, users a keyed hash."""

import hashlib
import hmac
import logging
import re
import secrets
from functools import cache, lru_cache
from typing import Final

from werkzeug.wrappers import Request, Response

from wattle.adapters.firestore import Usage
from wattle.http.exchange import Exchange

logger = logging.getLogger("wattle.access")

_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._~-]{8,128}")
# W3C Trace Context; Google's own older header, whose span id is a decimal number.
_TRACEPARENT: Final = re.compile(r"00-(?P<trace>[0-9a-f]{32})-(?P<span>[0-9a-f]{16})-(?P<flags>[0-9a-f]{2})$")
_CLOUD_TRACE: Final = re.compile(r"(?P<trace>[0-9a-f]{32})(/[0-9]+)?(;o=(?P<flags>[01]))?$")


# OpenSSL looks for its algorithm each time: 5 us, as much as all else in the line.
@lru_cache(maxsize=10_000)
def user_hash(uid: str, secret: str) -> str:
    """A short name for a user: the same in every line, and of no use to who does not have the signing secret.

    A plain hash would not do: user ids stand in tokens and in documents, and whoever has one could look for its hash.
    """
    return hmac.digest(_hash_key(secret), uid.encode(), "sha256").hex()[:16]


@cache
def _hash_key(secret: str) -> bytes:
    return hashlib.sha256(b"user hash:" + secret.encode()).digest()


def request_id_of(request: Request) -> str:
    """The client's own id where it is well formed, else a new one."""
    given = request.headers.get("X-Request-Id", "")
    return given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(16)


def request_fields(request: Request, request_id: str, project_id: str) -> dict[str, object]:
    """What each line carries that is written while the request is served (Cloud Logging, "LogEntry")."""
    fields: dict[str, object] = {"requestId": request_id}
    found = _TRACEPARENT.match(request.headers.get("traceparent", "")) or _CLOUD_TRACE.match(
        request.headers.get("X-Cloud-Trace-Context", "")
    )
    if found:
        parts = found.groupdict()
        fields["logging.googleapis.com/trace"] = f"projects/{project_id}/traces/{parts['trace']}"
        fields["logging.googleapis.com/trace_sampled"] = bool(int(parts["flags"] or "0", 16) & 1)
        if "span" in parts:
            fields["logging.googleapis.com/spanId"] = parts["span"]
    return fields


def write_line(exchange: Exchange, response: Response, usage: Usage, seconds: float) -> None:
    """The line of a request that was answered."""
    secret = exchange.services.config.signing_secret
    fields = {
        "method": exchange.request.method,
        # The template, not the path: ids are personal data, and a log is read by route.
        "route": exchange.bound.route.name if exchange.bound else None,
        "status": response.status_code,
        "code": exchange.failed_with.name if exchange.failed_with else None,
        "ms": round(seconds * 1000, 1),
        "user": user_hash(exchange.caller.uid, secret) if exchange.caller else None,
        "reads": usage.reads,
        "writes": usage.writes,
        "deletes": usage.deletes,
        "roundTrips": usage.round_trips,
    }
    logger.info("request", extra={"fields": fields})
