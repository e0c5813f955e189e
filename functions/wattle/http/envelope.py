"""The one form of every answer: DESIGN "Envelope"."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, Final, Generic, TypeVar

from pydantic_core import to_json
from werkzeug.wrappers import Response

from wattle.errors import WattleError
from wattle.http.etag import tag_of
from wattle.http.fields import Selection
from wattle.http.wsgi import Answer
from wattle.kit.clock import Clock, rfc3339
from wattle.schema import Resource

T = TypeVar("T")

CONTENT_TYPE: Final = "application/json; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Reply(Generic[T]):
    """What an endpoint answers with."""

    data: T
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Created(Reply[T]):
    """Something was made."""

    status: int = 201


@dataclass(frozen=True, slots=True)
class Accepted(Reply[T]):
    """It will be done, after this answer."""

    status: int = 202


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a list. `next_cursor` leads on; only delta sync has one on the last page too, for the next time."""

    items: Sequence[T]
    limit: int
    next_cursor: str | None
    has_next: bool
    total: int | None = None


class RawJson(bytes):
    """Data that is JSON already."""


class Envelope:
    """Writes answers."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def success(
        self, answer: Any, request_id: str, *, tagged: bool = False, selection: Selection | None = None
    ) -> Response:
        """The response of what an endpoint returned: a Reply, a Page, or the data itself.

        `tagged`: with the ETag of what it represents, which is what was asked for; so is what was made (201).
        `selection` cuts the data down to the fields that were asked for.
        """
        pagination = b""
        if isinstance(answer, Page):
            pagination = b',"pagination":' + to_json(_pagination(answer))
            reply: Reply[Any] = Reply(answer.items)
        else:
            reply = answer if isinstance(answer, Reply) else Reply(answer)
        data = (
            reply.data if isinstance(reply.data, RawJson) else to_json(_selected(reply.data, selection), by_alias=True)
        )
        # The very bytes that are sent are what is tagged.
        representation = data + pagination
        body = b'{"success":true,"data":%b,%b}' % (representation, self._frame(request_id))
        response = Answer(body, status=reply.status, content_type=CONTENT_TYPE)
        if tagged or reply.status == 201:
            response.headers["ETag"] = tag_of(representation, _version(reply.data, selection))
        for name, value in reply.headers.items():
            response.headers[name] = value
        return response

    def stream(self, pieces: Iterator[bytes], request_id: str) -> Response:
        """The response of data that is written while it is sent: JSON, in pieces. Nobody keeps it."""
        frame = self._frame(request_id)
        body = chain((b'{"success":true,"data":',), pieces, (b",%b}" % frame,))
        return Response(body, content_type=CONTENT_TYPE, headers={"Cache-Control": "no-store"})

    def failure(self, error: WattleError, request_id: str) -> Response:
        """The response of an error, with its Retry-After."""
        body: dict[str, Any] = {"code": error.code.name, "message": error.message}
        if error.errors:
            body["errors"] = [{"field": e.field, "code": e.code, "message": e.message} for e in error.errors]
        content = b'{"success":false,%b,%b}' % (to_json(body)[1:-1], self._frame(request_id))
        response = Answer(content, status=error.code.status, content_type=CONTENT_TYPE)
        if error.retry_after is not None:
            response.headers["Retry-After"] = str(error.retry_after)
        return response

    def _frame(self, request_id: str) -> bytes:
        """What differs between two answers that say the same. Neither needs escaping."""
        return f'"timestamp":"{rfc3339(self._clock())}","requestId":"{request_id}"'.encode()


def _pagination(page: Page[Any]) -> dict[str, Any]:
    pagination = {"limit": page.limit, "nextCursor": page.next_cursor, "hasNext": page.has_next}
    return pagination if page.total is None else {**pagination, "total": page.total}


def _version(data: Any, selection: Selection | None) -> int | str | None:
    """What is in front of the tag: see `etag`."""
    number = getattr(data, "version", None)
    if isinstance(number, int):
        return number
    return data.digest() if selection is not None and isinstance(data, Resource) else None


def _selected(data: Any, selection: Selection | None) -> Any:
    if selection is None or data is None:
        return data
    if isinstance(data, Sequence):
        return [selection.cut(item) for item in data]
    return selection.cut(data)
