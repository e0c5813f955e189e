"""The part of firesuite's pytest plugin that tests security rules.

Fixture `rules` is the project's rules on an empty database; `@table("matrix.yaml")` (or a `Table`) turns a test into
one for each cell, with the fixture `cell`. Options: `--rules-file`, `--rules-emulator`, `--rules-html`,
`--rules-fail-under`. A conftest may say what `rules_file` is.
"""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from firesuite.rules.coverage import Coverage
    from firesuite.rules.engine import Engine
    from firesuite.rules.tables import Cell, Table
    from firesuite.rules.testing import Rules

# This is loaded in every run of pytest where firesuite is installed: what only tests of rules need, 0.4 s of it, is
# imported by them.
# ruff: noqa: PLC0415

PROJECT = "demo-rules"
_COVERAGE: "pytest.StashKey[Coverage]" = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("firestore rules")
    group.addoption("--rules-file", metavar="FILE", help="the rules under test (default: what firebase.json names)")
    group.addoption(
        "--rules-emulator",
        metavar="HOST:PORT",
        help="use this Firestore emulator, not a fireemu of one's own; its rules are replaced",
    )
    group.addoption("--rules-html", metavar="FILE", help="write the coverage of the rules as a page")
    group.addoption(
        "--rules-fail-under",
        metavar="PERCENT",
        type=float,
        help="fail when fewer expressions of the rules were evaluated",
    )
    parser.addini("rules_file", "the rules under test (default: what firebase.json names)", default="")


@pytest.fixture(scope="session")
def rules_engine(pytestconfig: pytest.Config) -> Iterator["Engine"]:
    """The engine of this test run. Each xdist worker has its own."""
    from firesuite.rules.engine import Engine, started

    if address := pytestconfig.getoption("--rules-emulator", None):
        engine = Engine(address, PROJECT)
        yield engine
        engine.close()
        return
    with started(PROJECT) as fireemu:
        yield fireemu


@pytest.fixture(scope="session")
def rules_file(pytestconfig: pytest.Config) -> Path:
    """The rules under test. A conftest may say it in place of the option and the ini key."""
    from firesuite.rules.location import project_rules

    if named := pytestconfig.getoption("--rules-file") or pytestconfig.getini("rules_file"):
        return Path(pytestconfig.rootpath, named)
    return project_rules(Path(pytestconfig.rootpath, pytestconfig.getini("firesuite_directory")))


@pytest.fixture(scope="session")
def _session_rules(pytestconfig: pytest.Config, rules_engine: "Engine", rules_file: Path) -> Iterator["Rules"]:
    from firesuite.rules.coverage import measure
    from firesuite.rules.parser import load
    from firesuite.rules.testing import Rules
    from firesuite.rules.trace import coverage_values

    source, ruleset = load(rules_file.relative_to(Path.cwd()) if rules_file.is_relative_to(Path.cwd()) else rules_file)
    rules = Rules(rules_engine, source)
    yield rules
    values = coverage_values(rules_engine.coverage(), rules_engine.dialect)
    pytestconfig.stash[_COVERAGE] = measure(ruleset, source, [values], rules_engine.dialect)


@pytest.fixture
def rules(request: pytest.FixtureRequest, _session_rules: "Rules") -> "Rules":
    """The project's rules on an empty database; with the documents of its table where the test is of a cell."""
    from firesuite.rules.tables import Cell

    parameters = request.node.callspec.params if hasattr(request.node, "callspec") else {}
    cell = parameters.get("cell")
    _session_rules.reset(cell.table if isinstance(cell, Cell) else None)
    return _session_rules


def table(given: "Table | str | Path") -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Parametrises a test with `cell`, one for each cell. A relative path starts at the test's file.

    A test with no more to say calls `check(rules, cell)`.
    """
    from firesuite.rules.tables import Table, load_table

    if not isinstance(given, Table):
        path = Path(given)
        caller = Path(sys._getframe(1).f_globals["__file__"])  # noqa: SLF001 - where the decorator stands, as pytest itself finds it
        given = load_table(path if path.is_absolute() else caller.parent / path)
    cells = list(given.cells())
    return pytest.mark.parametrize("cell", cells, ids=[cell.id for cell in cells])


def check(rules: "Rules", cell: "Cell") -> None:
    """Makes the cell's request and asserts its verdict."""
    __tracebackhide__ = True
    outcome = cell.row.send(rules.as_caller(cell.caller))
    if cell.allowed:
        rules.assert_allowed(outcome)
    else:
        rules.assert_denied(outcome)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    coverage = config.stash.get(_COVERAGE, None)
    if coverage is None:
        return
    terminalreporter.section("coverage of the security rules")
    wanted = config.getoption("--rules-fail-under")
    # Where nobody asks for a bound, as when one test is run alone, the figure is enough.
    terminalreporter.line(coverage.summary() if wanted is not None else coverage.figure())
    if path := config.getoption("--rules-html"):
        from firesuite.rules import coverage_html

        Path(path).write_text(coverage_html.page(coverage), encoding="utf-8")
        terminalreporter.line(f"page written to {path}")
    if wanted is not None and coverage.percent < wanted:
        message = f"FAIL: {coverage.percent:.1f} % of the expressions were evaluated, {wanted:g} % are required"
        terminalreporter.line(message, red=True)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fixtures are torn down by now; a run that is too low in coverage fails although its tests passed."""
    coverage = session.config.stash.get(_COVERAGE, None)
    wanted = session.config.getoption("--rules-fail-under")
    if coverage and wanted is not None and coverage.percent < wanted and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
