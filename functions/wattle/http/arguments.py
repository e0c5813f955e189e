"""What an endpoint is called with: path, query and body as its signature asks for them, and the call's context."""

from typing import Final

from wattle.context import UNCONDITIONAL, Context, ExpectedVersion
from wattle.errors import FieldError, ValidationFailed
from wattle.http.etag import expected_version
from wattle.http.exchange import Exchange
from wattle.http.fields import select
from wattle.http.idempotency import idempotent_call
from wattle.http.maintenance import admitted
from wattle.http.validation import parse_body, parse_query, read_body
from wattle.schema import Parameters, Selecting

# To ignore the condition would be to do what it may forbid (RFC 9110 section 13.1.2). A POST's URL names a call, of
# which nobody has a tag, or a list that is to change anyway.
_CHANGING: Final = frozenset({"PUT", "PATCH", "DELETE"})


def read_arguments(exchange: Exchange) -> None:
    """Validate the whole request.

    Raises:
        ValidationFailed, InvalidJson, BodyTooLarge, UnsupportedMediaType.
    """
    bound, request = exchange.bound, exchange.request
    if bound is None:
        raise LookupError("no route was found yet")
    exchange.arguments.update(bound.parse_path(exchange.path))
    query = parse_query(request, bound.query or Parameters)
    if "query" in bound.asks:
        exchange.arguments["query"] = query
    if bound.selects is not None and isinstance(query, Selecting):
        exchange.selection = select(query.fields, bound.selects)
    data = b""
    if bound.body is not None:
        data = read_body(request)
        exchange.arguments["body"] = parse_body(data, bound.body)
    idempotent = None
    if bound.route.idempotent and exchange.caller is not None:
        key = request.headers.get("Idempotency-Key")
        idempotent = idempotent_call(key, exchange.caller.uid, f"{request.method} {request.path}", data)
    exchange.context = Context(
        exchange.request_id,
        exchange.deadline,
        exchange.caller,
        idempotent,
        _expected(exchange),
        admitted(exchange),
    )


def _expected(exchange: Exchange) -> ExpectedVersion:
    headers = exchange.request.headers
    if exchange.route.method in _CHANGING and headers.get("If-None-Match") is not None:
        raise ValidationFailed(
            [FieldError("If-None-Match", "NOT_SUPPORTED", "Only reading can be made conditional on it.")]
        )
    header = headers.get("If-Match")
    if header is None or exchange.route.method == "GET":
        return UNCONDITIONAL
    if not exchange.route.conditional:
        raise ValidationFailed([FieldError("If-Match", "NOT_SUPPORTED", "This cannot be made conditional.")])
    return expected_version(header)
