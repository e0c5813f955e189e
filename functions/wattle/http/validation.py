"""From the bytes of a request to the models that endpoints take."""

from collections import deque
from collections.abc import Sequence
from typing import Any, Final, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails, from_json
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge
from werkzeug.wrappers import Request

from wattle.errors import Code, FieldError, ValidationFailed, WattleError
from wattle.schema import Body, Parameters

BODY_MOST: Final = 1_000_000
"""Bytes."""
DEPTH_MOST: Final = 32
_ERRORS_MOST: Final = 50
# A name that is not known is the client's own, and may be as long as the body.
_NAME_SHOWN: Final = 200

B = TypeVar("B", bound=Body)
P = TypeVar("P", bound=Parameters)


class InvalidJson(WattleError):
    code = Code.INVALID_JSON


class BodyTooLarge(WattleError):
    code = Code.BODY_TOO_LARGE

    def __init__(self) -> None:
        super().__init__(f"The body is larger than {BODY_MOST:,} bytes.")


class UnsupportedMediaType(WattleError):
    code = Code.UNSUPPORTED_MEDIA_TYPE

    def __init__(self, given: str) -> None:
        super().__init__(f"The body must be application/json, not {given or 'untyped'}.")


def read_body(request: Request) -> bytes:
    """The bytes of a JSON body.

    Raises:
        BodyTooLarge: said by its length, or found while reading.
        UnsupportedMediaType.
        InvalidJson: the connection ended within the body.
    """
    if (request.content_length or 0) > BODY_MOST:
        raise BodyTooLarge
    if request.mimetype != "application/json":
        raise UnsupportedMediaType(request.mimetype)
    # A chunked body names no length: werkzeug stops reading it at this many bytes, without a word.
    request.max_content_length = BODY_MOST + 1
    try:
        data = request.get_data(cache=True)
    except RequestEntityTooLarge as error:
        raise BodyTooLarge from error
    except ClientDisconnected as error:
        raise InvalidJson("The connection ended within the body.") from error
    if len(data) > BODY_MOST:
        raise BodyTooLarge
    return data


def parse_body(data: bytes, model: type[B]) -> B:
    """The model of a JSON body.

    Raises:
        InvalidJson: not JSON, or nested deeper than 32 levels.
        ValidationFailed: naming every field.
    """
    parse_json(data)
    try:
        return model.model_validate_json(data)
    except ValidationError as error:
        raise _failed(error) from error


def parse_json(data: bytes) -> Any:
    """The value of a JSON body.

    Raises:
        InvalidJson: not JSON, or nested deeper than 32 levels.
    """
    try:
        value = from_json(data)
    except ValueError as error:
        raise InvalidJson(f"The body is not JSON: {error}.") from error
    if _deeper_than(value, DEPTH_MOST):
        raise InvalidJson(f"The body is nested deeper than {DEPTH_MOST} levels.")
    return value


def parse_query(request: Request, model: type[P]) -> P:
    """The model of the query string.

    Raises:
        ValidationFailed: naming every parameter, also those that were given twice.
    """
    given = request.args.to_dict(flat=False) if request.query_string else {}
    twice = [
        FieldError(name, "DUPLICATE", "Given more than once.") for name, values in given.items() if len(values) > 1
    ]
    if twice:
        raise ValidationFailed(twice)
    try:
        return model.model_validate({name: values[0] for name, values in given.items()})
    except ValidationError as error:
        raise _failed(error) from error


def _failed(error: ValidationError) -> ValidationFailed:
    details = error.errors(include_url=False, include_context=True)[:_ERRORS_MOST]
    return ValidationFailed(
        [FieldError(_path((*d["loc"], *at)), d["type"].upper(), _sentence(d)) for d in details for at in _places(d)]
    )


def _places(detail: ErrorDetails) -> Sequence[tuple[int | str, ...]]:
    """Where below its field an error lies. A rule on a whole list says with `places` which members break it."""
    places: Sequence[tuple[int | str, ...]] = detail.get("ctx", {}).get("places", [()])
    return places


def _sentence(detail: ErrorDetails) -> str:
    message = detail["msg"].removeprefix("Value error, ")
    return message if message.endswith(".") else f"{message}."


def _path(location: tuple[int | str, ...]) -> str:
    """Such as `items[0].quantity`; `body` for the whole."""
    path = ""
    for part in location:
        path += f"[{part}]" if isinstance(part, int) else f".{part[:_NAME_SHOWN]}"
    return path.removeprefix(".") or "body"


def _deeper_than(value: Any, most: int) -> bool:
    level = deque([(value, 1)])
    while level:
        part, depth = level.popleft()
        members = part.values() if isinstance(part, dict) else part if isinstance(part, list) else ()
        if members and depth > most:
            return True
        level.extend((member, depth + 1) for member in members if isinstance(member, dict | list))
    return False
