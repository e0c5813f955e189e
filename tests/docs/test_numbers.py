"""The README quotes measurements only as the files print them."""

import re

import pytest
from tools.docs import ROOT

SECTION = (ROOT / "README.md").read_text(encoding="utf-8").partition("\n## Numbers\n")[2].partition("\n## ")[0]
ROWS = [
    line.strip("| ").split(" | ")
    for line in SECTION.splitlines()
    if line.startswith("| ") and "](bench/results/" in line
]


def test_there_are_some():
    assert len(ROWS) >= 5


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_a_number_is_in_the_file_that_is_named(row):
    (name,) = re.findall(r"\]\((bench/results/[^)]+)\)", row[-1])
    printed = set((ROOT / name).read_text(encoding="utf-8").replace("x", " ").split())
    quoted = re.findall(r"\d[\d,.]*\d|\d", " ".join(row[1:-1]).replace("Express 5", ""))
    assert quoted
    assert set(quoted) <= printed
