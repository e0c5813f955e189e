"""What is wrong with rules on sight.

| code | finding |
| --- | --- |
| `unreachable-allow` | an allow that never decides: no document's path, `false`, or allowed by another |
| `unbounded-list` | a list without a bound on `request.query.limit` |
| `allow-write` | `write`, which is create, update and delete |
| `unprovable-query` | a list on condition of what no query can prove |
| `get-budget` | more documents read than a request may read |
| `expression-budget` | more expressions than a request may evaluate |
| `unvalidated-fields` | a create or update that does not say which fields may be written |
| `unknown-name` | a name that nothing binds: an error each time it is evaluated |
| `unknown-method` | `allow` of a method that there is not |
| `missing-semicolon` | a statement that does not end |

`// lint: ignore(code): reason` at the end of a line, or on the lines before it, takes a finding back.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from firesuite.rules.budgets import document_accesses, expression_count
from firesuite.rules.check import PACKAGES
from firesuite.rules.proofs import unprovable
from firesuite.rules.relevance import reachable
from firesuite.rules.source import RulesSyntaxError, Source
from firesuite.rules.syntax import (
    METHODS,
    Allow,
    Binary,
    Call,
    Expr,
    Function,
    Literal,
    Member,
    Name,
    Ruleset,
    Scope,
    Segment,
    all_functions,
    marked_line,
    scopes,
)
from firesuite.rules.unparse import path_text

CODES = (
    *("unreachable-allow", "unbounded-list", "allow-write", "unprovable-query", "get-budget"),
    *("expression-budget", "unvalidated-fields", "unknown-name", "unknown-method", "missing-semicolon"),
)
_IGNORE = re.compile(r"lint:\s*ignore\(\s*([a-z-]+)\s*\)\s*:?\s*(.*)", re.DOTALL)
_FUNCTIONS = frozenset(
    (
        *("get", "getAfter", "exists", "existsAfter"),
        *("int", "float", "string", "bool", "path", "bytes", "debug", "duration", "latlng", "timestamp"),
    )
)
MAX_EXPRESSIONS = 1000


@dataclass(frozen=True, order=True)
class Finding:
    line: int
    column: int
    code: str
    message: str

    def text(self, source: Source) -> str:
        return f"{source.name}:{self.line}:{self.column}: {self.code}: {self.message}"


def lint(ruleset: Ruleset, source: Source) -> list[Finding]:
    """Findings in source order. Raises `RulesSyntaxError` for an `ignore` of an unknown code or without a reason."""
    ignored = _ignored(ruleset, source)
    found = []
    for offset, code, message in {*_allow_findings(ruleset, source), *_name_findings(ruleset)}:
        line, column = source.position(offset)
        if (line, code) not in ignored:
            found.append(Finding(line, column, code, message))
    return sorted(found)


def _ignored(ruleset: Ruleset, source: Source) -> set[tuple[int, str]]:
    found = set()
    for comment in ruleset.comments:
        if match := _IGNORE.search(comment.text):
            code, reason = match.groups()
            if code not in CODES:
                raise RulesSyntaxError(f"'{code}' is no finding: use one of {', '.join(CODES)}.", source, comment.start)
            if not reason.strip():
                raise RulesSyntaxError("An ignored finding needs a reason after its colon.", source, comment.start)
            found.add((marked_line(comment, ruleset, source), code))
    return found


def _allow_findings(ruleset: Ruleset, source: Source) -> Iterator[tuple[int, str, str]]:
    everything = list(scopes(ruleset))
    for scope in everything:
        for allow in scope.match.allows:
            if not source.text[: allow.end].endswith(";"):
                yield allow.start, "missing-semicolon", "the statement has no ';' at its end: fireemu refuses the file"
            for method in set(allow.methods) - METHODS.keys():
                yield allow.methods_start, "unknown-method", f"'{method}' is no method, and allows nothing"
            if reason := _unreachable(allow, scope, everything):
                yield allow.start, "unreachable-allow", reason
                continue
            for code, message in _about(allow, scope):
                yield allow.start, code, message
            if allow.condition and "list" in allow.kinds():
                for node, reason in unprovable(allow.condition, scope):
                    yield node.start, "unprovable-query", f"in a list {reason}"


def _about(allow: Allow, scope: Scope) -> Iterator[tuple[str, str]]:
    kinds = allow.kinds()
    roots = [allow.condition] if allow.condition else []
    roots += [root for function in reachable(allow, scope) for root in function.expressions()]
    if "list" in kinds and not any(_bounds_limit(root) for root in roots):
        yield "unbounded-list", "a query may ask for every document: demand e.g. request.query.limit <= 100"
    if "write" in allow.methods:
        yield "allow-write", "'write' is create, update and delete: name those that are meant"
    if kinds & {"create", "update"} and not any(_names_fields(root) for root in roots):
        how = "keys().hasOnly([...]) in a create, .diff(resource.data).affectedKeys().hasOnly([...]) in an update"
        yield "unvalidated-fields", f"any field may be written: bound them, by request.resource.data.{how}"
    # Measured: production lets a query read 20 documents, any other request 10; fireemu lets all read 10.
    accesses = document_accesses(allow, scope)
    allowed = 20 if kinds == {"list"} else 10
    if len(accesses) > allowed:
        yield "get-budget", f"it reads up to {len(accesses)} documents, a request may read {allowed}"
    if (count := expression_count(allow, scope)) > MAX_EXPRESSIONS:
        yield "expression-budget", f"it evaluates up to {count} expressions, a request may evaluate {MAX_EXPRESSIONS}"


def _bounds_limit(root: Expr) -> bool:
    for node in root.walk():
        if isinstance(node, Binary) and node.operator in ("<", "<=", "==", ">", ">="):
            for side in (node.left, node.right):
                if isinstance(side, Member) and side.name == "limit" and isinstance(side.target, Member):
                    return side.target.name == "query"
    return False


def _names_fields(root: Expr) -> bool:
    """Whether some set of keys is compared with a list: by hasOnly, or as a whole."""
    called = (node.callee for node in root.walk() if isinstance(node, Call))
    return any(isinstance(callee, Member) and callee.name == "hasOnly" for callee in called)


def _unreachable(allow: Allow, scope: Scope, everything: list[Scope]) -> str | None:
    if isinstance(allow.condition, Literal) and allow.condition.text == "false":
        return "its condition is false: what no rule allows is denied anyway"
    prefix, rest = scope.segments[:3], scope.segments[3:]
    if len(prefix) < 3 or prefix[0].text != "databases" or prefix[2].text != "documents":
        if not any(segment.recursive for segment in prefix):
            start = "/databases/{database}/documents"
            return f"{path_text(scope.segments)} is no path of Firestore: those start with {start}"
    elif len(rest) % 2 and not any(segment.recursive for segment in rest):
        return f"{path_text(rest)} names a collection: rules are for documents, such as {path_text(rest)}/{{id}}"
    for other in everything:
        for wider in other.match.allows:
            free = wider.condition is None or (isinstance(wider.condition, Literal) and wider.condition.text == "true")
            if (
                wider is not allow
                and free
                and allow.kinds() <= wider.kinds()
                and _covers(other.segments, scope.segments)
            ):
                if (
                    _covers(scope.segments, other.segments)
                    and allow.kinds() == wider.kinds()
                    and allow.start < wider.start
                ):
                    continue
                return f"'{', '.join(wider.methods)}' of {path_text(other.segments)} is allowed without condition"
    return None


def _covers(wide: tuple[Segment, ...], narrow: tuple[Segment, ...]) -> bool:
    """Whether every path of `narrow` is one of `wide`."""
    for index, segment in enumerate(wide):
        if segment.recursive:
            return index == len(wide) - 1
        if index >= len(narrow) or narrow[index].recursive:
            return False
        if not segment.wildcard and (narrow[index].wildcard or narrow[index].text != segment.text):
            return False
    return len(wide) == len(narrow)


def _name_findings(ruleset: Ruleset) -> Iterator[tuple[int, str, str]]:
    known = {function.name: function for function in all_functions(ruleset)}
    for function in all_functions(ruleset):
        bound = {parameter.name for parameter in function.parameters} | {let.name for let in function.lets}
        for root in function.expressions():
            yield from _unknown(root, bound | _wildcards_around(function, ruleset), known)
    for scope in scopes(ruleset):
        for allow in scope.match.allows:
            if allow.condition:
                yield from _unknown(allow.condition, _wildcards(scope), known)


def _wildcards(scope: Scope) -> set[str]:
    return {segment.text for segment in scope.segments if segment.wildcard}


def _wildcards_around(function: Function, ruleset: Ruleset) -> set[str]:
    around = (scope for scope in scopes(ruleset) if scope.match.start < function.start < scope.match.end)
    return {name for scope in around for name in _wildcards(scope)}


def _unknown(root: Expr, bound: set[str], known: dict[str, Function]) -> Iterator[tuple[int, str, str]]:
    callees = {id(node.callee): node for node in root.walk() if isinstance(node, Call)}
    for node in root.walk():
        if not isinstance(node, Name):
            continue
        if call := callees.get(id(node)):
            if node.name not in known and node.name not in _FUNCTIONS:
                yield node.start, "unknown-name", f"no function is named '{node.name}'"
            elif node.name in known and len(known[node.name].parameters) != len(call.arguments):
                wanted = len(known[node.name].parameters)
                yield node.start, "unknown-name", f"{node.name}() takes {wanted} arguments, not {len(call.arguments)}"
        elif node.name not in bound and node.name not in PACKAGES and node.name not in ("request", "resource"):
            yield node.start, "unknown-name", f"nothing is named '{node.name}'"
