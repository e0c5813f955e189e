"""Field selection: `fields=id,status,items.name`.

The names are those of the resource's schema. The selection is pushed down to the database as a projection, which makes
the answer smaller, though not cheaper: Firestore bills a whole read for a projected document.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from types import NoneType, UnionType
from typing import Any, Final, NamedTuple, Union, get_args, get_origin

from pydantic import BaseModel

from wattle.errors import FieldError, ValidationFailed
from wattle.schema import Resource, names_outside

_NAMES_AT_MOST: Final = 50


class Selection(NamedTuple):
    """A tree of names; None stands for all below a name."""

    tree: Mapping[str, "Selection | None"]
    projection: tuple[str, ...]
    """The stored fields to read, dotted. Elements of arrays cannot be projected: the array is read whole."""

    def cut(self, data: Resource | Mapping[str, Any]) -> dict[str, Any]:
        """`data` with the selected names only; null where a document lacks one.

        What is not selected is not touched: to dump the resource first takes three times as long.
        """
        if isinstance(data, Resource):
            names, held = names_outside(type(data)), data.__dict__
            return {
                name: held.get(names[name]) if below is None else _cut(held.get(names[name]), below)
                for name, below in self.tree.items()
            }
        return {name: _cut(data.get(name), below) for name, below in self.tree.items()}


def _cut(value: Any, below: Selection | None) -> Any:
    if below is None:
        return value
    if isinstance(value, list):
        return [_cut(member, below) for member in value]
    return below.cut(value) if isinstance(value, Resource | Mapping) else value


def select(text: str | None, model: type[BaseModel], *, not_stored: Sequence[str] = ("id",)) -> Selection | None:
    """Read the parameter, None where it is absent.

    `not_stored` are fields of the resource that no document holds.

    Raises:
        ValidationFailed: a name that the resource does not have, each of them named; or more than 50 names.
    """
    return None if text is None else _select(text, model, tuple(not_stored))


def projection(text: str | None, model: type[BaseModel]) -> tuple[str, ...] | None:
    """The stored fields to read, None where the parameter is absent. Raises as `select` does."""
    selection = select(text, model)
    return None if selection is None else selection.projection


# An app asks for the same few again and again.
@lru_cache(maxsize=256)
def _select(text: str, model: type[BaseModel], not_stored: tuple[str, ...]) -> Selection:
    paths = [name.strip() for name in text.split(",")]
    if len(paths) > _NAMES_AT_MOST:
        raise ValidationFailed([FieldError("fields", "TOO_MANY", f"At most {_NAMES_AT_MOST} names.")])
    unknown = [path for path in paths if not _known(path, model)]
    if unknown:
        raise ValidationFailed(
            [FieldError("fields", "UNKNOWN_FIELD", f"There is no field {path!r} here.") for path in unknown]
        )
    projection = dict.fromkeys(_stored_path(path, model) for path in paths if path.partition(".")[0] not in not_stored)
    return Selection(_tree(paths), _outermost(tuple(projection)))


def _tree(paths: Sequence[str]) -> dict[str, Selection | None]:
    below: dict[str, list[str] | None] = {}
    for path in paths:
        first, _, rest = path.partition(".")
        if not rest:
            below[first] = None
        elif (rests := below.setdefault(first, [])) is not None:
            rests.append(rest)
    return {name: None if rests is None else Selection(_tree(rests), ()) for name, rests in below.items()}


def _outermost(paths: tuple[str, ...]) -> tuple[str, ...]:
    """Without those that lie below another: Firestore refuses a mask with both `a` and `a.b`."""
    return tuple(path for path in paths if not any(path.startswith(f"{other}.") for other in paths))


def _known(path: str, model: type[BaseModel]) -> bool:
    first, dot, rest = path.partition(".")
    annotation = _annotation(first, model)
    if annotation is None:
        return False
    nested = _nested_model(annotation)
    return not dot or (nested is not None and _known(rest, nested))


def _stored_path(path: str, model: type[BaseModel]) -> str:
    first, _, rest = path.partition(".")
    annotation = _annotation(first, model)
    nested = _nested_model(annotation)
    if not rest or nested is None or _is_list(annotation):
        return first
    return f"{first}.{_stored_path(rest, nested)}"


def _annotation(name: str, model: type[BaseModel]) -> Any:
    for field in model.model_fields.values():
        if field.alias == name:
            return field.annotation
    return None


def _is_list(annotation: Any) -> bool:
    return any(get_origin(part) in (list, tuple) for part in _parts(annotation))


def _nested_model(annotation: Any) -> type[BaseModel] | None:
    for part in _parts(annotation):
        inner = get_args(part)[0] if get_origin(part) in (list, tuple) else part
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            return inner
    return None


def _parts(annotation: Any) -> Iterator[Any]:
    """The members of a union but None; the annotation itself where it is none."""
    if get_origin(annotation) in (Union, UnionType):
        yield from (part for part in get_args(annotation) if part is not NoneType)
    else:
        yield annotation
