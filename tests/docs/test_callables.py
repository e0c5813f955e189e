"""docs/callables.md: its tables are the code's, and its program runs with the real SDK."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml
from tests.docs.blocks import at, blocks_of
from tools.docs import ROOT

from tools import callable_tables
from wattle.callables import CALLS
from wattle.config import REGION
from wattle.errors import Code

PAGE = Path("docs/callables.md")
TEXT = (ROOT / PAGE).read_text(encoding="utf-8")


def test_the_functions_are_those_that_are_deployed():
    endpoints = yaml.safe_load((ROOT / "functions/functions.yaml").read_text(encoding="utf-8"))["endpoints"]
    assert {name for name, endpoint in endpoints.items() if "callableTrigger" in endpoint} == set(CALLS)
    assert {region for name in CALLS for region in endpoints[name]["region"]} == {REGION}
    assert f"They are in `{REGION}`" in TEXT


def test_the_tables_are_those_of_the_code():
    assert callable_tables.run(check=True) == 0
    assert re.findall(r"^### (\w+)$", TEXT, re.MULTILINE) == list(CALLS)


@pytest.mark.parametrize(
    ("kept", "instead"), [("list of `NewItem`", "list of `Item`"), ("| `not-found` | 404 |", "| `aborted` | 409 |")]
)
def test_a_table_that_is_not_is_noticed(tmp_path, monkeypatch, kept, instead):
    page = tmp_path / "callables.md"
    page.write_text(TEXT.replace(kept, instead), encoding="utf-8")
    monkeypatch.setattr(callable_tables, "PAGE", page)
    assert callable_tables.run(check=True) == 1


def test_each_code_that_a_function_can_answer_with_is_in_one_row():
    table = TEXT.partition("<!-- codes:")[2].partition("<!-- end of codes -->")[0]
    listed = re.findall(r"`([A-Z_]+)`", table)
    assert len(listed) == len(set(listed))
    assert {Code[name] for name in listed} == set().union(*callable_tables.codes().values())


def test_the_program_runs(dev, tmp_path):
    (block,) = [block for block in blocks_of(PAGE) if block.language == "js"]
    # What is signed in keeps a program of Node alive.
    (tmp_path / "page.mjs").write_text(at(dev, block.text) + "process.exit(0);\n", encoding="utf-8")
    (tmp_path / "node_modules").symlink_to(ROOT / "node_modules")
    done = subprocess.run(["node", "page.mjs"], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines() == [
        "ordered 1144 false",
        "repeated true",
        "refused functions/failed-precondition items[0].quantity",
    ]
