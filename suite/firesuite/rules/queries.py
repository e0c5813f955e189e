"""Structured queries, written in one line."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from google.cloud.firestore_v1.types import query as messages

from firesuite.rules.values import encode

_OPERATORS = {
    "<": 1,
    "<=": 2,
    ">": 3,
    ">=": 4,
    "==": 5,
    "!=": 6,
    "array-contains": 7,
    "in": 8,
    "array-contains-any": 9,
    "not-in": 10,
}
_AND, _OR = 1, 2
_UNARY = {("==", True): 3, ("!=", True): 5}
Filter = tuple[str, str, Any]


@dataclass(frozen=True)
class Query:
    """`collection` is a path such as `users/u1/notifications`; with `group` it is the id of a collection group.

    `where` holds (field, operator, value), joined by AND; `any_of` holds groups of the same, joined by OR, of which one
    has to hold besides. `order_by` holds field paths, `-field` for descending.
    """

    collection: str
    where: Sequence[Filter] = ()
    order_by: Sequence[str] = ()
    limit: int | None = None
    offset: int = 0
    group: bool = False
    any_of: Sequence[Sequence[Filter]] = ()

    def __str__(self) -> str:
        parts = [_shown(item) for item in self.where]
        parts += [" or ".join(" and ".join(map(_shown, group)) for group in self.any_of)] if self.any_of else []
        parts += [f"order by {field}" for field in self.order_by]
        parts += [f"limit {self.limit}"] if self.limit is not None else []
        parts += [f"offset {self.offset}"] if self.offset else []
        return self.collection + (f" where {', '.join(parts)}" if parts else "")

    def parent(self, documents: str) -> str:
        """The document (or root) that the query starts from."""
        above, _, _ = self.collection.rpartition("/")
        return f"{documents}/{above}" if above else documents

    def structured(self, documents: str) -> Any:
        """The `StructuredQuery` message. Raises ValueError for an operator that Firestore does not have."""
        message = messages.StructuredQuery.pb()()
        message.from_.add(collection_id=self.collection.rpartition("/")[2], all_descendants=self.group)
        for condition in self.where:
            self._filter(message.where.composite_filter.filters.add(), condition, documents)
        if self.any_of:
            alternatives = message.where.composite_filter.filters.add().composite_filter
            alternatives.op = _OR
            for group in self.any_of:
                all_of = alternatives.filters.add().composite_filter
                all_of.op = _AND
                for condition in group:
                    self._filter(all_of.filters.add(), condition, documents)
        if self.where or self.any_of:
            message.where.composite_filter.op = _AND
        for name in self.order_by:
            order = message.order_by.add(direction=2 if name.startswith("-") else 1)
            order.field.field_path = name.removeprefix("-")
        if self.limit is not None:
            message.limit.value = self.limit
        message.offset = self.offset
        return message

    @staticmethod
    def _filter(target: Any, condition: Filter, documents: str) -> None:
        name, operator, value = condition
        if operator not in _OPERATORS:
            raise ValueError(f"'{operator}' is no operator of a query: use one of {', '.join(_OPERATORS)}.")
        # A field filter EQUAL with null finds nothing in production: null has unary filters of its own.
        if unary := _UNARY.get((operator, value is None)):
            target.unary_filter.field.field_path = name
            target.unary_filter.op = unary
            return
        target.field_filter.field.field_path = name
        target.field_filter.op = _OPERATORS[operator]
        target.field_filter.value.CopyFrom(encode(value, documents))


def _shown(condition: Filter) -> str:
    field, operator, value = condition
    return f"{field} {operator} {value!r}"
