"""Nothing is left behind: no process, no port, no file, however the suite ends."""

import dataclasses
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from tests.suite.harness import copy_of_sample, eventually, http, running

from firesuite.ports import HOST, Ports, is_free

FIRESUITE = [sys.executable, "-m", "firesuite.cli"]


def processes_under(directory):
    """The processes whose command line, working directory or parent chain leads to this suite's temporary directory."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                where = [str((entry / "cwd").readlink()), (entry / "cmdline").read_text().replace("\0", " ")]
            except OSError:
                continue
            if any(str(directory) in text for text in where):
                found.append((int(entry.name), *where))
    return found


def ports_in_use(ports):
    return [name for name, port in dataclasses.asdict(ports).items() if not is_free(port)]


def up(directory, ports, *more):
    """`firesuite up`, returned when it says that it is ready. Its scratch files go below `directory`."""
    options = [f"--{name}-port={port}" for name, port in dataclasses.asdict(ports).items()]
    scratch = directory / "scratch"
    scratch.mkdir(exist_ok=True)
    process = subprocess.Popen(
        [*FIRESUITE, "up", *options, *more],
        cwd=directory,
        env={**os.environ, "TMPDIR": str(scratch)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    output = []
    for line in process.stdout:
        output.append(line)
        if line.startswith("Ready."):
            break
    process.said = "".join(output)
    return process


@pytest.fixture
def project(tmp_path):
    return copy_of_sample(tmp_path / "project")


def test_ctrl_c_stops_everything(project):
    ports = Ports.free()
    process = up(project, ports)
    with process:
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
    assert ports_in_use(ports) == []
    assert processes_under(project) == []
    assert list((project / "scratch").iterdir()) == []


def test_ctrl_c_does_not_wait_for_a_request_to_end(project):
    ports = Ports.free()
    process = up(project, ports)
    with process, socket.create_connection((HOST, ports.functions)) as connection:
        connection.sendall(
            b"GET /demo-sample/australia-southeast1/web/slow?seconds=300 HTTP/1.1\r\nHost: localhost\r\n\r\n"
        )
        time.sleep(0.3)  # not to wait for something: the request has to be under way
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    assert ports_in_use(ports) == []
    assert processes_under(project) == []


def test_a_killed_suite_leaves_no_orphan(project):
    ports = Ports.free()
    process = up(project, ports)
    with process:
        assert processes_under(project)
        process.kill()
        process.wait()
    eventually(lambda: processes_under(project) == [] and ports_in_use(ports) == [])
    eventually(lambda: list((project / "scratch").glob("firesuite-*")) == [])
    # And the next one starts.
    process = up(project, ports)
    with process:
        assert "Ready." in process.said
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0


@pytest.mark.parametrize("victim", ["fireemu", "functions_host"])
def test_when_a_process_dies_everything_stops_and_one_sentence_says_which(project, victim):
    ports = Ports.free()
    process = up(project, ports)
    with process:
        pids = sorted(
            pid for pid, _, command in processes_under(project) if f"/{victim}" in command and "node " not in command
        )
        os.kill(pids[0], signal.SIGKILL)
        rest = process.stdout.read()
        assert process.wait(10) == 1
    service = "functions" if victim == "functions_host" else victim
    assert f"firesuite: {service} ended with exit code -9" in rest
    assert ports_in_use(ports) == []
    assert processes_under(project) == []


def test_a_worker_that_dies_is_replaced(project):
    with running(project) as suite:
        url = suite.function_url("web")
        first = http("GET", url).json()["pid"]
        os.kill(first, signal.SIGKILL)
        eventually(lambda: http("GET", url).json()["pid"] != first)


def test_functions_that_do_not_import_are_no_reason_for_up_not_to_start(project):
    main = project / "functions" / "main.py"
    text = main.read_text()
    main.write_text(text.replace('VERSION = "1"', "VERSION = nowhere"))
    with running(project, watch=True) as suite:
        assert http("GET", suite.function_url("web")).status == 500
        assert "NameError: name 'nowhere' is not defined" in suite.lines.text("functions")
        main.write_text(text)
        eventually(lambda: http("GET", suite.function_url("web")).status == 200)


def test_a_project_with_http_functions_alone_needs_no_twins(project):
    manifest = project / "functions" / "functions.yaml"
    document = yaml.safe_load(manifest.read_text())
    document["endpoints"] = {"web": document["endpoints"]["web"]}
    manifest.write_text(yaml.safe_dump(document))
    with running(project) as suite:
        assert http("GET", suite.function_url("web")).status == 200
        suite.check()


def test_several_suites_run_beside_each_other(project, tmp_path):
    other = copy_of_sample(tmp_path / "other")
    with running(project) as first, running(other) as second:
        first.database.document("orders/a").set({"from": "first"})
        second.database.document("orders/a").set({"from": "second"})
        for suite, name in ((first, "first"), (second, "second")):
            assert suite.control.await_idle()
            assert [seen.get("after") for seen in suite.database.collection("seen").stream()] == [{"from": name}]


def test_when_the_twins_process_dies_everything_stops_and_one_sentence_says_so(project):
    ports = Ports.free()
    process = up(project, ports)
    with process:
        [runner] = [pid for pid, _, command in processes_under(project) if "/node " in command]
        os.kill(runner, signal.SIGKILL)
        rest = process.stdout.read()
        assert process.wait(10) == 1
    assert "firesuite: Events are delivered no more" in rest
    assert ports_in_use(ports) == []
