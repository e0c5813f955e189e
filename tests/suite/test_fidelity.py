"""The tests that suite/docs/fidelity.md names as its proof exist."""

import ast
import re

import pytest
from tests.suite.harness import ROOT

PAGES = [ROOT / "suite" / "docs" / "fidelity.md", ROOT / "suite" / "README.md"]
NAMED = [
    (page.name, path, name)
    for page in PAGES
    for path, name in re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", page.read_text(encoding="utf-8"))
]


def test_the_pages_name_tests():
    assert len({path for page, path, _ in NAMED if page == "fidelity.md"}) > 15


@pytest.mark.parametrize(("page", "path", "name"), sorted(set(NAMED)))
def test_a_named_test_exists(page, path, name):
    defined = ast.parse((ROOT / path).read_text(encoding="utf-8")).body
    if name:
        assert name in {node.name for node in defined if isinstance(node, ast.FunctionDef | ast.ClassDef)}
