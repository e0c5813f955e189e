"""From a WSGI request to a WSGI answer, the same way for every route: `api` says which steps, in which order."""

import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, Final

from werkzeug.wrappers import Request as AnyRequest
from werkzeug.wrappers import Response

from wattle.adapters.firestore import Usage, track_usage
from wattle.errors import Code, WattleError
from wattle.failures import told
from wattle.http.access_log import request_fields, request_id_of, write_line
from wattle.http.authentication import demanded
from wattle.http.batch import batched_request
from wattle.http.envelope import Envelope
from wattle.http.exchange import After, Before, Exchange
from wattle.http.headers import secured
from wattle.http.maintenance import hidden
from wattle.http.routing import Caching, NotAllowed, Route, Router
from wattle.http.wsgi import Request
from wattle.kit import tracing
from wattle.kit.clock import utc_now
from wattle.kit.logging import log_fields
from wattle.services import Services

_READING: Final = frozenset({"GET", "HEAD"})
# What scheme a 401 asks for (RFC 9110 section 11.6.1), where it is not a bearer token that was refused.
_CHALLENGES: Final = {
    Code.TOKEN_MISSING: "Bearer",
    # RFC 9470: the sign-in is older than `max_age` seconds.
    Code.RECENT_SIGN_IN_REQUIRED: 'Bearer error="insufficient_user_authentication", max_age=300',
    Code.APP_CHECK_MISSING: "FirebaseAppCheck",
    Code.APP_CHECK_INVALID: "FirebaseAppCheck",
}


class Pipeline:
    """A WSGI app of a route table."""

    def __init__(
        self,
        services: Callable[[], Services],
        routes: Sequence[Route],
        before: Sequence[Before],
        after: Sequence[After],
    ) -> None:
        self._services = services
        self._router = Router(routes)
        self._before = before
        self._after = after

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        return self.handle(Request(environ))(environ, start_response)

    def handle(self, request: AnyRequest) -> Response:
        """Answer a request. Every failure is an answer in the envelope."""
        started = time.perf_counter()
        request_id = request_id_of(request)
        try:
            services = self._services()
        except Exception as error:  # noqa: BLE001 (whatever it is, the caller gets an answer in the envelope)
            return _unconnected(error, request_id)
        config = services.config
        exchange = Exchange(request, services, self._router, request_id)
        fields = log_fields.set(request_fields(request, exchange.request_id, config.project_id))
        try:
            traceparent = request.headers.get("traceparent", "")
            with tracing.current().request(request.method, traceparent) as span, track_usage() as usage:
                response = self._answer(exchange)
                _describe(span, exchange, response, usage)
            if not config.production:
                response.headers["X-Firestore-Reads"] = str(usage.reads)
                response.headers["X-Firestore-Writes"] = str(usage.writes + usage.deletes)
            write_line(exchange, response, usage, time.perf_counter() - started)
        finally:
            log_fields.reset(fields)
        return response

    def _answer(self, exchange: Exchange) -> Response:
        envelope = Envelope(exchange.services.clock)
        try:
            with demanded(exchange.session):
                response = self._serve(exchange, envelope)
        except Exception as error:  # noqa: BLE001 (whatever it is, the caller gets an answer in the envelope)
            response = _failure(exchange, envelope, hidden(exchange, told(error)))
        for step in self._after:
            response = step(exchange, response)
        return response

    def _serve(self, exchange: Exchange, envelope: Envelope) -> Response:
        for step in self._before:
            early = step(exchange)
            if early is not None:
                return early
        asks = exchange.bound.asks if exchange.bound is not None else ()
        if "fetch" in asks:
            exchange.arguments["fetch"] = partial(self._fetch, exchange)
        if "routes" in asks:
            exchange.arguments["routes"] = self._router.bound
        route, reads = exchange.route, exchange.request.method in _READING
        caching = route.caching if reads else Caching.NONE
        answer = route.endpoint(exchange.services, exchange.context, **exchange.arguments)
        if isinstance(answer, Response):
            response = answer
            response.headers.setdefault("Cache-Control", caching.value)
        else:
            kept = route.caching is not Caching.NONE
            response = envelope.success(
                answer,
                exchange.request_id,
                tagged=kept and (reads or route.conditional),
                selection=exchange.selection,
            )
            response.headers.add("Cache-Control", caching.value)
        return response

    def _fetch(self, outer: Exchange, number: int, path: str, if_none_match: str | None) -> Response:
        """Handle a GET of a batch. What it costs and the log line are the batch's."""
        request = batched_request(outer.request, path, if_none_match)
        request_id = f"{outer.request_id}.{number}"
        return self._answer(Exchange(request, outer.services, self._router, request_id, batched=True))


def _unconnected(error: Exception, request_id: str) -> Response:
    """Without services there are no settings, and so no step of the way: no route, no CORS, no access log."""
    fields = log_fields.set({"requestId": request_id})
    try:
        response = Envelope(utc_now).failure(told(error), request_id)
    finally:
        log_fields.reset(fields)
    response.headers["Cache-Control"] = "no-store"
    return secured(response, request_id)


def _describe(span: tracing.Span, exchange: Exchange, response: Response, usage: Usage) -> None:
    if exchange.bound is not None:
        span.rename(exchange.route.name)
        span.set({"http.route": exchange.route.path})
    span.set(
        {
            "http.request.method": exchange.request.method,
            "http.response.status_code": response.status_code,
            "wattle.firestore.reads": usage.reads,
            "wattle.firestore.writes": usage.writes + usage.deletes,
        }
    )
    if exchange.failed_with is not None:
        span.set({"error.type": exchange.failed_with.name})
    if response.status_code >= 500:
        span.fail()


def _failure(exchange: Exchange, envelope: Envelope, error: WattleError) -> Response:
    exchange.failed_with = error.code
    response = envelope.failure(error, exchange.request_id)
    response.headers["Cache-Control"] = "no-store"
    if isinstance(error, NotAllowed):
        response.headers["Allow"] = ", ".join(error.allowed)
    if error.code.status == 401:
        response.headers["WWW-Authenticate"] = _CHALLENGES.get(error.code, 'Bearer error="invalid_token"')
    return response
