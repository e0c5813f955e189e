"""What a query can prove. Rules judge a list by the query's constraints, not by the documents it would find.

A comparison of a field with something else is proven by a constraint on that field. Nothing proves what is asked of a
document as a whole (`'x' in resource.data`, `keys()`), of its name, or of a computation with a field.
"""

from collections.abc import Iterator
from enum import Enum

from firesuite.rules.syntax import (
    Binary,
    Call,
    Expr,
    Index,
    Literal,
    Member,
    Name,
    PathLiteral,
    Scope,
    Ternary,
    Unary,
)

_LOGIC = ("&&", "||", "==", "!=", "<", "<=", ">", ">=", "in")


class Kind(Enum):
    RESOURCE = "the document"
    DATA = "its data"
    FIELD = "a field"
    IDENTITY = "its name"


Bindings = dict[str, Kind | None]


def unprovable(condition: Expr, scope: Scope) -> Iterator[tuple[Expr, str]]:
    """Expressions of a list's condition that no query proves, and why; also those in functions it calls."""
    last = scope.segments[-1]
    start: Bindings = {"resource": Kind.RESOURCE, **({last.text: Kind.IDENTITY} if last.wildcard else {})}
    todo: list[tuple[Expr, Bindings]] = [(condition, start)]
    seen: set[tuple[int, tuple[Kind | None, ...]]] = set()
    while todo:
        root, names = todo.pop()
        for node, parent in _with_parents(root):
            if isinstance(node, Call) and isinstance(node.callee, Name):
                function = scope.functions.get(node.callee.name)
                kinds = tuple(_kind(argument, names, scope) for argument in node.arguments)
                if function and (id(function), kinds) not in seen:
                    seen.add((id(function), kinds))
                    bound: Bindings = {**start}
                    bound |= dict(zip((parameter.name for parameter in function.parameters), kinds, strict=False))
                    bound |= {let.name: _kind(let.value, bound, scope) for let in function.lets}
                    todo.extend((expression, bound) for expression in function.expressions())
            if isinstance(parent, Member | Index) and _kind(parent, names, scope) is not None:
                continue
            kind = _kind(node, names, scope)
            if kind and (reason := _reason(node, kind, parent, scope)):
                yield node, reason


def _with_parents(root: Expr) -> Iterator[tuple[Expr, Expr | None]]:
    stack: list[tuple[Expr, Expr | None]] = [(root, None)]
    while stack:
        node, parent = stack.pop()
        yield node, parent
        stack.extend((child, node) for child in node.children())


def _kind(node: Expr, names: Bindings, scope: Scope) -> Kind | None:
    """What of the document an expression is; None where it is no plain part of it."""
    path: list[str] = []
    while True:
        if isinstance(node, Member):
            path.append(node.name)
            node = node.target
        elif isinstance(node, Index) and isinstance(node.index, Literal) and node.index.text[0] in "'\"":
            path.append(node.index.text)
            node = node.target
        elif isinstance(node, Call) and isinstance(node.callee, Name) and node.callee.name in scope.functions:
            # A function that stands for a part of the document, such as `function data() { return resource.data; }`.
            function = scope.functions[node.callee.name]
            if function.parameters:
                return None
            node, names = function.body, {"resource": Kind.RESOURCE}
        else:
            break
    kind = names.get(node.name) if isinstance(node, Name) else None
    for name in reversed(path):
        if kind is Kind.RESOURCE:
            kind = {"data": Kind.DATA, "id": Kind.IDENTITY, "__name__": Kind.IDENTITY}.get(name)
        elif kind is Kind.DATA:
            kind = Kind.FIELD
        elif kind is Kind.IDENTITY:
            kind = None
    return kind


def _reason(node: Expr, kind: Kind, parent: Expr | None, scope: Scope) -> str | None:
    if kind is Kind.IDENTITY:
        return "the name of the document is not known: no query but one for that name proves it"
    passed_on = isinstance(parent, Call) and isinstance(parent.callee, Name) and parent.callee.name in scope.functions
    if passed_on or parent is None or isinstance(parent, PathLiteral | Ternary):
        return None
    if isinstance(parent, Call) and node is parent.callee and isinstance(node, Member):
        return f"nothing proves what '{node.name}()' says of a stored document: compare the field itself"
    if isinstance(parent, Binary) and parent.operator == "in" and kind is Kind.DATA:
        return "nothing proves which fields a stored document has: compare the field itself"
    if kind is Kind.FIELD and not (
        (isinstance(parent, Binary) and parent.operator in _LOGIC)
        or (isinstance(parent, Unary) and parent.operator == "!")
    ):
        return "only an equality proves a computation with a field: compare the field itself"
    return None
