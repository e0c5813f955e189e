"""What is wrong is told through the command line: one message, with the file and the line, and exit code 1."""

import json
import os
import re
import socket
import sys

import pytest
from tests.suite.harness import copy_of_sample
from tests.suite.test_cli import firesuite
from tests.suite.test_stopping import processes_under

from firesuite.ports import HOST

# A line of a service, as `exec` shows it.
LOGGED = re.compile(r" *\w+ \| ")


@pytest.fixture
def project(tmp_path):
    return copy_of_sample(tmp_path / "project")


def refused(project, *options, environment=None):
    """What `firesuite exec` says last, on its error output, when it refuses to start. Nothing is left of it."""
    (project / "scratch").mkdir()
    environment = {"TMPDIR": str(project / "scratch"), **(environment or {})}
    done = firesuite(project, "exec", "--ports", "free", *options, "--", "touch", "ran", environment=environment)
    assert done.returncode == 1
    assert not (project / "ran").exists()
    assert processes_under(project) == []
    assert list((project / "scratch").iterdir()) == []
    lines = done.stderr.splitlines(keepends=True)
    logged = [line for line in lines if LOGGED.match(line)]
    assert "Traceback" not in "".join(logged)
    assert done.stdout == ""
    return "".join(line for line in lines if line not in logged)


def change_main(project, old, new):
    main = project / "functions" / "main.py"
    text = main.read_text()
    assert old in text
    main.write_text(text.replace(old, new))
    return text[: text.index(old)].count("\n") + 1


def test_a_function_that_does_not_import(project):
    line = change_main(project, 'VERSION = "1"', "VERSION = nowhere")
    said = refused(project).splitlines()
    place = f"main.py, line {line}: NameError: name 'nowhere' is not defined"
    assert said[0] == f"firesuite: The functions could not be loaded. {place}"
    assert said[1:] == [
        "Traceback (most recent call last):",
        f'  File "{project}/functions/main.py", line {line}, in <module>',
        "    VERSION = nowhere",
        "              ^^^^^^^",
        "NameError: name 'nowhere' is not defined",
    ]


def test_a_function_that_does_not_import_in_a_project_without_a_manifest(project):
    (project / "functions" / "functions.yaml").unlink()
    line = change_main(project, 'VERSION = "1"', "VERSION = = 1")
    said = refused(project).splitlines()
    assert said[0] == (
        f"firesuite: The functions could not be loaded. main.py, line {line}: SyntaxError: invalid syntax"
        f" (main.py, line {line})"
    )


def test_a_package_that_is_not_installed(project):
    change_main(project, "import firebase_admin\n", "import firebase_admin\nimport not_installed\n")
    assert "ModuleNotFoundError: No module named 'not_installed'" in refused(project).splitlines()[0]


def test_a_port_that_is_taken(project):
    with socket.create_server((HOST, 0)) as other:
        port = other.getsockname()[1]
        assert refused(project, "--firestore-port", str(port)) == (
            f"firesuite: Port {port} for Firestore is taken by another program: stop it, or give another port with"
            " --firestore-port, or emulators.firestore.port in firebase.json.\n"
        )


def test_two_services_on_one_port(project):
    document = json.loads((project / "firebase.json").read_text())
    document["emulators"] = {"auth": {"port": 8080}}
    (project / "firebase.json").write_text(json.dumps(document))
    done = firesuite(project, "exec", "--", "true")
    assert done.returncode == 1
    assert done.stderr == (
        "firesuite: Auth and Firestore are both to listen on port 8080: give another port with --firestore-port, or"
        " emulators.firestore.port in firebase.json.\n"
    )


def test_a_manifest_that_names_what_the_code_lacks(project):
    change_main(project, "def hopeless(", "def renamed(")
    lines = (project / "functions" / "functions.yaml").read_text().splitlines()
    assert refused(project) == (
        f"firesuite: The functions could not be loaded. functions.yaml, line {lines.index('  hopeless:') + 1}: names"
        " hopeless, which main.py does not define. Generate the manifest again, or remove it: the functions are found"
        " without it.\n"
    )


def test_rules_with_an_error(project):
    (project / "firestore.rules").write_text(
        "rules_version = '2';\nservice cloud.firestore {\n  match /a/{b} { allow : }\n"
    )
    said = refused(project)
    assert said.startswith(f"firesuite: {project}/firestore.rules, line 3: ")
    assert len(said.splitlines()) == 1


def test_indexes_with_an_error(project):
    (project / "firestore.indexes.json").write_text('{\n  "indexes": [,]\n}')
    assert refused(project) == f"firesuite: {project}/firestore.indexes.json, line 2: expected value.\n"


def test_storage_rules_with_an_error(project):
    document = json.loads((project / "firebase.json").read_text())
    (project / "firebase.json").write_text(json.dumps({**document, "storage": {"rules": "storage.rules"}}))
    (project / "storage.rules").write_text("service firebase.storage {\n")
    assert refused(project).startswith(f"firesuite: {project}/storage.rules, line 2: ")


def test_rules_that_are_not_there(project):
    (project / "firestore.rules").unlink()
    assert refused(project) == (
        f"firesuite: {project}/firebase.json: firestore.rules names {project}/firestore.rules, which is not there.\n"
    )


def test_no_fireemu(project):
    (project / "node_modules").unlink()
    assert refused(project).startswith(f"firesuite: fireemu is not installed in {project}: run `")


def test_no_node(project):
    assert refused(project, environment={"PATH": "/nowhere"}) == (
        "firesuite: Node is not installed: events need it. Install Node 20 or newer: `nvm install 20`,"
        " `brew install node@20`, or https://nodejs.org/en/download.\n"
    )


def test_an_environment_of_the_functions_whose_python_is_gone(project):
    binaries = project / "functions" / "venv" / "bin"
    binaries.mkdir(parents=True)
    (binaries / "python").symlink_to("/nowhere/python")
    venv = project / "functions" / "venv"
    assert refused(project) == (
        f"firesuite: {venv}/bin/python is not there: make the environment anew with `python3.11 -m venv --clear {venv}"
        f" && {venv}/bin/python -m pip install -r {project}/functions/requirements.txt`.\n"
    )


def test_an_environment_of_the_functions_without_the_framework(project):
    python = project / "functions" / "venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec {os.path.realpath(sys.executable)} -I -S "$@"\n')
    python.chmod(0o755)
    said = refused(project)
    assert said == (
        f"firesuite: functions_framework, gunicorn, firebase_functions not installed for {python}: run"
        f" `{python} -m pip install -r {project}/functions/requirements.txt`.\n"
    )
