"""The pytest plugin in a project of its own, as processes: what the fixtures do is in sample/tests."""

import re
import subprocess
import sys

import pytest
from tests.suite.harness import copy_of_sample

from firesuite.ports import free_ports


@pytest.fixture
def project(tmp_path):
    """Runs pytest in a copy of the sample: exit code and output."""
    copy_of_sample(tmp_path)

    def run(*arguments):
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-W", "error", *arguments]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=180, check=False)
        return done.returncode, done.stdout + done.stderr

    run.path = tmp_path
    return run


def test_each_test_finds_a_fresh_suite(project):
    code, output = project("tests")
    assert code == 0, output
    assert re.search(r"^=+ 21 passed in ", output, re.MULTILINE), output


def test_workers_have_suites_and_projects_of_their_own(project):
    code, output = project("tests", "-n", "2", "-v")
    assert code == 0, output
    assert " 21 passed in " in output
    assert {"[gw0]", "[gw1]"} <= set(re.findall(r"\[gw\d\]", output))


def test_workers_never_choose_the_same_ports(monkeypatch):
    chosen = []
    monkeypatch.setenv("PYTEST_XDIST_WORKER_COUNT", "3")
    for number in range(3):
        monkeypatch.setenv("PYTEST_XDIST_WORKER", f"gw{number}")
        chosen.append(set(free_ports(100)))
    assert [len(ports) for ports in chosen] == [100] * 3
    assert len(set.union(*chosen)) == 300


SEEDED = """
import pytest

@pytest.fixture(scope="session")
def firesuite_seed(firesuite):
    from google.auth.credentials import AnonymousCredentials
    from google.cloud.firestore import Client
    client = Client(credentials=AnonymousCredentials())
    client.document("orders/seeded").set({"n": 0})
    client.close()
"""
SEEDED_TESTS = """
import pytest

@pytest.mark.parametrize("attempt", range(3))
def test_the_seed_is_there(firestore, functions, attempt):
    document = firestore.document("orders/seeded")
    assert document.get().to_dict() == {"n": 0}
    assert len(list(firestore.collection("seen").stream())) == 1
    document.update({"n": 1})
    functions.await_idle()
    assert len(list(firestore.collection("seen").stream())) == 2
"""


def test_what_is_seeded_is_there_in_each_test(project):
    (project.path / "conftest.py").write_text(SEEDED)
    (project.path / "test_seeded.py").write_text(SEEDED_TESTS)
    code, output = project("test_seeded.py")
    assert code == 0, output
    assert "3 passed" in output


def test_a_failure_shows_what_the_suite_said(project):
    (project.path / "test_fails.py").write_text(
        "def test_fails(functions):\n    assert functions.request('web', path='/crash').status == 200\n"
    )
    code, output = project("test_fails.py")
    assert code == 1
    assert "firesuite during call" in output
    assert "ValueError: asked to" in output


def test_a_project_that_is_wrong_is_one_clear_error(project):
    (project.path / "functions" / "main.py").write_text("import nosuchmodule\n")
    (project.path / "test_any.py").write_text("def test_any(firestore):\n    pass\n")
    code, output = project("test_any.py")
    assert code == 1
    assert "main.py, line 1: ModuleNotFoundError: No module named 'nosuchmodule'" in output


def test_who_asks_for_nothing_starts_nothing(project):
    (project.path / "test_plain.py").write_text(
        "import sys\n\ndef test_plain():\n"
        "    assert not {'firesuite.suite', 'firesuite.rules.engine'} & sys.modules.keys()\n"
    )
    code, output = project("test_plain.py")
    assert code == 0, output
