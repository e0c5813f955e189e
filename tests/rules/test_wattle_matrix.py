"""Who may do what directly: every path, operation and caller of Wattle, with and without each bound."""

from pathlib import Path

from firesuite.rules.coverage import measure
from firesuite.rules.parser import load
from firesuite.rules.plugin import check, table
from firesuite.rules.tables import load_table
from firesuite.rules.testing import Rules
from firesuite.rules.trace import coverage_values

MATRIX = Path(__file__).parent / "wattle.yaml"


@table(MATRIX)
def test_matrix(rules, cell):
    check(rules, cell)


def test_the_matrix_evaluates_every_expression(engine, rules_file):
    """One caller of each kind is enough for it: who reads, who does not, who may not any more."""
    source, ruleset = load(rules_file)
    rules = Rules(engine, source)
    for cell in load_table(MATRIX).cells():
        if cell.caller_name in ("anonymous", "owner", "admin", "deleted"):
            rules.reset(cell.table)
            cell.row.send(rules.as_caller(cell.caller))
    coverage = measure(ruleset, source, [coverage_values(engine.coverage(), engine.dialect)], engine.dialect)
    assert coverage.percent == 100, coverage.summary()
