"""`firesuite exec`, `firesuite fcm` and the messages a user meets first."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from tests.suite.harness import copy_of_sample, ended, eventually, http, needs_private_home

from firesuite.ports import free_ports

FIRESUITE = [sys.executable, "-m", "firesuite.cli"]


@pytest.fixture
def project(tmp_path):
    return copy_of_sample(tmp_path / "project")


def firesuite(directory, *arguments, environment=None):
    return subprocess.run(
        [*FIRESUITE, *arguments],
        cwd=directory,
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_exec_gives_the_command_the_environment_and_passes_its_exit_code_on(project):
    code = "import json, os, sys; print('ENV', json.dumps(dict(os.environ))); sys.exit(7)"
    done = firesuite(project, "exec", "--ports", "free", "--", sys.executable, "-c", code)
    assert done.returncode == 7
    [line] = done.stdout.splitlines()  # nobody else's: it may be read by a pipe
    environment = json.loads(line.removeprefix("ENV "))
    assert environment["GCLOUD_PROJECT"] == environment["GOOGLE_CLOUD_PROJECT"] == "demo-sample"
    assert json.loads(environment["FIREBASE_CONFIG"])["projectId"] == "demo-sample"
    for name in ("FIRESTORE", "FIREBASE_AUTH", "FUNCTIONS", "CLOUD_TASKS", "FCM"):
        assert environment[f"{name}_EMULATOR_HOST"].startswith("127.0.0.1:")
    assert environment["FIREBASE_EMULATOR_HUB"].startswith("127.0.0.1:")


def test_exec_gives_a_killed_commands_signal_as_a_shell_does(project):
    done = firesuite(
        project, "exec", "--ports", "free", "--", sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"
    )
    assert done.returncode == 137


def test_exec_stops_the_command_and_what_it_started_when_it_is_stopped_or_killed(project):
    for number, code in ((signal.SIGTERM, 143), (signal.SIGKILL, -9)):
        marker = project / f"pids-{code}"
        script = f"sleep 300 & echo $! > {marker}.new; echo $$ >> {marker}.new; mv {marker}.new {marker}; wait"
        process = subprocess.Popen(
            [*FIRESUITE, "exec", "--ports", "free", "--", "sh", "-c", script],
            cwd=project,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        with ended(process):
            eventually(marker.exists)
            process.send_signal(number)
            assert process.wait(60) == code
        pids = marker.read_text().split()
        assert len(pids) == 2
        eventually(lambda wanted=pids: not any(Path("/proc", pid).exists() for pid in wanted))


def test_exec_takes_another_project_id(project):
    done = firesuite(
        project, "exec", "--ports", "free", "--project", "demo-else", "--", "sh", "-c", "echo IS $GCLOUD_PROJECT"
    )
    assert "IS demo-else" in done.stdout


WRITE = """
import os
from google.auth.credentials import AnonymousCredentials
from google.cloud import firestore

documents = firestore.Client("demo-sample", credentials=AnonymousCredentials()).collection("kept")
print("FOUND", sorted(document.id for document in documents.stream()))
documents.document(f"d{len(list(documents.stream()))}").set({})
"""


@pytest.fixture
def private():
    """fireemu exports only below what nobody else may write to: not in /tmp, where tests have their files."""
    cache = Path.home() / ".cache"
    cache.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix="firesuite-test-") as name:
        yield Path(name) / "data"


@needs_private_home
def test_the_data_of_one_run_is_the_beginning_of_the_next(project, private):
    def run(*options):
        done = firesuite(project, "exec", "--ports", "free", *options, "--", sys.executable, "-c", WRITE)
        assert done.returncode == 0, done.stderr
        return next(line for line in done.stdout.splitlines() if line.startswith("FOUND"))

    assert run("--export-on-exit", str(private)) == "FOUND []"
    assert run("--import", str(private)) == "FOUND ['d0']"
    assert run("--import", str(private), "--export-on-exit") == "FOUND ['d0']"
    assert run("--import", str(private)) == "FOUND ['d0', 'd1']"


def test_what_is_no_export_is_one_sentence(project):
    done = firesuite(project, "up", "--import", "functions")
    assert done.returncode == 1
    assert done.stderr == (
        f"firesuite: {project}/functions holds no export: it has no firebase-export-metadata.json.\n"
    )
    done = firesuite(project, "up", "--export-on-exit")
    assert done.stderr == "firesuite: --export-on-exit needs a directory where there is no --import.\n"


def test_exec_of_a_command_that_is_not_there(project):
    done = firesuite(project, "exec", "--ports", "free", "--", "no-such-command")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "firesuite: Cannot run no-such-command: No such file or directory."


def test_a_binary_without_its_run_bit_is_given_it(tmp_path):
    project = copy_of_sample(tmp_path / "project")
    modules = (project / "node_modules").readlink()
    (project / "node_modules").unlink()
    package = next((modules / "@fireemu").iterdir())
    copy = project / "node_modules" / "@fireemu" / package.name
    shutil.copytree(package, copy)
    (project / "node_modules" / "firebase-functions").symlink_to(modules / "firebase-functions")
    (copy / "bin" / "fireemu").chmod(0o644)
    assert firesuite(project, "exec", "--ports", "free", "--", "true").returncode in {0, 1}
    assert os.access(copy / "bin" / "fireemu", os.X_OK)


def test_outside_a_project_one_sentence(tmp_path):
    done = firesuite(tmp_path, "up")
    assert done.returncode == 1
    assert done.stderr == (
        f"firesuite: There is no firebase.json in {tmp_path} or above it: run this in a Firebase project,"
        " or `firesuite init`.\n"
    )


def test_fcm_alone():
    [port] = free_ports(1)
    process = subprocess.Popen([*FIRESUITE, "fcm", "--port", str(port)], stdout=subprocess.PIPE, text=True)
    with ended(process):
        assert process.stdout.readline() == f"FCM  http://127.0.0.1:{port}\n"
        answer = eventually(lambda: http("GET", f"http://127.0.0.1:{port}/v1/projects/demo-x/messages"))
        assert answer.json() == {"messages": []}
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0


@pytest.mark.parametrize("port", ["0", "65536", "99999", "-1", "http"])
@pytest.mark.parametrize("option", [("up", "--functions-port"), ("up", "--debug"), ("fcm", "--port")])
def test_what_is_no_port_is_one_sentence(tmp_path, option, port):
    command, name = option
    done = firesuite(tmp_path, command, f"{name}={port}")
    assert done.returncode == 2
    sentence = f"error: argument {name}: a port is a number from 1 to 65535, not {port!r}"
    assert done.stderr.splitlines()[-1] == f"firesuite {command}: {sentence}"


@pytest.mark.parametrize("command", ["functions list", "doctor", "init", "rules lint", "fcm --port={port}"])
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_whoever_reads_no_further_ends_it_without_a_word(project, command, unbuffered):
    words = command.format(port=free_ports(1)[0]).split()
    reader, writer = os.pipe()
    os.close(reader)
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    try:
        done = subprocess.run(
            [*FIRESUITE, *words],
            cwd=project,
            env=environment,
            stdout=writer,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (128 + signal.SIGPIPE, "")


def test_the_console_script_is_installed():
    assert (Path(sys.executable).parent / "firesuite").exists()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["init"], r"firesuite: .*/firebase\.json: Permission denied\.\n"),
        (["rules", "lint", "--rules", "."], r"firesuite: No rules can be read from \.: Is a directory\. .*\n"),
        (["rules", "mutate", "gone.yaml"], r"firesuite: No rules can be read from rules/firestore\.rules: .*\n"),
        (["up", "--import", "gone"], r"firesuite: There is no firebase\.json in .*\n"),
    ],
)
def test_as_a_module_and_without_a_traceback(tmp_path, arguments, sentence):
    """A directory that nobody can write into: root could, whom permissions do not stop."""
    if arguments == ["init"] and os.geteuid() == 0:
        (tmp_path / "functions").mkdir()
        (tmp_path / "firebase.json").symlink_to(tmp_path / "gone" / "firebase.json")
        sentence = r"firesuite: .*/firebase\.json: No such file or directory\.\n"
    else:
        tmp_path.chmod(0o500)
    done = subprocess.run(
        [sys.executable, "-m", "firesuite", *arguments], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert re.fullmatch(sentence, done.stderr), done.stderr
