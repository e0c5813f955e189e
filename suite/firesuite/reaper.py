"""Kills what a suite started when the suite itself is killed, so that even SIGKILL leaves no orphan.

A process of its own (`python -I -S reaper.py`, in its own session), which holds the reading end of a pipe. The suite
writes one line for each child, `+PID`, which is also the id of the child's session and process group, `-PID` when it
has ended, and `dir PATH` for its temporary directory. The end of the pipe is the end of the suite: what is still listed
then is killed and the directory removed. It imports nothing of firesuite.
"""

import contextlib
import os
import shutil
import signal
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

_PROC = Path("/proc")


def kill_sessions(sessions: Iterable[int], signal_number: int = signal.SIGKILL) -> None:
    """Signal every process of the sessions, also those that made a process group of their own.

    Where there is no /proc (macOS) the session leaders' process groups are signalled.
    """
    wanted = set(sessions)
    for pid in list(_members(wanted)) if _PROC.is_dir() else ():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal_number)
    for leader in wanted:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(leader, signal_number)


def _members(sessions: set[int]) -> Iterator[int]:
    for entry in _PROC.iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            # /proc/PID/stat: pid (command) state ppid pgrp session ...; the command may hold spaces and brackets.
            fields = (entry / "stat").read_bytes().rpartition(b")")[2].split()
            if int(fields[3]) in sessions:
                yield int(entry.name)


def main() -> None:
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    alive: set[int] = set()
    directories: list[str] = []
    for line in sys.stdin:
        word, _, rest = line.strip().partition(" ")
        if word == "dir":
            directories.append(rest)
        elif word.startswith("+"):
            alive.add(int(word[1:]))
        elif word.startswith("-"):
            alive.discard(-int(word))
    kill_sessions(alive)
    for directory in directories:
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
