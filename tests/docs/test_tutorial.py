"""docs/tutorial.md, followed to the letter in a copy of the tree: its lines are counted, its linters and tests run."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.docs.blocks import blocks_of
from tools.docs import ROOT

PAGE = Path("docs/tutorial.md")
# Of what a developer has besides, and what is large and not changed.
LINKED = ("node_modules", "suite", "bench")
COPIED = ("functions", "rules", "tests", "tools", "docs", "ops", "Makefile", "SECURITY.md", "requirements.txt")
COPIED += ("firebase.json", ".firebaserc", "firestore.indexes.json", "pyproject.toml", "package.json")
SECONDS = 300


def steps():
    """Each block that belongs to a file: (path, language, text). One that names none goes on with the one before."""
    text = (ROOT / PAGE).read_text(encoding="utf-8").splitlines()
    path = None
    for block in blocks_of(PAGE):
        named = re.fullmatch(r"\*\*`(.+)`\*\*", text[block.line - 3]) if block.line > 2 else None
        path = named[1] if named else path
        if block.language in ("python", "diff"):
            yield path, block.language, block.text


def change(text, diff):
    """`text` with a change whose unchanged lines stand in it exactly once."""
    lines = diff.splitlines()
    before = "".join(f"{line[1:]}\n" for line in lines if line[:1] != "+")
    after = "".join(f"{line[1:]}\n" for line in lines if line[:1] != "-")
    assert text.count(before) == 1, f"this stands {text.count(before)} times in the file:\n{before}"
    return text.replace(before, after)


def follow(directory):
    for path, language, text in steps():
        file = directory / path
        if language == "python":
            assert not file.exists(), f"{path} is there already"
            file.parent.mkdir(exist_ok=True)
            file.write_text(text, encoding="utf-8")
        else:
            file.write_text(change(file.read_text(encoding="utf-8"), text), encoding="utf-8")


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    directory = tmp_path_factory.mktemp("tutorial")
    for name in LINKED:
        (directory / name).symlink_to(ROOT / name)
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, directory / name, ignore=shutil.ignore_patterns("node_modules", "__pycache__"))
        else:
            shutil.copy(source, directory / name)
    # What mypy knows of the files that do not change: half of its time.
    if (ROOT / ".mypy_cache").is_dir():
        shutil.copytree(ROOT / ".mypy_cache", directory / ".mypy_cache")
    follow(directory)
    return directory


def run(tree, *arguments):
    finished = subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": f"{tree}/functions:{tree}/suite"},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished.stdout


def test_it_takes_less_than_a_hundred_lines():
    written = [
        line
        for path, language, text in steps()
        for line in text.splitlines()
        if not path.endswith(".md") and (line.startswith("+") if language == "diff" else line.strip())
    ]
    assert len(written) < 100


def test_every_kind_of_file_is_in_it():
    paths = " ".join(path for path, _, _ in steps())
    for kind in (
        "schemas",
        "repository",
        "service",
        "endpoints",
        "rules/firestore.rules",
        "indexes.json",
        "tests/api/",
    ):
        assert kind in paths


def test_it_reads_as_the_rest_does(tree):
    run(tree, "ruff", "format", "--check", "functions/wattle", "tests/api")
    run(tree, "ruff", "check", "functions", "tests/api")
    run(tree, "mypy", "functions/wattle/favourites")


def test_it_works(tree):
    run(tree, "tools", "openapi")
    run(tree, "tools", "reference")
    assert "/v1/users/me/favourites" in (tree / "docs/openapi.json").read_text(encoding="utf-8")
    new = "favourites or export or inventory or privacy or TestOperations or index or every_expression or nothing_is"
    tests = ("tests/api/test_favourites.py", "tests/contract", "tests/rules/test_wattle_matrix.py")
    said = run(tree, "pytest", "-q", "-p", "no:cacheprovider", *tests, "-k", new)
    assert "passed" in said
    assert "failed" not in said
