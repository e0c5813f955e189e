"""Nothing is left behind: no process, no port, no file, however the suite ends."""

import contextlib
import dataclasses
import gc
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest
import yaml
from tests.suite.harness import copy_of_sample, ended, eventually, http, running

from firesuite.errors import SuiteError
from firesuite.fault_plan import FaultPlan
from firesuite.ports import HOST, Ports, is_free
from firesuite.project import Project
from firesuite.suite import Suite

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


def commands():
    """The command line of each process, by its id."""
    found = {}
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit():
                found[int(entry.name)] = (entry / "cmdline").read_text().replace("\0", " ").strip()
    return found


def reapers_of(suite_pid):
    """The suite's reaper, which works in no directory of the suite's."""
    return [pid for pid, command in commands().items() if re.search(rf"/reaper\.py \w+ {suite_pid}\b", command)]


def ports_in_use(ports):
    return [name for name, port in dataclasses.asdict(ports).items() if not is_free(port)]


def start(directory, ports, *more):
    """`firesuite up`. Its scratch files go below `directory`."""
    options = [f"--{name}-port={port}" for name, port in dataclasses.asdict(ports).items()]
    scratch = directory / "scratch"
    scratch.mkdir(exist_ok=True)
    return subprocess.Popen(
        [*FIRESUITE, "up", *options, *more],
        cwd=directory,
        env={**os.environ, "TMPDIR": str(scratch)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def up(directory, ports, *more):
    """The same, returned when it says that it is ready."""
    process = start(directory, ports, *more)
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
    with ended(process):
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
    assert ports_in_use(ports) == []
    assert processes_under(project) == []
    assert list((project / "scratch").iterdir()) == []


def test_ctrl_c_does_not_wait_for_a_request_to_end(project):
    ports = Ports.free()
    process = up(project, ports)
    with ended(process), socket.create_connection((HOST, ports.functions)) as connection:
        connection.sendall(
            b"GET /demo-sample/australia-southeast1/web/slow?seconds=300 HTTP/1.1\r\nHost: localhost\r\n\r\n"
        )
        assert next(line for line in process.stdout if "slow began" in line)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    assert ports_in_use(ports) == []
    assert processes_under(project) == []


# Seconds after which the suite is killed: from before its first process to when it is ready.
@pytest.mark.parametrize("seconds", [0.1, 0.3, 0.5, 0.7, 1.0, None])
def test_a_suite_that_is_killed_at_any_moment_leaves_nothing_and_the_next_one_starts(project, seconds):
    ports = Ports.free()
    process = up(project, ports) if seconds is None else start(project, ports)
    with ended(process):
        if seconds is not None:
            time.sleep(seconds)  # not to wait for something: any moment will do
        process.kill()
        process.wait()
    if seconds is None:  # at once, while the reaper is clearing away: a taken port is waited for
        process = up(project, ports)
        with ended(process):
            assert "Ready." in process.said
            process.send_signal(signal.SIGINT)
            assert process.wait(60) == 0
    eventually(lambda: processes_under(project) == [] and ports_in_use(ports) == [])
    eventually(lambda: list((project / "scratch").iterdir()) == [])


SURVIVES = None
VICTIMS = {
    "reaper": (r"/reaper\.py ", SURVIVES),
    "worker": (r"/functions_host\.py ", SURVIVES),
    "arbiter": (r"/functions_host\.py ", "firesuite: functions was killed by signal 9 (Killed)."),
    "fireemu": (r"/fireemu up ", "firesuite: fireemu was killed by signal 9 (Killed)."),
    "twins": (r"/node .*/runner-node/", "firesuite: Events are delivered no more"),
}


@pytest.mark.parametrize("victim", VICTIMS)
def test_whichever_process_is_killed_nothing_is_left_and_the_suite_goes_on_or_says_why_not(project, victim):
    pattern, sentence = VICTIMS[victim]
    ports = Ports.free()
    process = up(project, ports)
    with ended(process):
        # The arbiter is the first of the functions' two processes, the worker the second.
        mine = [(pid, command) for pid, _, command in processes_under(project)]
        mine += [(pid, "/reaper.py ") for pid in reapers_of(process.pid)]
        pids = sorted(pid for pid, command in mine if re.search(pattern, command))
        os.kill(pids[-1] if victim == "worker" else pids[0], signal.SIGKILL)
        if sentence is SURVIVES:
            url = f"http://{HOST}:{ports.functions}/demo-sample/australia-southeast1/web"
            eventually(lambda: http("GET", url).status == 200)
            process.send_signal(signal.SIGINT)
        rest = process.stdout.read()
        assert process.wait(60) == (0 if sentence is SURVIVES else 1)
    assert (sentence or "") in rest
    assert ports_in_use(ports) == []
    assert processes_under(project) == []
    assert reapers_of(process.pid) == []
    assert list((project / "scratch").iterdir()) == []


# 50 by hand: FIRESUITE_STARTS=50 pytest tests/suite/test_stopping.py -k starts_and_stops
STARTS = int(os.environ.get("FIRESUITE_STARTS", "3"))


def test_starts_and_stops_in_a_row_leave_nothing_behind(project, monkeypatch):
    """In one process, which would keep what is not given back: threads, files, sockets."""
    scratch = project / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    ports = Ports.free()

    def left():
        gc.collect()
        threads = [thread.name for thread in threading.enumerate()]
        return len(list(Path("/proc/self/fd").iterdir())), threads, processes_under(scratch), list(scratch.iterdir())

    with Suite(Project.load(project), ports=ports, watch=True):
        pass  # what is made once for the process is made
    before = left()
    for _ in range(STARTS):
        with Suite(Project.load(project), ports=ports, watch=True) as suite:
            assert http("GET", suite.function_url("web")).status == 200
    files, *rest = left()
    assert files <= before[0]  # fewer when what earlier tests had open has been closed meanwhile
    assert rest == [before[1], [], []]
    assert ports_in_use(ports) == []


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
        with pytest.raises(SuiteError, match="No events are delivered to 'web', but to: no function"):
            FaultPlan(suite.control).crash("web")


def test_several_suites_run_beside_each_other(project, tmp_path):
    other = copy_of_sample(tmp_path / "other")
    with running(project) as first, running(other) as second:
        first.database.document("orders/a").set({"from": "first"})
        second.database.document("orders/a").set({"from": "second"})
        for suite, name in ((first, "first"), (second, "second")):
            assert suite.control.await_idle()
            assert [seen.get("after") for seen in suite.database.collection("seen").stream()] == [{"from": name}]
