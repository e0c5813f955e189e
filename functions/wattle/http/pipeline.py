"""From a WSGI request to a WSGI answer, the same way for every route."""

import logging
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from typing import Any, Final
from uuid import uuid4

from werkzeug.wrappers import Request, Response

from wattle.adapters.firestore import FirestoreContention, FirestoreUnavailable, Usage, track_usage
from wattle.context import Context
from wattle.errors import Code, Contention, Internal, Unavailable, WattleError
from wattle.http.authentication import authenticate
from wattle.http.envelope import Envelope
from wattle.http.idempotency import idempotent_call
from wattle.http.routing import NotAllowed, Route, Router
from wattle.http.validation import parse_body, parse_query, read_body
from wattle.kit.logging import log_fields
from wattle.kit.retry import Deadline
from wattle.schema import Parameters
from wattle.services import Services

logger = logging.getLogger("wattle.access")

# Well below the functions' own time-out of 60 s: a phone has given up long before.
_DEADLINE: Final = 20.0
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._~-]{8,128}")
# W3C Trace Context; Google's own older header.
_TRACEPARENT: Final = re.compile(r"00-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}$")
_CLOUD_TRACE: Final = re.compile(r"([0-9a-f]{32})(/|;|$)")
_SECURITY: Final[Mapping[str, str]] = {
    "Strict-Transport-Security": "max-age=63072000; includeSubDomains",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    # JSON needs nothing: no scripts, no frames.
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}


class Pipeline:
    """A WSGI app of a route table."""

    def __init__(self, services: Callable[[], Services], routes: Sequence[Route]) -> None:
        self._services = services
        self._router = Router(routes)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        return self.handle(Request(environ))(environ, start_response)

    def handle(self, request: Request) -> Response:
        """Answer a request. Every failure is an answer in the envelope."""
        services = self._services()
        envelope = Envelope(services.clock)
        request_id = _request_id(request)
        started = time.perf_counter()
        exchange = _Exchange(request, services, request_id)
        fields = log_fields.set(_log_fields(request, request_id, services.config.project_id))
        try:
            with track_usage() as usage:
                response = self._answer(exchange, envelope)
            response.headers["X-Request-Id"] = request_id
            response.headers.update(_SECURITY)
            if not services.config.production:
                response.headers["X-Firestore-Reads"] = str(usage.reads)
                response.headers["X-Firestore-Writes"] = str(usage.writes + usage.deletes)
            self._log(exchange, response, usage, time.perf_counter() - started)
        finally:
            log_fields.reset(fields)
        return response

    def _answer(self, exchange: "_Exchange", envelope: Envelope) -> Response:
        try:
            answer = exchange.run(self._router)
        except WattleError as error:
            return _failure(envelope, error, exchange.request_id)
        except FirestoreContention as error:
            logger.warning("contention", exc_info=error)
            return _failure(envelope, Contention(), exchange.request_id)
        except FirestoreUnavailable as error:
            logger.warning("Firestore is unavailable", exc_info=error)
            return _failure(envelope, Unavailable("The database"), exchange.request_id)
        except Exception as error:
            logger.exception("unexpected", exc_info=error)
            return _failure(envelope, Internal(), exchange.request_id)
        response = envelope.success(answer, exchange.request_id)
        response.headers.setdefault("Cache-Control", "private, no-cache")
        return response

    @staticmethod
    def _log(exchange: "_Exchange", response: Response, usage: Usage, seconds: float) -> None:
        uid = exchange.context.caller.uid if exchange.context and exchange.context.caller else None
        fields = {
            "method": exchange.request.method,
            # The template, not the path: ids are personal data, and a log is read by route.
            "route": exchange.route.name if exchange.route else None,
            "status": response.status_code,
            "ms": round(seconds * 1000, 1),
            "user": sha256(uid.encode()).hexdigest()[:16] if uid else None,
            "reads": usage.reads,
            "writes": usage.writes,
            "deletes": usage.deletes,
            "roundTrips": usage.round_trips,
        }
        logger.info("request", extra={"fields": fields})


class _Exchange:
    """One request on its way through the steps; it remembers what it learned, for the log."""

    def __init__(self, request: Request, services: Services, request_id: str) -> None:
        self.request = request
        self.request_id = request_id
        self.route: Route | None = None
        self.context: Context | None = None
        self._services = services

    def run(self, router: Router) -> Any:
        """Route, authenticate, validate, call the endpoint: in this order, so that a stranger learns nothing."""
        bound, path = router.match(self.request.method, self.request.path)
        self.route = bound.route
        caller = authenticate(
            self.request.headers.get("Authorization"),
            bound.route.access,
            self._services.verifier,
            self._services.accounts,
        )
        self.context = Context(self.request_id, Deadline.after(_DEADLINE), caller)
        arguments = bound.parse_path(path)
        query = parse_query(self.request, bound.query or Parameters)
        if bound.query is not None:
            arguments["query"] = query
        if bound.body is not None:
            data = read_body(self.request)
            arguments["body"] = parse_body(data, bound.body)
            if bound.route.idempotent:
                key = self.request.headers.get("Idempotency-Key")
                call = idempotent_call(key, self.context.user.uid, bound.route.name, data)
                self.context = replace(self.context, idempotent=call)
        return bound.route.endpoint(self._services, self.context, **arguments)


def _failure(envelope: Envelope, error: WattleError, request_id: str) -> Response:
    headers = {"Cache-Control": "no-store"}
    if isinstance(error, NotAllowed):
        headers["Allow"] = ", ".join(error.allowed)
    if error.code.status == 401:
        # RFC 6750 section 3: what scheme is asked for, and why the token was refused.
        headers["WWW-Authenticate"] = "Bearer" if error.code is Code.TOKEN_MISSING else 'Bearer error="invalid_token"'
    return envelope.failure(error, request_id, headers)


def _request_id(request: Request) -> str:
    """The client's own id where it is well formed, else a new one."""
    given = request.headers.get("X-Request-Id", "")
    return given if _REQUEST_ID.fullmatch(given) else uuid4().hex


def _log_fields(request: Request, request_id: str, project_id: str) -> dict[str, object]:
    fields: dict[str, object] = {"requestId": request_id}
    trace = _TRACEPARENT.match(request.headers.get("traceparent", "")) or _CLOUD_TRACE.match(
        request.headers.get("X-Cloud-Trace-Context", "")
    )
    if trace:
        fields["logging.googleapis.com/trace"] = f"projects/{project_id}/traces/{trace[1]}"
    return fields
