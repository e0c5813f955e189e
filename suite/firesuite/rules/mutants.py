"""Mutants: copies of a rules file with one mistake each, of the kinds that people make.

| operator | mistake |
| --- | --- |
| `drop-conjunct`, `drop-disjunct` | one part of a chain of `&&` or `||` is left out |
| `flip-comparison` | `==` for `!=`, `<` for `>=`, and so on |
| `widen-comparison` | `<=` for `<`, or a bound that is one off |
| `condition-true` | a whole condition, or the result of a function, is `true` |
| `remove-bound` | a comparison with `request.query` is gone |
| `drop-negation` | `!` is left out |
| `widen-match` | a wildcard takes whole paths, or a collection's name is any |
| `widen-method` | `read` for `get` or `list`, `write` for one of its three |
| `swap-owner` | the caller is compared with himself |
| `swap-resource` | the stored document for the written one, or the other way round |
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from firesuite.rules.source import RulesSyntaxError, Source
from firesuite.rules.syntax import (
    METHODS,
    Allow,
    Binary,
    Call,
    Expr,
    Literal,
    Member,
    Name,
    Ruleset,
    Scope,
    Unary,
    all_functions,
    marked_line,
    operands,
    scopes,
)
from firesuite.rules.unparse import path_text

OPERATORS = (
    *("drop-conjunct", "drop-disjunct", "flip-comparison", "widen-comparison", "condition-true", "remove-bound"),
    *("drop-negation", "widen-match", "widen-method", "swap-owner", "swap-resource"),
)
_FLIPPED = {"==": "!=", "!=": "==", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}
_WIDER = {"<": "<=", ">": ">="}
_OFF_BY_ONE = {"<=": 1, ">=": -1}
# What stands before the documents in every path of Firestore.
_PREFIX = 3
_MARK = re.compile(r"mutation:\s*equivalent\(\s*([a-z-]+)\s*(?:\"([^\"]*)\")?\s*\)\s*:?\s*(.*)", re.DOTALL)


@dataclass(frozen=True)
class Mutant:
    """`source[start:end]` replaced by `replacement`; `case` says in words which request would tell the two apart."""

    operator: str
    start: int
    end: int
    replacement: str
    original: str
    line: int
    case: str

    def apply(self, source: Source) -> Source:
        text = source.text[: self.start] + self.replacement + source.text[self.end :]
        return Source(text, source.name)

    def diff(self, source: Source) -> str:
        """The changed lines, before and after."""
        first, last = source.line_of(self.start), source.line_of(self.end)
        mutated = self.apply(source)
        end = mutated.line_of(self.start + len(self.replacement))
        before = [f"    - {source.line_text(line).strip()}" for line in range(first, last + 1)]
        after = [f"    + {mutated.line_text(line).strip()}" for line in range(first, end + 1)]
        return "\n".join([*before, *after])


@dataclass(frozen=True)
class Mark:
    """`// mutation: equivalent(operator "text"): reason`: mutants of a line that no request can tell apart.

    It stands at the end of the line or on the lines before it. The quoted text, where there is one, is what the
    mutant changes.
    """

    operator: str
    text: str | None
    reason: str
    line: int

    def covers(self, mutant: Mutant) -> bool:
        same = self.text is None or " ".join(self.text.split()) == " ".join(mutant.original.split())
        return same and self.operator == mutant.operator and self.line == mutant.line


def mutants(ruleset: Ruleset, source: Source) -> list[Mutant]:
    """Every mutant, in source order; of two that leave the same text only the first."""
    found = sorted(_Generator(source).all(ruleset), key=lambda mutant: (mutant.start, OPERATORS.index(mutant.operator)))
    unique: dict[str, Mutant] = {}
    for mutant in found:
        unique.setdefault(re.sub(r"\s+", "", mutant.apply(source).text), mutant)
    return list(unique.values())


def marks(ruleset: Ruleset, source: Source) -> list[Mark]:
    """The marks of a file. Raises `RulesSyntaxError` for one without a reason or with an operator there is not."""
    found = []
    for comment in ruleset.comments:
        match = _MARK.search(comment.text)
        if match is None:
            continue
        operator, text, reason = match.groups()
        if operator not in OPERATORS:
            raise RulesSyntaxError(
                f"'{operator}' is no operator: use one of {', '.join(OPERATORS)}.", source, comment.start
            )
        if not reason.strip():
            raise RulesSyntaxError("A mark needs a reason after its colon.", source, comment.start)
        found.append(Mark(operator, text, reason.strip(), marked_line(comment, ruleset, source)))
    return found


class _Generator:
    def __init__(self, source: Source) -> None:
        self.source = source

    def all(self, ruleset: Ruleset) -> Iterator[Mutant]:
        for function in all_functions(ruleset):
            where = f"a request that depends on {function.name}()"
            for root in function.expressions():
                yield from self._expression(root, where, writes=True)
            yield self._replace("condition-true", function.body, "true", f"{where} where it is false: expect deny")
        for scope in scopes(ruleset):
            yield from self._path(scope)
            for allow in scope.match.allows:
                yield from self._allow(allow, scope)

    def _allow(self, allow: Allow, scope: Scope) -> Iterator[Mutant]:
        path = path_text(scope.segments[_PREFIX:]) or "/"
        where = f"{'/'.join(allow.methods)} of {path}"
        wider = {"get": "read", "list": "read", "create": "write", "update": "write", "delete": "write"}
        methods = self.source.text[allow.methods_start : allow.methods_end]
        for method in allow.methods:
            if method in wider and not _allowed_anyway(allow, METHODS[wider[method]], scope):
                others = {"read": "get and list", "write": "create, update and delete"}[wider[method]]
                case = f"each of {others} on {path} by a caller who may {method}: expect deny where no rule allows it"
                replacement = re.sub(rf"\b{method}\b", wider[method], methods)
                extent = (allow.methods_start, allow.methods_end)
                yield self._mutant("widen-method", extent, replacement, case)
        if allow.condition is None:
            return
        writes = bool(allow.kinds() & {"create", "update"})
        yield self._replace(
            "condition-true", allow.condition, "true", f"{where} that the condition refuses: expect deny"
        )
        yield from self._expression(allow.condition, where, writes=writes)

    def _path(self, scope: Scope) -> Iterator[Mutant]:
        own = scope.match.segments
        before = len(scope.segments) - len(own)
        for index, segment in enumerate(own):
            if before + index < _PREFIX or segment.recursive:
                continue
            path = path_text(scope.segments[_PREFIX:])
            extent = (segment.start, segment.end)
            if not segment.wildcard:
                case = f"a request to {path} with another name in place of '{segment.text}': expect deny"
                yield self._mutant("widen-match", extent, "/{any}", case)
            elif not any(other.recursive for other in scope.segments):
                case = f"a request to a document below {path}: expect deny"
                yield self._mutant("widen-match", extent, f"/{{{segment.text}=**}}", case)

    def _expression(self, root: Expr, where: str, *, writes: bool) -> Iterator[Mutant]:
        for node in root.walk():
            if isinstance(node, Binary):
                yield from self._binary(node, where, conjunct=self._in_chain(node, root))
            elif isinstance(node, Unary) and node.operator == "!":
                text = self._text(node.operand)
                yield self._replace(
                    "drop-negation", node, text, f"{where} where {text} is true, and one where it is false"
                )
            elif isinstance(node, Call):
                yield from self._call(node, where)
            elif isinstance(node, (Member, Name)) and writes:
                yield from self._resource(node, where)

    def _binary(self, node: Binary, where: str, *, conjunct: bool) -> Iterator[Mutant]:
        if node.operator in ("&&", "||"):
            yield from self._chain(node, where)
            return
        left, right, text = self._text(node.left), self._text(node.right), self._text(node)
        if flipped := _FLIPPED.get(node.operator):
            case = f"{where} where {text} holds (expect allow) and where it does not (expect deny)"
            yield self._replace("flip-comparison", node, f"{left} {flipped} {right}", case)
        elif node.operator == "in":
            yield self._replace(
                "flip-comparison", node, f"!({text})", f"{where} where {text} does not hold: expect deny"
            )
        if wider := _WIDER.get(node.operator):
            case = f"{where} where {left} is exactly {right}: expect deny"
            yield self._replace("widen-comparison", node, f"{left} {wider} {right}", case)
        if node.operator in _OFF_BY_ONE and isinstance(node.right, Literal) and node.right.text.isdigit():
            bound = int(node.right.text) + _OFF_BY_ONE[node.operator]
            case = f"{where} where {left} is {bound}: expect deny"
            yield self._replace("widen-comparison", node, f"{left} {node.operator} {bound}", case)
        if "request.query." in text and not conjunct:
            yield self._replace("remove-bound", node, "true", f"{where} without the bound {text}: expect deny")
        yield from self._owner(node, where)

    def _chain(self, node: Binary, where: str) -> Iterator[Mutant]:
        parts = operands(node)
        operator = "drop-conjunct" if node.operator == "&&" else "drop-disjunct"
        for index, part in enumerate(parts):
            start = part.outer_start if index == 0 else parts[index - 1].outer_end
            end = parts[1].outer_start if index == 0 else part.outer_end
            text = self._text(part)
            case = f"{where} where {text} does not hold and all the rest does: expect deny"
            if node.operator == "||":
                case = f"{where} where only {text} holds: expect allow"
            line = self.source.line_of(part.start)
            yield Mutant(operator, start, end, "", text, line, case)

    def _owner(self, node: Binary, where: str) -> Iterator[Mutant]:
        for own, other in ((node.left, node.right), (node.right, node.left)):
            if self._text(own) == "request.auth.uid" and node.operator == "==":
                case = f"{where} by a caller who is not {self._text(other)}: expect deny"
                yield self._replace("swap-owner", other, "request.auth.uid", case)

    def _call(self, node: Call, where: str) -> Iterator[Mutant]:
        if not isinstance(node.callee, Name) or node.callee.name in ("get", "exists", "getAfter", "existsAfter"):
            return
        for argument in node.arguments:
            text = self._text(argument)
            if not isinstance(argument, Literal) and text != "request.auth.uid":
                case = f"{where} by a caller who is not {text}: expect deny"
                yield self._replace("swap-owner", argument, "request.auth.uid", case)

    def _resource(self, node: Member | Name, where: str) -> Iterator[Mutant]:
        text = self._text(node)
        if text == "request.resource":
            case = f"{where} that changes what {text} is compared for: expect deny"
            yield self._replace("swap-resource", node, "resource", case)
        elif isinstance(node, Name) and text == "resource":
            case = f"{where} whose written data would pass where the stored data does not: expect deny"
            yield self._replace("swap-resource", node, "request.resource", case)

    @staticmethod
    def _in_chain(node: Binary, root: Expr) -> bool:
        chains = (found for found in root.walk() if isinstance(found, Binary) and found.operator == "&&")
        return any(node is part for chain in chains for part in operands(chain))

    def _replace(self, operator: str, node: Expr, replacement: str, case: str) -> Mutant:
        return self._mutant(operator, (node.outer_start, node.outer_end), replacement, case)

    def _mutant(self, operator: str, extent: tuple[int, int], replacement: str, case: str) -> Mutant:
        start, end = extent
        original = self.source.text[start:end]
        return Mutant(operator, start, end, replacement, original, self.source.line_of(start), " ".join(case.split()))

    def _text(self, node: Expr) -> str:
        return self.source.text[node.outer_start : node.outer_end]


def _allowed_anyway(allow: Allow, kinds: tuple[str, ...], scope: Scope) -> bool:
    """Whether each kind that `allow` does not have yet is allowed beside it on no more than its own conditions."""
    own = _conjuncts(allow)
    added = set(kinds) - allow.kinds()
    others = [other for other in scope.match.allows if other is not allow]
    return all(
        any(kind in other.kinds() and all(part in own for part in _conjuncts(other)) for other in others)
        for kind in added
    )


def _conjuncts(allow: Allow) -> list[Expr]:
    condition = allow.condition
    if condition is None:
        return []
    return list(operands(condition)) if isinstance(condition, Binary) and condition.operator == "&&" else [condition]
