"""The syntax tree of a rules file.

Every node knows its extent in the source: `start` and `end` (exclusive) are character offsets without parentheses
around the node, `outer_start` and `outer_end` with them. A mutation replaces the outer extent; a coverage report or a
request trace names one of the two, depending on the engine (see `trace.py`).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from firesuite.rules.source import Source

METHODS = {
    "get": ("get",),
    "list": ("list",),
    "create": ("create",),
    "update": ("update",),
    "delete": ("delete",),
    "read": ("get", "list"),
    "write": ("create", "update", "delete"),
}


@dataclass(frozen=True, kw_only=True)
class Node:
    start: int = field(compare=False)
    end: int = field(compare=False)


@dataclass(frozen=True, kw_only=True)
class Expr(Node):
    outer_start: int = field(default=-1, compare=False)
    outer_end: int = field(default=-1, compare=False)
    # Levels of the tree below and including this node, kept so that the parser can refuse what a walk could not.
    height: int = field(default=1, compare=False)

    def __post_init__(self) -> None:
        if self.outer_start < 0:
            object.__setattr__(self, "outer_start", self.start)
            object.__setattr__(self, "outer_end", self.end)

    def children(self) -> tuple["Expr", ...]:
        """The expressions directly below, in source order."""
        return ()

    def walk(self) -> Iterator["Expr"]:
        """This expression and all below it, in source order of their first evaluation."""
        stack: list[Expr] = [self]
        while stack:
            node = stack.pop()
            yield node
            stack.extend(reversed(node.children()))


@dataclass(frozen=True, kw_only=True)
class Literal(Expr):
    """`null`, a boolean, an int, a float or a string; `text` is its spelling."""

    text: str


@dataclass(frozen=True, kw_only=True)
class Name(Expr):
    name: str


@dataclass(frozen=True, kw_only=True)
class ListLiteral(Expr):
    items: tuple[Expr, ...]

    def children(self) -> tuple[Expr, ...]:
        return self.items


@dataclass(frozen=True, kw_only=True)
class MapLiteral(Expr):
    """Keys are kept as spelled, quotes included."""

    entries: tuple[tuple[str, Expr], ...]

    def children(self) -> tuple[Expr, ...]:
        return tuple(value for _, value in self.entries)


@dataclass(frozen=True, kw_only=True)
class PathLiteral(Expr):
    """`/a/$(b)/c`: a segment is its text, or the expression in `$(...)`."""

    segments: tuple[str | Expr, ...]

    def children(self) -> tuple[Expr, ...]:
        return tuple(segment for segment in self.segments if isinstance(segment, Expr))


@dataclass(frozen=True, kw_only=True)
class Member(Expr):
    target: Expr
    name: str

    def children(self) -> tuple[Expr, ...]:
        return (self.target,)


@dataclass(frozen=True, kw_only=True)
class Index(Expr):
    target: Expr
    index: Expr

    def children(self) -> tuple[Expr, ...]:
        return (self.target, self.index)


@dataclass(frozen=True, kw_only=True)
class Slice(Expr):
    target: Expr
    first: Expr
    last: Expr

    def children(self) -> tuple[Expr, ...]:
        return (self.target, self.first, self.last)


@dataclass(frozen=True, kw_only=True)
class Call(Expr):
    callee: Expr
    arguments: tuple[Expr, ...]

    def children(self) -> tuple[Expr, ...]:
        return (self.callee, *self.arguments)


@dataclass(frozen=True, kw_only=True)
class Unary(Expr):
    operator: str
    operand: Expr

    def children(self) -> tuple[Expr, ...]:
        return (self.operand,)


@dataclass(frozen=True, kw_only=True)
class Binary(Expr):
    """`operator_start` is where the operator stands: what a comparison's mutation replaces."""

    operator: str
    left: Expr
    right: Expr
    operator_start: int = field(compare=False)

    def children(self) -> tuple[Expr, ...]:
        return (self.left, self.right)


def operands(node: Binary) -> tuple[Expr, ...]:
    """The operands of a chain such as `a && b && c`; of any other operator the two it has.

    Evaluation reports a chain as one expression, so that its inner nodes have no value of their own.
    """
    if node.operator not in ("&&", "||"):
        return (node.left, node.right)
    found = [node.right]
    left = node.left
    while isinstance(left, Binary) and left.operator == node.operator and left.start == left.outer_start:
        found.append(left.right)
        left = left.left
    return (left, *reversed(found))


@dataclass(frozen=True, kw_only=True)
class TypeTest(Expr):
    """`operand is type_name`."""

    operand: Expr
    type_name: str

    def children(self) -> tuple[Expr, ...]:
        return (self.operand,)


@dataclass(frozen=True, kw_only=True)
class Ternary(Expr):
    condition: Expr
    then: Expr
    otherwise: Expr

    def children(self) -> tuple[Expr, ...]:
        return (self.condition, self.then, self.otherwise)


@dataclass(frozen=True, kw_only=True)
class Let(Node):
    name: str
    name_start: int = field(compare=False)
    value: Expr


@dataclass(frozen=True, kw_only=True)
class Parameter(Node):
    name: str


@dataclass(frozen=True, kw_only=True)
class Function(Node):
    name: str
    name_start: int = field(compare=False)
    parameters: tuple[Parameter, ...]
    lets: tuple[Let, ...]
    body: Expr

    def expressions(self) -> tuple[Expr, ...]:
        return (*(let.value for let in self.lets), self.body)


@dataclass(frozen=True, kw_only=True)
class Allow(Node):
    """`allow methods: if condition;`. Method words are kept as written; unknown ones are only a warning (P)."""

    methods: tuple[str, ...]
    methods_start: int = field(compare=False)
    methods_end: int = field(compare=False)
    condition: Expr | None

    def kinds(self) -> frozenset[str]:
        """Of get, list, create, update and delete those that this statement is asked for."""
        return frozenset(kind for method in self.methods for kind in METHODS.get(method, ()))


@dataclass(frozen=True, kw_only=True)
class Segment(Node):
    """One segment of a match path: literal text, `{name}` or, when `recursive`, `{name=**}`."""

    text: str
    wildcard: bool = False
    recursive: bool = False


@dataclass(frozen=True, kw_only=True)
class Match(Node):
    segments: tuple[Segment, ...]
    path_start: int = field(compare=False)
    matches: tuple["Match", ...]
    functions: tuple[Function, ...]
    allows: tuple[Allow, ...]


@dataclass(frozen=True, kw_only=True)
class Service(Node):
    name: str
    matches: tuple[Match, ...]
    functions: tuple[Function, ...]


@dataclass(frozen=True, kw_only=True)
class Comment(Node):
    text: str


@dataclass(frozen=True, kw_only=True)
class Ruleset(Node):
    version: str | None
    functions: tuple[Function, ...]
    services: tuple[Service, ...]
    comments: tuple[Comment, ...] = field(compare=False)


@dataclass(frozen=True)
class Scope:
    """A match block where it stands: its full path, and the functions it sees, nearest declaration first."""

    match: Match
    segments: tuple[Segment, ...]
    functions: dict[str, Function]


def scopes(ruleset: Ruleset) -> Iterator[Scope]:
    """Every match block, outer before inner, in source order."""
    outermost = {function.name: function for function in ruleset.functions}
    for service in ruleset.services:
        visible = outermost | {function.name: function for function in service.functions}
        stack: list[tuple[Match, tuple[Segment, ...], dict[str, Function]]]
        stack = [(match, (), visible) for match in reversed(service.matches)]
        while stack:
            match, prefix, outer = stack.pop()
            functions = outer | {function.name: function for function in match.functions}
            segments = (*prefix, *match.segments)
            yield Scope(match, segments, functions)
            stack.extend((inner, segments, functions) for inner in reversed(match.matches))


def all_functions(ruleset: Ruleset) -> Iterator[Function]:
    """Every function, in no particular scope."""
    yield from ruleset.functions
    for service in ruleset.services:
        yield from service.functions
    for scope in scopes(ruleset):
        yield from scope.match.functions


def conditions(ruleset: Ruleset) -> Iterator[Expr]:
    """Every root expression: conditions of allows, bindings and results of functions; in source order."""
    roots = [root for function in all_functions(ruleset) for root in function.expressions()]
    roots += [allow.condition for scope in scopes(ruleset) for allow in scope.match.allows if allow.condition]
    yield from sorted(roots, key=lambda root: root.start)


def marked_line(comment: Comment, ruleset: Ruleset, source: Source) -> int:
    """The line that a comment speaks of: its own, or the next that holds more than comments."""
    line = source.line_of(comment.start)
    if source.line_text(line)[: source.position(comment.start)[1] - 1].strip():
        return line
    comments = {source.line_of(found.start) for found in ruleset.comments}
    last = source.line_of(len(source.text))
    while line < last and (line in comments or not source.line_text(line).strip()):
        line += 1
    return line
