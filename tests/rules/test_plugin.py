"""The plugin in a project of its own: the example of the README, coverage and its bound, and other emulators."""

import json
import re
import shlex
import subprocess
import sys

import pytest

from firesuite.rules.cli import main

from .conftest import ROOT

README = ROOT / "suite" / "firesuite" / "rules" / "README.md"


class Example:
    """The README's files in a directory, as a reader would copy them."""

    def __init__(self, path):
        self.path = path
        text = README.read_text(encoding="utf-8")
        for name, content in re.findall(
            r"^\*\*`([^`]+)`\*\*[^\n]*\n\n```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL
        ):
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            (path / name).write_text(content)
        # fireemu is found as in any project: in the node_modules here or above.
        (path / "node_modules").symlink_to(ROOT / "node_modules")

    def pytest(self, *arguments):
        """Exit code and output of a run of its tests."""
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments]
        done = subprocess.run(command, cwd=self.path, capture_output=True, text=True, timeout=60, check=False)
        return done.returncode, done.stdout + done.stderr


@pytest.fixture
def example(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return Example(tmp_path)


def test_the_readmes_example_runs(example):
    code, output = example.pytest("--rules-fail-under=100", "--rules-html=rules.html", "-v")
    assert code == 0, output
    assert f"{12 * 3 + 2} passed" in output
    assert "test_matrix[get_notes/n1-owner-allow] PASSED" in output
    assert re.search(r"rules/firestore.rules: (\d+) of \1 expressions covered \(100.0 %\)", output)
    page = (example.path / "rules.html").read_text()
    assert "100.0 %" in page
    assert re.search(r'title="2[01] \(\d+x\), 2[01] \(\d+x\)', page)


def test_the_readmes_commands_run(example, capsys):
    """As they stand there; the first is the run of the example above."""
    first, *commands = re.findall(r"^\$ (.+)$", README.read_text(encoding="utf-8"), re.MULTILINE)
    assert first == "pytest --rules-fail-under=100 --rules-html=rules.html"
    said = {}
    for command in commands:
        program, group, *words = shlex.split(command)
        assert (program, group) == ("firesuite", "rules")
        code = main(words)
        said[words[0]] = capsys.readouterr().out
        assert code == 0, said[words[0]]
    assert said.keys() == {"lint", "mutate", "explain"}
    assert "request.auth.uid == resource.data.owner  ->  false" in said["explain"]


def test_too_little_coverage_fails_a_run_whose_tests_pass(example):
    code, output = example.pytest("--rules-fail-under=100", "-k", "get")
    assert code == pytest.ExitCode.TESTS_FAILED
    assert "9 passed" in output
    assert "  rules/firestore.rules:7:22: never evaluated: request.auth.uid == " in output
    assert "100 % are required" in output


def test_a_failing_cell_says_why(example):
    rules = example.path / "rules" / "firestore.rules"
    rules.write_text(rules.read_text().replace("limit <= 20", "limit <= 21"))
    code, output = example.pytest("-k", "limit_21")
    assert code == pytest.ExitCode.TESTS_FAILED
    assert "1 failed, 2 passed" in output
    assert "Expected denied, was allowed: query notes where owner == 'alice', limit 21 as 'alice'" in output
    assert "request.query.limit = 21" in output


def test_an_emulator_that_runs_already(example, engine):
    code, output = example.pytest(f"--rules-emulator={engine.address}", "--rules-fail-under=100")
    assert code == 0, output
    assert f"{12 * 3 + 2} passed" in output


def test_without_an_emulator_it_says_what_to_do(example):
    code, output = example.pytest("--rules-emulator=127.0.0.1:9", "-k", "get")
    assert code == pytest.ExitCode.TESTS_FAILED
    assert re.search("No emulator answers at 127.0.0.1:9: .* Start one, or name the right port.", output)


class TestCommands:
    def test_errors_are_one_sentence(self, capsys):
        assert main(["lint", "--rules", "no/such.rules"]) == 2
        assert capsys.readouterr().err == (
            "No rules can be read from no/such.rules: No such file or directory. Name the file.\n"
        )
        assert main(["explain", "fetch a/b", "--rules", str(ROOT / "rules" / "firestore.rules")]) == 2
        assert "needs exactly one of get" in capsys.readouterr().err

    def test_lint_prints_findings_and_fails(self, tmp_path, capsys):
        path = tmp_path / "firestore.rules"
        path.write_text("service cloud.firestore { match /databases/{d}/documents { match /a/{b} { allow read; } } }")
        assert main(["lint", "--rules", str(path)]) == 1
        assert capsys.readouterr().out.startswith(f"{path}:1:75: unbounded-list: ")

    def test_mutate_lists_survivors_and_fails(self, tmp_path, capsys, monkeypatch):
        monkeypatch.chdir(ROOT)
        rules = tmp_path / "firestore.rules"
        rules.write_text(
            "service cloud.firestore { match /databases/{d}/documents {\n"
            "match /a/{b} { allow get: if request.auth.uid == b; } } }"
        )
        table = tmp_path / "table.yaml"
        table.write_text("callers: {me: {uid: x}}\nrows: [{get: a/x, allow: [me]}]\n")
        assert main(["mutate", str(table), "--rules", str(rules)]) == 1
        assert f"survived: condition-true at {rules}:2" in capsys.readouterr().out

    def test_explain_with_claims_and_a_request_that_fails_otherwise(self, tmp_path, capsys, monkeypatch):
        monkeypatch.chdir(ROOT)
        rules = tmp_path / "firestore.rules"
        rules.write_text(
            "service cloud.firestore { match /databases/{d}/documents {\n"
            "match /a/{b} { allow get, create: if request.auth.token.n > 1; } } }"
        )
        arguments = ["explain", "get a/1", "--as", "x", "--rules", str(rules)]
        assert main([*arguments, "--claim", "n=2"]) == 0
        assert "get a/1 as 'x' with {'n': 2}: allowed" in capsys.readouterr().out
        assert main([*arguments, "--claim", "n=1"]) == 0
        assert "request.auth.token.n = 1" in capsys.readouterr().out
        arguments[1] = "{update: a/1, data: {x: 1}}"
        assert main([*arguments, "--claim", "n=2"]) == 0
        assert "The rules allowed it: it failed for another reason." in capsys.readouterr().out
        assert main([*arguments, "--claim", "n"]) == 2


@pytest.mark.parametrize(
    "firestore",
    [
        {"rules": "security/db.rules"},
        [{"database": "other", "rules": "gone.rules"}, {"database": "(default)", "rules": "security/db.rules"}],
    ],
    ids=["one database", "several"],
)
def test_the_rules_are_those_that_firebase_json_names(example, monkeypatch, capsys, firestore):
    (example.path / "security").mkdir()
    (example.path / "rules" / "firestore.rules").rename(example.path / "security" / "db.rules")
    (example.path / "firebase.json").write_text(json.dumps({"firestore": firestore}))
    code, output = example.pytest()
    assert code == 0, output
    assert "security/db.rules: " in output
    (example.path / "below").mkdir()
    monkeypatch.chdir(example.path / "below")
    main(["lint"])
    assert "No rules can be read" not in capsys.readouterr().err


def test_a_firebase_json_without_rules_is_one_sentence(example, capsys):
    (example.path / "firebase.json").write_text('{"firestore": {}}')
    assert main(["lint"]) == 2
    sentence = f"{example.path}/firebase.json names no firestore.rules: name the file with --rules, in pytest with"
    assert capsys.readouterr().err.startswith(sentence)
    code, output = example.pytest()
    assert code == 1
    assert sentence in output
