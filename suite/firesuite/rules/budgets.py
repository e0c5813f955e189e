"""How much a condition may cost: documents read by get() and exists(), expressions evaluated."""

import re
from functools import reduce

from firesuite.rules.syntax import Allow, Binary, Call, Expr, Function, Name, Scope
from firesuite.rules.unparse import unparse_expression

_ACCESS = ("get", "exists", "getAfter", "existsAfter")


def document_accesses(allow: Allow, scope: Scope) -> set[str]:
    """The paths of documents that a condition may read, as text; the same path counts once, as in Firestore."""
    found: set[str] = set()
    seen: set[tuple[int, tuple[str, ...]]] = set()
    todo: list[tuple[Expr, dict[str, str]]] = [(allow.condition, {})] if allow.condition else []
    while todo:
        root, names = todo.pop()
        for node in root.walk():
            if not isinstance(node, Call) or not isinstance(node.callee, Name):
                continue
            arguments = tuple(_substituted(argument, names) for argument in node.arguments)
            function = scope.functions.get(node.callee.name)
            if function and (id(function), arguments) not in seen:
                seen.add((id(function), arguments))
                bound = dict(zip((parameter.name for parameter in function.parameters), arguments, strict=False))
                todo.extend((expression, bound) for expression in function.expressions())
            elif function is None and node.callee.name in _ACCESS and arguments:
                found.add(arguments[0])
    return found


def _substituted(expression: Expr, names: dict[str, str]) -> str:
    text = unparse_expression(expression)
    return reduce(lambda given, name: re.sub(rf"(?<![\w.]){name}\b", f"{names[name]}", given), names, text)


def expression_count(allow: Allow, scope: Scope) -> int:
    """Expressions evaluated at most, counted as production was seen to: one each, two for `&&` and `||`."""
    costs: dict[int, int] = {}
    return _cost(allow.condition, scope.functions, costs) if allow.condition else 0


def _cost(root: Expr, functions: dict[str, Function], costs: dict[int, int]) -> int:
    total = 0
    for node in root.walk():
        total += 1
        if isinstance(node, Binary) and node.operator in ("&&", "||"):
            total += 1
        elif isinstance(node, Call) and isinstance(node.callee, Name) and node.callee.name in functions:
            function = functions[node.callee.name]
            # A stack of functions is at most 21 deep, and `check` has refused recursion.
            if id(function) not in costs:
                costs[id(function)] = sum(_cost(inner, functions, costs) for inner in function.expressions())
            total += costs[id(function)]
    return total
