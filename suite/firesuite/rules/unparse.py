"""A tree back to text that parses to the same tree."""

from firesuite.rules.expressions import BINDING
from firesuite.rules.syntax import (
    Allow,
    Binary,
    Call,
    Expr,
    Function,
    Index,
    ListLiteral,
    Literal,
    MapLiteral,
    Match,
    Member,
    Name,
    PathLiteral,
    Ruleset,
    Segment,
    Slice,
    Ternary,
    TypeTest,
    Unary,
)

_TERNARY, _UNARY, _POSTFIX = 0, 8, 9


def unparse(ruleset: Ruleset) -> str:
    """The whole file, without its comments, indented by two spaces."""
    lines = [f"rules_version = '{ruleset.version}';"] if ruleset.version else []
    for function in ruleset.functions:
        lines += _function(function, 0)
    for service in ruleset.services:
        lines.append(f"service {service.name} {{")
        lines += _items(service.functions, (), service.matches, 1)
        lines.append("}")
    return "\n".join(lines) + "\n"


def unparse_expression(expression: Expr) -> str:
    """One expression, with only the parentheses that it needs."""
    return _expression(expression, 0)


def path_text(segments: tuple[Segment, ...]) -> str:
    """A match path as written."""
    return "".join(
        f"/{{{segment.text}{'=**' if segment.recursive else ''}}}" if segment.wildcard else f"/{segment.text}"
        for segment in segments
    )


def _items(
    functions: tuple[Function, ...], allows: tuple[Allow, ...], matches: tuple[Match, ...], level: int
) -> list[str]:
    pad = "  " * level
    lines: list[str] = []
    for function in functions:
        lines += _function(function, level)
    for allow in allows:
        condition = f": if {unparse_expression(allow.condition)}" if allow.condition else ""
        lines.append(f"{pad}allow {', '.join(allow.methods)}{condition};")
    for match in matches:
        lines.append(f"{pad}match {path_text(match.segments)} {{")
        lines += _items(match.functions, match.allows, match.matches, level + 1)
        lines.append(f"{pad}}}")
    return lines


def _function(function: Function, level: int) -> list[str]:
    pad = "  " * level
    names = ", ".join(parameter.name for parameter in function.parameters)
    lines = [f"{pad}function {function.name}({names}) {{"]
    lines += [f"{pad}  let {let.name} = {unparse_expression(let.value)};" for let in function.lets]
    return [*lines, f"{pad}  return {unparse_expression(function.body)};", f"{pad}}}"]


def _binding(node: Expr) -> int:
    if isinstance(node, Ternary):
        return _TERNARY
    if isinstance(node, Binary):
        return BINDING[node.operator]
    if isinstance(node, TypeTest):
        return BINDING["is"]
    # `1.a` would be read as decimals, and a path would take what follows it for its own.
    number = isinstance(node, Literal) and node.text[0].isdigit()
    return _UNARY if isinstance(node, Unary | PathLiteral) or number else _POSTFIX


def _expression(node: Expr, needed: int) -> str:
    text = _bare(node)
    return f"({text})" if _binding(node) < needed else text


def _bare(node: Expr) -> str:  # noqa: C901, PLR0911 - one arm for each kind of expression, each a line
    match node:
        case Literal(text=text) | Name(name=text):
            return text
        case ListLiteral(items=items):
            return f"[{', '.join(map(unparse_expression, items))}]"
        case MapLiteral(entries=entries):
            return "{" + ", ".join(f"{key}: {unparse_expression(value)}" for key, value in entries) + "}"
        case PathLiteral(segments=segments):
            return "".join(f"/{s}" if isinstance(s, str) else f"/$({unparse_expression(s)})" for s in segments)
        case Member(target=target, name=name):
            return f"{_expression(target, _POSTFIX)}.{name}"
        case Index(target=target, index=index):
            return f"{_expression(target, _POSTFIX)}[{unparse_expression(index)}]"
        case Slice(target=target, first=first, last=last):
            # A ternary or a path as the first bound would swallow the colon.
            return f"{_expression(target, _POSTFIX)}[{_expression(first, _POSTFIX)}:{unparse_expression(last)}]"
        case Call(callee=callee, arguments=arguments):
            return f"{_expression(callee, _POSTFIX)}({', '.join(map(unparse_expression, arguments))})"
        case Unary(operator=operator, operand=operand):
            return operator + _expression(operand, _UNARY)
        case Binary(operator=operator, left=left, right=right):
            binding = BINDING[operator]
            return f"{_expression(left, binding)} {operator} {_expression(right, binding + 1)}"
        case TypeTest(operand=operand, type_name=type_name):
            return f"{_expression(operand, BINDING['is'])} is {type_name}"
        case Ternary(condition=condition, then=then, otherwise=otherwise):
            return f"{_expression(condition, 1)} ? {unparse_expression(then)} : {unparse_expression(otherwise)}"
    raise TypeError(f"{type(node).__name__} is no expression of the rules language.")
