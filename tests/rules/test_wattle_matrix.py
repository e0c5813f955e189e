"""Who may do what directly: every path, operation and caller of Wattle, with and without each bound."""

from firesuite.rules.plugin import check, table


@table("wattle.yaml")
def test_matrix(rules, cell):
    check(rules, cell)
