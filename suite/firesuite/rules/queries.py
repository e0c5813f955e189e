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
_UNARY = {("==", True): 3, ("!=", True): 5}


@dataclass(frozen=True)
class Query:
    """`collection` is a path such as `users/u1/notifications`; with `group` it is the id of a collection group.

    `where` holds (field, operator, value), joined by AND; `order_by` holds field paths, `-field` for descending.
    """

    collection: str
    where: Sequence[tuple[str, str, Any]] = ()
    order_by: Sequence[str] = ()
    limit: int | None = None
    offset: int = 0
    group: bool = False

    def __str__(self) -> str:
        parts = [f"{field} {operator} {value!r}" for field, operator, value in self.where]
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
        if self.where:
            message.where.composite_filter.op = messages.StructuredQuery.CompositeFilter.Operator.AND
        for name in self.order_by:
            order = message.order_by.add(direction=2 if name.startswith("-") else 1)
            order.field.field_path = name.removeprefix("-")
        if self.limit is not None:
            message.limit.value = self.limit
        message.offset = self.offset
        return message

    @staticmethod
    def _filter(target: Any, condition: tuple[str, str, Any], documents: str) -> None:
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
