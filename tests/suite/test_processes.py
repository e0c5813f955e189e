"""The reaper: what a suite started is gone when the suite is, whatever was killed and when."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.suite.harness import ended, eventually
from tests.suite.test_stopping import reapers_of

from firesuite.processes import Processes, Stopping

# A suite of one child, which has a child in a session of its own; with `killed`, it dies before the reaper is told.
SUITE = """
import os, signal, sys, time
from pathlib import Path
from firesuite.processes import Processes

directory, how = Path(sys.argv[1]), sys.argv[2]
processes = Processes(directory, lambda service, line: print(line, flush=True))
if how == "untold":
    processes._tell = lambda line: os.kill(os.getpid(), signal.SIGKILL)
script = "setsid sleep 301 & echo $! $$; exec sleep 302"
processes.start("child", ["sh", "-c", script], directory=directory, environment=os.environ)
time.sleep(300)
"""

needs_proc = pytest.mark.skipif(not Path("/proc").is_dir(), reason="other processes' environments are read in /proc")


def marked():
    """The `sleep`s of the suites below."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_text().split("\0")
            except OSError:
                continue
            if command[:2] in (["sleep", "301"], ["sleep", "302"]):
                found.append(int(entry.name))
    return found


@pytest.fixture
def directory(tmp_path):
    return tmp_path / "scratch"


def suite(directory, how):
    return subprocess.Popen([sys.executable, "-c", SUITE, directory, how], stdout=subprocess.PIPE, text=True)


@needs_proc
def test_what_made_itself_a_session_of_its_own_is_killed_too(directory):
    process = suite(directory, "told")
    with ended(process):
        assert len(process.stdout.readline().split()) == 2
        process.kill()
    eventually(lambda: marked() == [] and not directory.exists())


@needs_proc
def test_a_suite_killed_before_it_told_of_a_child_leaves_no_orphan(directory):
    process = suite(directory, "untold")
    with ended(process):
        assert process.wait(60) == -signal.SIGKILL
    eventually(lambda: marked() == [] and not directory.exists())


@needs_proc
def test_stopping_ends_what_made_itself_a_session_of_its_own(directory):
    lines = []
    processes = Processes(directory, lambda service, line: lines.append(line))
    script = "setsid sleep 301 & echo started; exec sleep 302"
    processes.start("child", ["sh", "-c", script], directory=directory, environment=os.environ)
    eventually(lambda: lines == ["started"] and len(marked()) == 2)
    processes.stop()
    assert marked() == []


def test_nothing_is_started_by_a_suite_that_is_stopping_nor_told_to_a_reaper_that_is_gone(directory):
    """As a cold start does whose request is in work when the suite stops."""
    processes = Processes(directory, lambda service, line: None)
    child = processes.start("child", ["sleep", "302"], directory=directory, environment=os.environ)
    processes.stop()
    with pytest.raises(Stopping):
        processes.start("child", ["sleep", "302"], directory=directory, environment=os.environ)
    processes.stop_one(child)
    processes.guard(1)
    processes.stop()


def test_a_reaper_that_was_killed_is_replaced_by_one_that_knows_all(tmp_path, directory):
    code = SUITE.replace("time.sleep(300)", "while True: processes.ended(); time.sleep(0.02)").replace(
        "script = ", "print(processes._reaper.pid, flush=True); script = "
    )
    process = subprocess.Popen([sys.executable, "-c", code, directory, "told"], stdout=subprocess.PIPE, text=True)
    with ended(process):
        first = int(process.stdout.readline())
        process.stdout.readline()
        os.kill(first, signal.SIGKILL)
        eventually(lambda: not Path("/proc", str(first)).exists() or _is_zombie(first))
        eventually(lambda: reapers_of(process.pid))
        process.kill()
    eventually(lambda: marked() == [] and not directory.exists())


def _is_zombie(pid):
    return (Path("/proc", str(pid)) / "stat").read_text().rpartition(")")[2].split()[0] == "Z"


def test_the_locator_of_a_killed_suite_is_removed_but_not_that_of_another(tmp_path):
    for own in (True, False):
        locator = tmp_path / f"hub-{own}.json"
        code = (
            "import json, os, sys, time; from pathlib import Path; from firesuite.processes import Processes;"
            "processes = Processes(Path(sys.argv[1]), print); path = Path(sys.argv[2]);"
            "path.write_text(json.dumps({'pid': os.getpid() if sys.argv[3] == 'True' else 1}));"
            "processes.guard_locator(path); print('ready', flush=True); time.sleep(300)"
        )
        arguments = [sys.executable, "-c", code, tmp_path / "scratch", locator, str(own)]
        process = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)
        with ended(process):
            process.stdout.readline()
            process.kill()
        eventually(lambda: not (tmp_path / "scratch").exists())
        eventually(lambda wanted=own, file=locator: file.exists() is not wanted)
    assert json.loads(locator.read_text()) == {"pid": 1}
