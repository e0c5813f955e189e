"""`POST /v1/batch`: several GETs in one round trip of the phone, each handled as if it had come by itself.

Each passes the same steps, with the caller's own headers, counts against its own rate limit, and has its own status,
ETag and envelope. One that fails does not concern the others.
"""

from collections.abc import Callable
from typing import Annotated, Final
from urllib.parse import unquote_to_bytes

from pydantic import Field, StringConstraints
from pydantic_core import to_json
from werkzeug.wrappers import Request as AnyRequest
from werkzeug.wrappers import Response

from wattle.context import Context
from wattle.errors import FieldError, ValidationFailed
from wattle.http.envelope import RawJson, Reply
from wattle.http.exchange import Exchange
from wattle.http.wsgi import Request
from wattle.kit.parallel import side_by_side
from wattle.schema import Body, Resource
from wattle.services import Services

REQUESTS_MOST: Final = 10
# The headers of an answer that say something of it alone.
_HEADERS: Final = ("ETag", "Cache-Control", "Retry-After", "RateLimit", "RateLimit-Policy")

Fetch = Callable[[int, str, str | None], Response]
"""Handles a GET: its number in the batch, its path with the query, its If-None-Match."""


class BatchedGet(Body):
    """One GET: `id` comes back with its answer; `ifNoneMatch` is an ETag, for a 304 without a body."""

    id: Annotated[str, StringConstraints(min_length=1, max_length=64)] | None = None
    path: Annotated[
        str,
        StringConstraints(pattern=r"^/v1/[\x21-\x22\x24-\x7e]*$", max_length=4096),
        Field(examples=["/v1/orders?limit=5"]),
    ]
    if_none_match: Annotated[str, StringConstraints(pattern=r"^[\x20-\x7e]+$", max_length=1024)] | None = None


class Batch(Body):
    requests: Annotated[list[BatchedGet], Field(min_length=1, max_length=REQUESTS_MOST)]


class BatchedAnswer(Resource):
    """The answer to one GET: its status, those of its headers that concern it, and its envelope, null with a 304."""

    id: str | None
    status: int
    headers: dict[str, str]
    body: dict[str, object] | None


class NotInBatch(ValidationFailed):
    """A stream or a page, which would have to be held in memory."""

    def __init__(self) -> None:
        super().__init__(
            [FieldError("path", "NOT_IN_BATCH", "This answers with no JSON envelope: ask for it by itself.")]
        )


def demand_envelope(exchange: Exchange) -> None:
    """Refuse a GET that cannot be in a batch, before it counts against its limit and before anything is read for it.

    Raises:
        NotInBatch.
    """
    if exchange.batched and exchange.bound is not None and not exchange.bound.enveloped:
        raise NotInBatch


def fetch_all(
    services: Services,  # noqa: ARG001 (as every endpoint)
    ctx: Context,  # noqa: ARG001 (as every endpoint)
    body: Batch,
    fetch: Fetch,
) -> Reply[list[BatchedAnswer]]:
    """Up to 10 GETs of `/v1/...` at once; their answers in the same order."""
    answers = side_by_side([_call(fetch, number, wanted) for number, wanted in enumerate(body.requests)])
    return Reply(RawJson(b"[%b]" % b",".join(answers)))  # type: ignore[arg-type]  # (it is that list, written already)


def _call(fetch: Fetch, number: int, wanted: BatchedGet) -> Callable[[], bytes]:
    return lambda: _encode(wanted.id, fetch(number, wanted.path, wanted.if_none_match))


def _encode(request_id: str | None, response: Response) -> bytes:
    headers = {name: response.headers[name] for name in _HEADERS if name in response.headers}
    head = to_json({"id": request_id, "status": response.status_code, "headers": headers})
    # The envelope is JSON: it is put in as it is.
    return b'%b,"body":%b}' % (head[:-1], response.get_data() or b"null")


def batched_request(outer: AnyRequest, path: str, if_none_match: str | None) -> Request:
    """The GET as it would have come: with the outer request's headers, without its body."""
    environ = {name: value for name, value in outer.environ.items() if name not in _OF_THE_BATCH}
    target, _, query = path.partition("?")
    environ["REQUEST_METHOD"] = "GET"
    # WSGI has the path's bytes as Latin-1 (PEP 3333).
    environ["PATH_INFO"] = unquote_to_bytes(target).decode("latin-1")
    environ["QUERY_STRING"] = query
    if if_none_match is not None:
        environ["HTTP_IF_NONE_MATCH"] = if_none_match
    return Request(environ)


# werkzeug keeps the outer Request in its environ; an answer inside a batch is not compressed by itself.
_OF_THE_BATCH: Final = frozenset(
    {
        "CONTENT_LENGTH",
        "CONTENT_TYPE",
        "HTTP_ACCEPT_ENCODING",
        "HTTP_IDEMPOTENCY_KEY",
        "HTTP_IF_MATCH",
        "HTTP_IF_NONE_MATCH",
        "HTTP_TRANSFER_ENCODING",
        "werkzeug.request",
        "wsgi.input",
        "wsgi.input_terminated",
    }
)
