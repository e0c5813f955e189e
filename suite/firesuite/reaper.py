"""Kills what a suite started when the suite itself is killed, so that even SIGKILL leaves no orphan.

A process of its own (`python -I -S reaper.py MARK PID LINE...`, in its own session), which holds the reading end of a
pipe. The suite writes `dir PATH` for its temporary directory, `file PATH` for its hub's locator, and one line for each
child: `+PID`, which is also the id of the child's session, and `-PID` when it has ended. What is known when the reaper
starts are its arguments. The end of the pipe is the end of the suite: what is left of it then is killed and removed. It
imports nothing of firesuite.

Every child has MARK in its environment, so that one started in the suite's last moment is found although no line told
of it: until its `exec` it holds the pipe open itself, after it the mark can be read. macOS shows no process another
one's environment; there the lines must do.
"""

import contextlib
import itertools
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

MARK_VARIABLE = "FIRESUITE_PROCESSES"
"""In the environment of every child of a suite: the suite's mark, after those of suites that it runs in itself."""

_PROC = Path("/proc")
# A process that is being killed may just have started another: looked at again until a look finds nothing.
_LOOK_AGAIN_SECONDS = 0.05
_LOOKS = 40


def kill_sessions(sessions: Iterable[int], signal_number: int = signal.SIGKILL) -> None:
    """Signal every process of the sessions, also those that made a process group of their own.

    Where there is no /proc (macOS) the session leaders' process groups are signalled.
    """
    wanted = set(sessions)
    _signal(_processes(lambda entry: _session(entry) in wanted), signal_number)
    for leader in wanted:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(leader, signal_number)


def kill_marked(mark: str) -> None:
    """Kill every process with this mark, in whatever session, and what they start meanwhile."""
    for _ in range(_LOOKS):
        found = list(_processes(lambda entry: mark in _marks(entry)))
        if not found:
            return
        _signal(found, signal.SIGKILL)
        time.sleep(_LOOK_AGAIN_SECONDS)


def _marks(process: Path) -> list[str]:
    prefix = f"{MARK_VARIABLE}=".encode()
    variables = (process / "environ").read_bytes().split(b"\0")
    return next((v.removeprefix(prefix).decode().split(",") for v in variables if v.startswith(prefix)), [])


def _session(process: Path) -> int:
    # /proc/PID/stat: pid (command) state ppid pgrp session ...; the command may hold spaces and brackets.
    return int((process / "stat").read_bytes().rpartition(b")")[2].split()[3])


def _processes(wanted: Callable[[Path], bool]) -> Iterator[int]:
    for entry in _PROC.iterdir() if _PROC.is_dir() else ():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):  # it is gone, or another user's
                if wanted(entry):
                    yield int(entry.name)


def _signal(pids: Iterable[int], number: int) -> None:
    for pid in list(pids):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def _remove_locator(path: str, suite: int) -> None:
    """Unless another suite has made it its own."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        if json.loads(Path(path).read_text(encoding="utf-8"))["pid"] == suite:
            Path(path).unlink()


def main() -> None:
    mark, suite = sys.argv[1], int(sys.argv[2])
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    alive: set[int] = set()
    directories: list[str] = []
    files: list[str] = []
    for line in itertools.chain(sys.argv[3:], sys.stdin):
        word, _, rest = line.strip().partition(" ")
        if word == "dir":
            directories.append(rest)
        elif word == "file":
            files.append(rest)
        elif word.startswith("+"):
            alive.add(int(word[1:]))
        elif word.startswith("-"):
            alive.discard(-int(word))
    kill_sessions(alive)
    kill_marked(mark)
    for directory in directories:
        shutil.rmtree(directory, ignore_errors=True)
    for file in files:
        _remove_locator(file, suite)


if __name__ == "__main__":
    main()
