"""What production refuses although it parses: names bound twice, recursion, and the bounds on functions and paths."""

from collections.abc import Iterator

from firesuite.rules.source import RulesSyntaxError, Source
from firesuite.rules.syntax import (
    Call,
    Expr,
    Function,
    Member,
    Name,
    Ruleset,
    Segment,
    all_functions,
    conditions,
    scopes,
)

# Measured against production: 21 functions on a stack compile, 22 do not; 11 bindings and 7 arguments at most.
MAX_CALL_STACK = 21
MAX_LETS = 11
MAX_PARAMETERS = 7
PACKAGES = frozenset(("duration", "hashing", "latlng", "math", "timestamp"))


def check(ruleset: Ruleset, source: Source) -> None:
    """Raises `RulesSyntaxError` at the first place that production would refuse."""
    for offset, message in sorted(_problems(ruleset)):
        raise RulesSyntaxError(message, source, offset)


def _problems(ruleset: Ruleset) -> Iterator[tuple[int, str]]:
    yield from _bound_names(ruleset)
    for function in all_functions(ruleset):
        yield from _function_problems(function)
    for scope in scopes(ruleset):
        yield from _duplicates(scope.match.functions)
        yield from _path_problems(scope.match.segments, scope.segments, ruleset.version)
    for service in ruleset.services:
        yield from _duplicates(service.functions)
    yield from _duplicates(ruleset.functions)
    yield from _call_problems(ruleset)


def _duplicates(functions: tuple[Function, ...]) -> Iterator[tuple[int, str]]:
    seen = set()
    for function in functions:
        if function.name in seen:
            yield function.name_start, f"The function [{function.name}] is already declared in this block."
        seen.add(function.name)


def _function_problems(function: Function) -> Iterator[tuple[int, str]]:
    seen = set()
    bindings = [(parameter.name, parameter.start) for parameter in function.parameters]
    bindings += [(let.name, let.name_start) for let in function.lets]
    for name, offset in bindings:
        if name in seen:
            yield offset, f"The identifier [{name}] is already bound in the current scope."
        seen.add(name)
    if len(function.lets) > MAX_LETS:
        yield function.lets[MAX_LETS].start, f"A function has at most {MAX_LETS} bindings."
    if len(function.parameters) > MAX_PARAMETERS:
        yield function.parameters[MAX_PARAMETERS].start, f"A function has at most {MAX_PARAMETERS} parameters."


def _path_problems(
    own: tuple[Segment, ...], full: tuple[Segment, ...], version: str | None
) -> Iterator[tuple[int, str]]:
    recursive = [segment for segment in full if segment.recursive]
    if len(recursive) > 1 and recursive[-1] in own:
        message = "Invalid glob match expression. Only one glob match is permitted in a match declaration path."
        yield recursive[-1].start, message
    if version != "2":
        for segment in own:
            if segment.recursive and segment is not full[-1]:
                yield segment.start, "Under rules_version '1' a recursive wildcard stands at the end of a path."


def _bound_names(ruleset: Ruleset) -> Iterator[tuple[int, str]]:
    """Package names as variables, where they are bound and where they are read."""
    message = "{} is a package and cannot be used as variable name."
    bound = [(p.name, p.start) for function in all_functions(ruleset) for p in function.parameters]
    bound += [(let.name, let.name_start) for function in all_functions(ruleset) for let in function.lets]
    bound += [(s.text, s.start + 2) for scope in scopes(ruleset) for s in scope.match.segments if s.wildcard]
    yield from ((offset, message.format(name)) for name, offset in bound if name in PACKAGES)
    for root in conditions(ruleset):
        allowed = {id(node.target) for node in root.walk() if isinstance(node, Member)}
        allowed |= {id(node.callee) for node in root.walk() if isinstance(node, Call)}
        for node in root.walk():
            if isinstance(node, Name) and node.name in PACKAGES and id(node) not in allowed:
                yield node.start, message.format(node.name)


def _calls(function: Function) -> Iterator[tuple[str, Expr]]:
    for root in function.expressions():
        for node in root.walk():
            if isinstance(node, Call) and isinstance(node.callee, Name):
                yield node.callee.name, node.callee


def _call_problems(ruleset: Ruleset) -> Iterator[tuple[int, str]]:
    """Recursion and stacks that are too deep. A name means the nearest declaration that its caller sees."""
    visible = _declarations(ruleset)
    depth: dict[int, int] = {}
    for start in all_functions(ruleset):
        stack: list[tuple[Function, Iterator[tuple[str, Expr]]]] = [(start, _calls(start))]
        active = {id(start)}
        while stack and id(start) not in depth:
            function, calls = stack[-1]
            call = next(calls, None)
            if call is None:
                below = (visible[id(function)].get(name) for name, _ in _calls(function))
                depth[id(function)] = 1 + max((depth[id(callee)] for callee in below if callee), default=0)
                if depth[id(function)] > MAX_CALL_STACK:
                    message = f"Maximum allowed call depth of {MAX_CALL_STACK - 1} is reached from [{function.name}]."
                    yield function.name_start, message
                    return
                stack.pop()
                active.discard(id(function))
                continue
            callee = visible[id(function)].get(call[0])
            if callee is None or id(callee) in depth:
                continue
            if id(callee) in active:
                yield function.name_start, "Recursive call is not allowed."
                return
            active.add(id(callee))
            stack.append((callee, _calls(callee)))


def _declarations(ruleset: Ruleset) -> dict[int, dict[str, Function]]:
    """By the identity of a function, the functions that its body sees."""
    outermost = {function.name: function for function in ruleset.functions}
    result = {id(function): outermost for function in ruleset.functions}
    for service in ruleset.services:
        visible = outermost | {function.name: function for function in service.functions}
        result |= {id(function): visible for function in service.functions}
    for scope in scopes(ruleset):
        result |= {id(function): scope.functions for function in scope.match.functions}
    return result
