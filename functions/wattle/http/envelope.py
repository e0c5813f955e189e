"""The one form of every answer: DESIGN "Envelope"."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar

from pydantic_core import to_json
from werkzeug.wrappers import Response

from wattle.errors import WattleError
from wattle.http.fields import Selection
from wattle.kit.clock import Clock, rfc3339
from wattle.schema import Resource

T = TypeVar("T")

CONTENT_TYPE: Final = "application/json; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Reply(Generic[T]):
    """What an endpoint answers with; `selection` cuts `data` down to the fields that were asked for."""

    data: T
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    selection: Selection | None = None


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a list. `next_cursor` is None on the last page."""

    items: Sequence[T]
    limit: int
    next_cursor: str | None
    total: int | None = None
    selection: Selection | None = None


class Envelope:
    """Writes answers."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def success(self, answer: Any, request_id: str) -> Response:
        """The response of what an endpoint returned: a Reply, a Page, or the data itself."""
        pagination = None
        if isinstance(answer, Page):
            pagination = {
                "limit": answer.limit,
                "nextCursor": answer.next_cursor,
                "hasNext": answer.next_cursor is not None,
            }
            if answer.total is not None:
                pagination["total"] = answer.total
            reply: Reply[Any] = Reply(answer.items, selection=answer.selection)
        else:
            reply = answer if isinstance(answer, Reply) else Reply(answer)
        body = {"success": True, "data": _selected(reply)}
        if pagination is not None:
            body["pagination"] = pagination
        return self._response(body, reply.status, request_id, reply.headers)

    def failure(self, error: WattleError, request_id: str, headers: Mapping[str, str]) -> Response:
        """The response of an error, with its Retry-After."""
        body: dict[str, Any] = {"success": False, "code": error.code.name, "message": error.message}
        if error.errors:
            body["errors"] = [{"field": e.field, "code": e.code, "message": e.message} for e in error.errors]
        if error.retry_after is not None:
            headers = {**headers, "Retry-After": str(error.retry_after)}
        return self._response(body, error.code.status, request_id, headers)

    def _response(self, body: dict[str, Any], status: int, request_id: str, headers: Mapping[str, str]) -> Response:
        body["timestamp"] = rfc3339(self._clock())
        body["requestId"] = request_id
        response = Response(to_json(body, by_alias=True), status=status, content_type=CONTENT_TYPE)
        for name, value in headers.items():
            response.headers[name] = value
        return response


def _selected(reply: Reply[Any]) -> Any:
    if reply.selection is None:
        return reply.data
    if isinstance(reply.data, Sequence):
        return [reply.selection.cut(_plain(item)) for item in reply.data]
    return reply.selection.cut(_plain(reply.data))


def _plain(resource: Resource) -> dict[str, Any]:
    # Only some fields of a projected resource are set, and those below are as stored: pydantic would warn of both.
    return resource.model_dump(by_alias=True, exclude_unset=True, warnings=False)
