"""Why a request was allowed or denied: the rules that were asked, and what each part of their conditions came to."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from firesuite.rules.client import Outcome
from firesuite.rules.source import Source
from firesuite.rules.syntax import (
    Allow,
    Binary,
    Call,
    Expr,
    Function,
    Literal,
    Name,
    Ruleset,
    Scope,
    Segment,
    Unary,
    operands,
    scopes,
)
from firesuite.rules.trace import Decision, Values
from firesuite.rules.unparse import path_text

# fireemu's names for the document of a list and for what stands before a collection group.
_PLACEHOLDERS = re.compile(r"fireemu-(placeholder|any-prefix)")
# An update of a document that is not there is judged as a create.
_KIND = {"get": "get", "list": "list", "create": "write", "update": "write", "delete": "delete"}
_NO_TRACE = "(this engine does not tell which expression decided; fireemu does)"


@dataclass(frozen=True)
class Step:
    """One line of an explanation; `level` indents it."""

    level: int
    line: int
    text: str


def explain(outcome: Outcome, source: Source, ruleset: Ruleset, *, failing: bool = False) -> str:
    """The explanation of a request that has just been made; with `failing` only what was not true."""
    verdict = "allowed" if outcome.allowed else "denied"
    decision = find_decision(outcome)
    method = decision.method if decision else outcome.request.method
    path = decision.path if decision else outcome.request.target
    lines = [f"{outcome.request}: {verdict}"]
    if decision is None and outcome.message:
        lines.append(f"  the engine says: {outcome.message}")
    if method is None:
        return "\n".join([*lines, f"  {_NO_TRACE}"])
    path = path.partition(" ")[0]
    found = list(matching(ruleset, path, method, collection=decision is None and method == "list"))
    shown = _PLACEHOLDERS.sub("*", path)
    if not found:
        lines.append(f"  no rule is for {method} of {shown}, and what no rule allows is denied")
    for scope, allow in found:
        text = " ".join(source.text[allow.start : allow.end].split())
        line = source.line_of(allow.start)
        lines.append(f"  {source.name}:{line} in match {path_text(scope.segments)}: {text}")
        if decision and allow.condition:
            found_steps = steps(allow.condition, decision.values(), scope.functions, source, failing=failing)
            lines += [f"    {'  ' * step.level}line {step.line}: {step.text}" for step in found_steps]
    if found and decision is None:
        lines.append(f"  {_NO_TRACE}")
    return "\n".join(lines)


def find_decision(outcome: Outcome) -> Decision | None:
    """The newest decision that is of this request; of several checks in one request the one that denied."""
    request = outcome.request
    for decision in outcome.engine.decisions() or ():
        if decision.allowed != outcome.allowed or (decision.uid != request.caller.uid and request.caller.token is None):
            continue
        if request.method is None or _KIND[decision.method] == _KIND[request.method]:
            return decision
    return None


def matching(ruleset: Ruleset, path: str, method: str, *, collection: bool = False) -> Iterator[tuple[Scope, Allow]]:
    """The allow statements that are for `method` of the document `path`, or of any document of that collection."""
    names = ["databases", "(default)", "documents", *path.split("/")] + (["*"] if collection else [])
    for scope in scopes(ruleset):
        if matches(scope.segments, names):
            yield from ((scope, allow) for allow in scope.match.allows if method in allow.kinds())


def matches(segments: tuple[Segment, ...], names: list[str]) -> bool:
    """Whether a full match path covers a document's path. A recursive wildcard takes any number, none included."""
    for index, segment in enumerate(segments):
        if segment.recursive:
            rest = segments[index + 1 :]
            return any(matches(rest, names[taken:]) for taken in range(index, len(names) - len(rest) + 1))
        if index >= len(names) or (not segment.wildcard and segment.text != names[index]):
            return False
    return len(segments) == len(names)


def steps(
    condition: Expr, values: Values, functions: dict[str, Function], source: Source, *, failing: bool
) -> Iterator[Step]:
    """What a condition came to, down to the comparisons and through the functions it calls.

    With `failing` only the parts that were not true.
    """
    stack: list[tuple[Expr, int]] = [(condition, 0)]
    while stack:
        node, level = stack.pop()
        seen = values.of(node, source)
        if failing and seen and all(value.true for value in seen):
            continue
        came_to = " or ".join(f"error: {value.error}" if value.error else value.shown for value in seen)
        line = source.line_of(node.start)
        yield Step(level, line, f"{_text(node, source)}  ->  {came_to or 'not evaluated'}")
        if isinstance(node, Binary) and node.operator not in ("&&", "||"):
            yield from _operands(node, values, source, level + 1)
        stack.extend((child, level + 1) for child in reversed(_parts(node, functions)) if values.of(child, source))


def _parts(node: Expr, functions: dict[str, Function]) -> list[Expr]:
    """What an expression's value is made of: operands of logic, and the functions called below anything else."""
    if isinstance(node, Binary) and node.operator in ("&&", "||"):
        return list(operands(node))
    if isinstance(node, Unary) and node.operator == "!":
        return [node.operand]
    called = (found.callee for found in node.walk() if isinstance(found, Call))
    names = [callee.name for callee in called if isinstance(callee, Name) and callee.name in functions]
    return [root for name in names for root in functions[name].expressions()]


def _operands(node: Binary, values: Values, source: Source, level: int) -> Iterator[Step]:
    for operand in node.children():
        shown = [value.shown for value in values.of(operand, source) if value.error is None]
        if shown and not isinstance(operand, Literal):
            yield Step(level, source.line_of(operand.start), f"{_text(operand, source)} = {' or '.join(shown)}")


def _text(node: Expr, source: Source) -> str:
    return " ".join(source.text[node.outer_start : node.outer_end].split())
