"""Queries, as immutable values."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from wattle.adapters.firestore.values import encode

Operator = Literal["==", "<", "<=", ">", ">=", "in", "array-contains"]
Direction = Literal["asc", "desc"]

_OPERATORS: Final[dict[str, int]] = {"<": 1, "<=": 2, ">": 3, ">=": 4, "==": 5, "array-contains": 7, "in": 8}
_DIRECTIONS: Final[dict[str, int]] = {"asc": 1, "desc": 2}
_AND: Final = 1
_IS_NULL: Final = 3


@dataclass(frozen=True, slots=True)
class Query:
    """A query over one collection, or over all collections of that name (`everywhere`).

    `where` conditions all hold; `order_by` ends in `__name__` where a cursor must be exact; `after` holds one value for
    each member of `order_by`, a Reference for `__name__`; `fields` is the projection (empty for the name alone, None
    for all), which does not make a read cheaper; `limit` bounds what is billed.
    """

    collection: str
    where: Sequence[tuple[str, Operator, Any]] = ()
    order_by: Sequence[tuple[str, Direction]] = ()
    after: Sequence[Any] | None = None
    fields: Sequence[str] | None = None
    limit: int | None = None
    everywhere: bool = False

    @property
    def parent(self) -> str:
        """The path of the document that holds the collection, empty for the root."""
        return self.collection.rpartition("/")[0]

    def write(self, message: Any, root: str) -> None:
        """Into an empty protocol buffer `StructuredQuery`; `root` is `projects/p/databases/d/documents`."""
        source = message.from_.add()
        source.collection_id = self.collection.rpartition("/")[2]
        source.all_descendants = self.everywhere
        if self.fields is not None:
            for field in self.fields or ("__name__",):
                message.select.fields.add(field_path=field)
        if self.where:
            message.where.composite_filter.op = _AND
            for field, operator, value in self.where:
                self._add_filter(message.where.composite_filter.filters.add(), field, operator, value, root)
        for field, direction in self.order_by:
            message.order_by.add(direction=_DIRECTIONS[direction]).field.field_path = field
        if self.after is not None:
            message.start_at.values.extend(encode(value, root) for value in self.after)
            message.start_at.before = False
        if self.limit is not None:
            message.limit.value = self.limit

    @staticmethod
    def _add_filter(message: Any, field: str, operator: Operator, value: Any, root: str) -> None:
        if value is None and operator == "==":
            # A field filter EQUAL with null matches nothing in production (FIRESTORE: "== null is the unary filter").
            message.unary_filter.op = _IS_NULL
            message.unary_filter.field.field_path = field
            return
        message.field_filter.op = _OPERATORS[operator]
        message.field_filter.field.field_path = field
        message.field_filter.value.CopyFrom(encode(value, root))
