"""The pages for bad days: each has what somebody needs at night, and names alerts and tests that there are."""

import ast
import re

import pytest
from tests.conftest import ROOT

FOLDER = ROOT / "docs" / "operations"
PAGES = sorted(path for path in FOLDER.glob("*.md") if path.name != "README.md")
HEADINGS = [
    "How you notice",
    "What users see",
    "The first five minutes",
    "Mend",
    "Prove that it is over",
    "Afterwards",
    "Rehearsal",
]
ALERTS = {path.stem for path in (ROOT / "ops" / "alerts").glob("*.yaml")}


def each():
    return pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)


@each()
def test_it_has_what_somebody_needs_in_the_order_in_which_he_needs_it(page):
    assert re.findall(r"^## (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE) == HEADINGS


@each()
def test_how_you_notice_names_an_alert_or_says_that_there_is_none(page):
    section = page.read_text(encoding="utf-8").partition("## How you notice")[2].partition("\n## ")[0]
    assert set(re.findall(r"`([a-z-]+)`", section)) & ALERTS or "no alert" in section


@each()
def test_what_rehearses_it_exists(page):
    rehearsal = page.read_text(encoding="utf-8").partition("## Rehearsal")[2]
    named = re.findall(r"`(tests/[a-z_/]+(?:\.py)?)((?:::\w+)*)`", rehearsal)
    assert named
    for path, rest in named:
        assert (ROOT / path).exists(), path
        if rest:
            *classes, test = rest.removeprefix("::").split("::")
            body = ast.parse((ROOT / path).read_text(encoding="utf-8")).body
            for name in classes:
                (body,) = [node.body for node in body if isinstance(node, ast.ClassDef) and node.name == name]
            assert test in {node.name for node in body if isinstance(node, ast.FunctionDef)}, test


@each()
def test_it_is_rehearsed_with_commands_that_can_be_pasted(page):
    """tests/docs/test_blocks.py runs them as they stand there."""
    assert re.search(r"^```sh$", page.read_text(encoding="utf-8").partition("## Rehearsal")[2], re.MULTILINE)


def test_every_page_and_every_alert_is_in_the_index():
    index = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"\]\(([a-z-]+\.md)\)", index)) >= {page.name for page in PAGES}
    assert set(re.findall(r"`([a-z-]+)`", index)) >= ALERTS
