"""What an engine tells of its evaluation, tied to the expressions of our tree."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Self

from firesuite.rules.source import Source
from firesuite.rules.syntax import (
    Binary,
    Call,
    Expr,
    Index,
    Member,
    Slice,
    Ternary,
    TypeTest,
    Unary,
)

Extent = tuple[int, int]
"""Start and end (exclusive) of an expression, in characters."""


class Dialect(Enum):
    """How an engine names the place of an expression."""

    # Offsets in bytes, the end exclusive; an operand's parentheses belong to nobody.
    FIREEMU = "fireemu"
    # Offsets in code points, the end inclusive; literals are not reported.
    GOOGLE = "google"


@dataclass(frozen=True)
class Seen:
    """One value that an expression took. `shown` is for people; `error` is why there is none."""

    shown: str
    error: str | None = None
    count: int = 1

    @property
    def true(self) -> bool:
        return self.shown == "true"


@dataclass(frozen=True)
class Decision:
    """One request as the rules decided it."""

    sequence: int
    method: str
    path: str
    uid: str | None
    allowed: bool
    reason: str
    expressions: tuple[dict[str, Any], ...]

    @classmethod
    def of(cls, entry: Mapping[str, Any]) -> Self:
        """From one entry of fireemu's `rules/requests`."""
        return cls(
            sequence=entry["sequence"],
            method=entry["method"],
            path=entry["path"],
            uid=entry.get("uid"),
            allowed=entry["allowed"],
            reason=entry["reason"],
            expressions=tuple(entry["expressions"]),
        )

    def values(self) -> "Values":
        return Values({_extent_of(entry): _seen(entry) for entry in self.expressions}, Dialect.FIREEMU)


class Values:
    """Values by the place of their expression, as one engine counts places."""

    def __init__(self, seen: dict[Extent, tuple[Seen, ...]], dialect: Dialect) -> None:
        self._seen = seen
        self._dialect = dialect

    def of(self, expression: Expr, source: Source) -> tuple[Seen, ...]:
        """The values `expression` took; none where it was not evaluated or the engine does not report it."""
        start, end = extent(expression, self._dialect)
        if self._dialect is Dialect.FIREEMU:
            start, end = source.byte_offset(start), source.byte_offset(end)
        else:
            end -= 1
        return self._seen.get((start, end), ())


def coverage_values(report: list[dict[str, Any]], dialect: Dialect) -> Values:
    """All nodes of a `:ruleCoverage` report."""
    seen: dict[Extent, tuple[Seen, ...]] = {}
    stack = list(report)
    while stack:
        node = stack.pop()
        stack.extend(node.get("children", ()))
        position = node["sourcePosition"]
        key = (position.get("currentOffset", 0), position.get("endOffset", 0))
        seen[key] = seen.get(key, ()) + _seen(node)
    return Values(seen, dialect)


def extent(expression: Expr, dialect: Dialect) -> Extent:
    """Where `dialect` says that the expression is, in characters, end exclusive."""
    if dialect is Dialect.GOOGLE:
        return expression.start, expression.end
    return _inner_start(expression), _inner_end(expression)


def _inner_start(expression: Expr) -> int:
    while True:
        match expression:
            case Binary(left=first) | Ternary(condition=first) | TypeTest(operand=first) | Call(callee=first):
                expression = first
            case Member(target=first) | Index(target=first) | Slice(target=first):
                expression = first
            case _:
                return expression.start


def _inner_end(expression: Expr) -> int:
    while True:
        match expression:
            case Binary(right=last) | Ternary(otherwise=last) | Unary(operand=last):
                expression = last
            case _:
                return expression.end


def _extent_of(entry: dict[str, Any]) -> Extent:
    return entry["currentOffset"], entry["endOffset"]


def _seen(entry: dict[str, Any]) -> tuple[Seen, ...]:
    shown = (_shown(item["value"], item.get("count", 1)) for item in entry.get("values", ()))
    return tuple(seen for seen in shown if seen)


def _shown(value: dict[str, Any], count: int) -> Seen | None:
    """A value of either report: `{kind: ...}` of a request trace, `{boolValue: ...}` of a coverage report.

    None for `{}` (Google: a branch that was passed over) and `{"undefined": {}}` (its pass before the document).
    """
    content = {name: item for name, item in value.items() if name != "kind"}
    if value.get("kind") == "null" or "nullValue" in content:
        return Seen("null", count=count)
    cause = content.get("cause") or content.get("undefined")
    if cause:
        message = cause.get("message") or cause.get("causeMessage")
        return Seen("error", error=message, count=count)
    if not content or "undefined" in content:
        return None
    name, item = next(iter(content.items()))
    if name in ("string", "stringValue"):
        return Seen(repr(item), count=count)
    if name in ("bool", "boolValue", "int", "intValue", "float", "floatValue"):
        return Seen(str(item).lower(), count=count)
    return Seen(f"a {item if name in ('type', 'typeValue') else name.removesuffix('Value')}", count=count)
