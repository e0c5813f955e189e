"""Mutation testing: would the tables notice a mistake in the rules?

Each mutant is installed on one of a few fireemu processes, and those cells of the tables that it could change are run
against it, the most successful killers first, until one comes out otherwise than it should.
"""

import contextlib
import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from firesuite.errors import SuiteError
from firesuite.rules.client import RequestFailedError
from firesuite.rules.engine import Engine, RulesRefusedError, started
from firesuite.rules.mutants import Mark, Mutant, marks, mutants
from firesuite.rules.parser import parse
from firesuite.rules.relevance import Relevance
from firesuite.rules.source import RulesSyntaxError, Source
from firesuite.rules.tables import Cell, Table
from firesuite.rules.testing import Rules


class BaselineError(SuiteError):
    """The tables do not pass on the rules as they are; the text lists the cells."""


@dataclass(frozen=True)
class Verdict:
    """What became of a mutant: `killer` is the cell that noticed it; `refused` is why it could not be installed."""

    mutant: Mutant
    killer: Cell | None = None
    refused: str | None = None
    mark: Mark | None = None

    @property
    def survived(self) -> bool:
        return self.killer is None and self.refused is None


@dataclass(frozen=True)
class Report:
    source: Source
    verdicts: Sequence[Verdict]
    marks: Sequence[Mark]
    seconds: float

    @property
    def survivors(self) -> list[Verdict]:
        """Mutants that no cell noticed and no mark explains."""
        return [verdict for verdict in self.verdicts if verdict.survived and verdict.mark is None]

    @property
    def stale_marks(self) -> list[Mark]:
        """Marks of mutants that a cell does tell apart, or that are no more."""
        used = {id(verdict.mark) for verdict in self.verdicts if verdict.survived}
        return [mark for mark in self.marks if id(mark) not in used]

    @property
    def passed(self) -> bool:
        return not self.survivors and not self.stale_marks

    def text(self) -> str:
        """For a terminal."""
        killed = sum(verdict.killer is not None for verdict in self.verdicts)
        refused = sum(verdict.refused is not None for verdict in self.verdicts)
        marked = sum(verdict.survived and verdict.mark is not None for verdict in self.verdicts)
        lines = [
            (
                f"{self.source.name}: {len(self.verdicts)} mutants in {self.seconds:.1f} s: {killed} killed,"
                f" {refused} refused by the engine, {marked} marked equivalent, {len(self.survivors)} survived"
            )
        ]
        for verdict in self.survivors:
            mutant = verdict.mutant
            lines += [
                f"\n  survived: {mutant.operator} at {self.source.name}:{mutant.line}",
                mutant.diff(self.source),
                f"    suggested case: {mutant.case}",
            ]
        for mark in self.stale_marks:
            place = f"{self.source.name}:{mark.line}"
            lines.append(f"\n  {place}: no mutant that equivalent({mark.operator}) speaks of survives: remove the mark")
        return "\n".join(lines)


@dataclass
class _Order:
    """Cells, those first that killed most, then those of callers who are allowed most. Shared by workers."""

    cells: list[Cell]
    relevance: Relevance
    kills: Counter[int] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        # Who may do much is whom a mistake lets do more: his cells cover every row early.
        rights = Counter((id(cell.table), cell.caller_name) for cell in self.cells if cell.allowed)
        self.cells.sort(key=lambda cell: -rights[id(cell.table), cell.caller_name])

    def relevant(self, changed: Relevance) -> Iterator[Cell]:
        kills = self.kills.copy()
        differs: dict[int, bool] = {}
        for cell in sorted(self.cells, key=lambda cell: -kills[id(cell)]):
            if id(cell.row) not in differs:
                differs[id(cell.row)] = self.relevance.differs(changed, cell.row)
            if differs[id(cell.row)]:
                yield cell


def run(
    source: Source, tables: Sequence[Table], *, workers: int = 2, progress: Callable[[Verdict], None] | None = None
) -> Report:
    """Runs every mutant of `source` against the tables, on `workers` fireemu processes.

    Raises `BaselineError` where a cell fails on the rules as they are, `RulesSyntaxError` for the rules themselves.
    """
    begin = time.monotonic()
    ruleset = parse(source)
    known = marks(ruleset, source)
    todo: queue.SimpleQueue[Mutant] = queue.SimpleQueue()
    found = mutants(ruleset, source)
    for mutant in found:
        todo.put(mutant)
    order = _Order([cell for table in tables for cell in table.cells()], Relevance(ruleset))
    verdicts: dict[Mutant, Verdict] = {}
    failures: list[BaseException] = []
    with contextlib.ExitStack() as stack:
        engines = [stack.enter_context(started()) for _ in range(workers)]
        _baseline(engines[0], source, order.cells)

        def work(engine: Engine) -> None:
            try:
                while not failures:
                    verdict = _judge(todo.get_nowait(), source, engine, order, known)
                    verdicts[verdict.mutant] = verdict
                    if progress:
                        progress(verdict)
            except queue.Empty:
                pass
            except BaseException as error:  # noqa: BLE001 - handed to the thread that started this one
                failures.append(error)

        threads = [threading.Thread(target=work, args=(engine,), name="mutants") for engine in engines]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    if failures:
        raise failures[0]
    return Report(source, [verdicts[mutant] for mutant in found], known, time.monotonic() - begin)


def _baseline(engine: Engine, source: Source, cells: list[Cell]) -> None:
    rules = Rules(engine, source)
    failed = [cell.id for cell in cells if not _as_expected(rules, cell)]
    if failed:
        shown = "\n".join(f"  {name}" for name in failed[:20])
        raise BaselineError(f"{len(failed)} cells fail on the rules as they are; mend these first:\n{shown}")


def _judge(mutant: Mutant, source: Source, engine: Engine, order: _Order, known: list[Mark]) -> Verdict:
    mark = next((mark for mark in known if mark.covers(mutant)), None)
    try:
        rules = Rules(engine, mutant.apply(source))
    except (RulesSyntaxError, RulesRefusedError) as error:
        return Verdict(mutant, refused=str(error), mark=mark)
    for cell in order.relevant(Relevance(rules.ruleset)):
        if not _as_expected(rules, cell):
            order.kills[id(cell)] += 1
            return Verdict(mutant, killer=cell, mark=mark)
    return Verdict(mutant, mark=mark)


def _as_expected(rules: Rules, cell: Cell) -> bool:
    rules.reset(cell.table)
    try:
        return cell.row.send(rules.as_caller(cell.caller)).allowed == cell.allowed
    except RequestFailedError:
        return False
