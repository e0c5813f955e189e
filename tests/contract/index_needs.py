"""What index a query needs, and what a firestore.indexes.json has.

Source: Firestore, "Index types", "Query limitations", "Index merging". Directions of fields that are only compared for
equality do not matter; `__name__` ends every index by itself, in the direction of the last field.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

ASC, DESC, CONTAINS = "ASCENDING", "DESCENDING", "CONTAINS"
COLLECTION, GROUP = "COLLECTION", "COLLECTION_GROUP"
# StructuredQuery.FieldFilter.Operator: EQUAL and IN, ARRAY_CONTAINS. UnaryFilter.Operator: IS_NULL.
_EQUALITIES = {5, 8}
_ARRAY_CONTAINS = 7
_RANGES = {1, 2, 3, 4}
_IS_NULL = 3
_DIRECTION = {1: ASC, 2: DESC}

Ordered = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Need:
    """An index over `equal` in any order, followed by `ordered`; over the members of the arrays in `contains`."""

    group: str
    scope: str
    equal: frozenset[str]
    ordered: Ordered
    contains: frozenset[str] = frozenset()

    @property
    def composite(self) -> bool:
        """Whether single-field indexes cannot do it, not even several of them merged."""
        return len(self.ordered) > 1 or bool(self.ordered and (self.equal or self.contains))


def need_of(query: Any) -> Need:
    """The need of a `StructuredQuery` message."""
    (source,) = query.from_
    equal, contains, ranges = set(), set(), []
    for where in _leaves(query.where):
        if where.WhichOneof("filter_type") == "unary_filter":
            assert where.unary_filter.op == _IS_NULL
            equal.add(where.unary_filter.field.field_path)
            continue
        field, operator = where.field_filter.field.field_path, where.field_filter.op
        if operator == _ARRAY_CONTAINS:
            contains.add(field)
            continue
        assert operator in _EQUALITIES | _RANGES, f"operator {operator}: say here what index it needs"
        if operator in _EQUALITIES:
            equal.add(field)
        elif field not in ranges:
            ranges.append(field)
    orders = [(order.field.field_path, _DIRECTION[order.direction]) for order in query.order_by]
    last = orders[-1][1] if orders else ASC
    orders += [(field, last) for field in sorted(ranges) if field not in dict(orders)]
    ordered = tuple(order for order in orders if order[0] != "__name__" and order[0] not in equal)
    assert all(direction == last for field, direction in orders if field == "__name__")
    scope = GROUP if source.all_descendants else COLLECTION
    return Need(source.collection_id, scope, frozenset(equal), ordered, frozenset(contains))


def _leaves(where: Any) -> Iterator[Any]:
    kind = where.WhichOneof("filter_type")
    if kind == "composite_filter":
        for inner in where.composite_filter.filters:
            yield from _leaves(inner)
    elif kind is not None:
        yield where


@dataclass(frozen=True)
class Composite:
    group: str
    scope: str
    fields: Ordered

    def serves(self, need: Need) -> bool:
        if (self.group, self.scope) != (need.group, need.scope) or need.contains:
            return False
        head, tail = self.fields[: len(need.equal)], self.fields[len(need.equal) :]
        return {field for field, _ in head} == need.equal and tail == need.ordered


@dataclass(frozen=True)
class Indexes:
    """A firestore.indexes.json: `overrides` are by (group, field) the (scope, direction) that it has."""

    composites: frozenset[Composite]
    overrides: Mapping[tuple[str, str], frozenset[tuple[str, str]]]
    ttl: frozenset[tuple[str, str]]

    @classmethod
    def read(cls, file: Mapping[str, Any]) -> "Indexes":
        composites = [
            Composite(
                entry["collectionGroup"],
                entry["queryScope"],
                tuple((field["fieldPath"], field["order"]) for field in entry["fields"]),
            )
            for entry in file["indexes"]
        ]
        assert len(set(composites)) == len(composites), "an index is there twice"
        overrides = {
            (entry["collectionGroup"], entry["fieldPath"]): frozenset(
                (index["queryScope"], index.get("order") or index["arrayConfig"]) for index in entry["indexes"]
            )
            for entry in file["fieldOverrides"]
        }
        assert len(overrides) == len(file["fieldOverrides"]), "a field is overridden twice"
        ttl = {(e["collectionGroup"], e["fieldPath"]) for e in file["fieldOverrides"] if e.get("ttl")}
        return cls(frozenset(composites), overrides, frozenset(ttl))

    def serving(self, need: Need) -> frozenset[Composite]:
        return frozenset(composite for composite in self.composites if composite.serves(need))

    def singles(self, need: Need) -> frozenset[tuple[str, str, str, str]]:
        """The single-field indexes that a need can be met with: (group, field, scope, direction)."""
        wanted = [(field, (ASC, DESC)) for field in need.equal] + [(field, (way,)) for field, way in need.ordered]
        wanted += [(field, (CONTAINS,)) for field in need.contains]
        return frozenset(
            (need.group, field, need.scope, way)
            for field, ways in wanted
            for way in ways
            if (need.scope, way) in self._single(need.group, field)
        )

    def meets(self, need: Need) -> bool:
        if self.serving(need):
            return True
        fields = need.equal | need.contains | {field for field, _ in need.ordered}
        return not need.composite and {field for _, field, _, _ in self.singles(need)} == fields

    def _single(self, group: str, field: str) -> frozenset[tuple[str, str]]:
        # Without an override a field has both directions, for its collection, and the members of its array.
        return self.overrides.get((group, field), frozenset((COLLECTION, way) for way in (ASC, DESC, CONTAINS)))
