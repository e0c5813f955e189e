"""Which expressions of the rules the tests evaluated, and to what."""

from collections.abc import Iterator
from dataclasses import dataclass

from firesuite.rules.source import Source
from firesuite.rules.syntax import Binary, Call, Expr, Literal, Member, Name, Ruleset, conditions, operands
from firesuite.rules.trace import Dialect, Seen, Values


@dataclass(frozen=True)
class Expression:
    """One expression and the values it took over all requests; none means never evaluated."""

    node: Expr
    seen: tuple[Seen, ...]

    @property
    def covered(self) -> bool:
        return bool(self.seen)


@dataclass(frozen=True)
class Coverage:
    """Every expression of a file that an engine can report."""

    source: Source
    expressions: tuple[Expression, ...]

    @property
    def missing(self) -> list[Expression]:
        """Outermost expressions that were never evaluated, in source order."""
        missing = [expression for expression in self.expressions if not expression.covered]
        return [item for item in missing if not any(_inside(item.node, other.node) for other in missing)]

    @property
    def percent(self) -> float:
        """100.0 where there is nothing to cover."""
        covered = sum(expression.covered for expression in self.expressions)
        return 100.0 * covered / len(self.expressions) if self.expressions else 100.0

    def figure(self) -> str:
        covered = sum(expression.covered for expression in self.expressions)
        return f"{self.source.name}: {covered} of {len(self.expressions)} expressions covered ({self.percent:.1f} %)"

    def summary(self) -> str:
        """For a terminal: the figure, then a line for each place that was never evaluated."""
        lines = [self.figure()]
        for expression in self.missing:
            node = expression.node
            line, column = self.source.position(node.start)
            text = " ".join(self.source.text[node.outer_start : node.outer_end].split())
            lines.append(f"  {self.source.name}:{line}:{column}: never evaluated: {text}")
        return "\n".join(lines)


def measure(ruleset: Ruleset, source: Source, runs: list[Values], dialect: Dialect) -> Coverage:
    """Coverage over one or several runs of the same rules."""
    found = []
    for root in conditions(ruleset):
        found += [
            Expression(node, tuple(seen for values in runs for seen in values.of(node, source)))
            for node in reportable(root, dialect)
        ]
    return Coverage(source, tuple(sorted(found, key=lambda expression: (expression.node.start, -expression.node.end))))


def reportable(root: Expr, dialect: Dialect) -> Iterator[Expr]:
    """The expressions below `root` that have a value of their own in a report.

    The name that a call calls has none, nor has a package (`math`), nor the inner part of a chain of `&&`. Google's
    emulator reports no literals.
    """
    stack = [root]
    while stack:
        node = stack.pop()
        if not (dialect is Dialect.GOOGLE and isinstance(node, Literal)):
            yield node
        if isinstance(node, Call):
            stack.extend(node.arguments)
            # `a.b(c)`: `a` has a value, `a.b` has none.
            if isinstance(node.callee, Member) and not _package(node.callee.target):
                stack.append(node.callee.target)
        elif isinstance(node, Binary):
            stack.extend(operands(node))
        else:
            stack.extend(node.children())


def _package(node: Expr) -> bool:
    return isinstance(node, Name) and node.name in ("math", "duration", "timestamp", "latlng", "hashing", "debug")


def _inside(inner: Expr, outer: Expr) -> bool:
    return inner is not outer and outer.start <= inner.start and inner.end <= outer.end
