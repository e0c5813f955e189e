"""The child processes of a suite: started, listened to, watched over and stopped together."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from firesuite import reaper

Log = Callable[[str, str], None]
"""Called with the name of a service and one line of its output, from several threads."""

STOP_SECONDS = 2.0
"""How long a child may take after the polite signal. With SIGKILL after it, everything is gone well within 5 s."""


class Child:
    """One process in a session of its own, with its output read line by line."""

    def __init__(self, service: str, process: subprocess.Popen[bytes], stop_signal: signal.Signals, log: Log) -> None:
        self.service = service
        self.pid = process.pid
        self._process = process
        self._stop_signal = stop_signal
        self._stopping = False
        self._reader = threading.Thread(target=self._read, args=(log,), name=f"{service}-output", daemon=True)
        self._reader.start()

    def _read(self, log: Log) -> None:
        assert self._process.stdout is not None  # noqa: S101 - Popen was given a pipe
        for line in self._process.stdout:
            if not self._stopping:  # what a process says of its end that was asked for alarms for nothing
                log(self.service, line.decode(errors="replace").rstrip("\r\n"))

    def exit_code(self) -> int | None:
        """Its exit code, negative for a signal; None while it runs."""
        return self._process.poll()

    def signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(number)

    def ask_to_stop(self) -> None:
        self._stopping = True
        self.signal(self._stop_signal)

    def finish(self, deadline: float) -> None:
        """Wait until `deadline` (monotonic seconds), then kill what is left of its session."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(max(0.0, deadline - time.monotonic()))
        reaper.kill_sessions([self.pid])
        self._process.wait()
        self._reader.join(1.0)
        if self._process.stdout is not None:
            self._process.stdout.close()


class Processes:
    """Starts children, and knows which of them ended although nobody asked it to."""

    def __init__(self, directory: Path, log: Log) -> None:
        """`directory` is the suite's temporary directory; the reaper removes it if the suite is killed."""
        self._log = log
        self._children: list[Child] = []
        self._reaper = subprocess.Popen(  # noqa: S603 - our own file by our own interpreter
            [sys.executable, "-I", "-S", reaper.__file__],
            stdin=subprocess.PIPE,
            start_new_session=True,
            cwd="/",
        )
        self._tell(f"dir {directory}")

    def start(
        self,
        service: str,
        command: Sequence[str | Path],
        *,
        directory: Path,
        environment: Mapping[str, str],
        stop_signal: signal.Signals = signal.SIGINT,
    ) -> Child:
        """Start `command` in `directory` with exactly `environment`. Raises OSError when it cannot be started."""
        process = subprocess.Popen(  # noqa: S603 - the commands are the suite's own
            [os.fspath(part) for part in command],
            cwd=directory,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._tell(f"+{process.pid}")
        child = Child(service, process, stop_signal, self._log)
        self._children.append(child)
        return child

    def stop_one(self, child: Child) -> None:
        """Stop this one, and what it started."""
        self._children.remove(child)
        child.ask_to_stop()
        child.finish(time.monotonic() + STOP_SECONDS)
        self._tell(f"-{child.pid}")

    def guard(self, session: int) -> None:
        """Have the reaper kill this session as well, if the suite is killed."""
        self._tell(f"+{session}")

    def ended(self) -> Child | None:
        """A child that is gone, if there is one."""
        return next((child for child in self._children if child.exit_code() is not None), None)

    def stop(self) -> None:
        """Stop all in parallel; returns when none of them, nor any process they started, is left."""
        for child in self._children:
            child.ask_to_stop()
        deadline = time.monotonic() + STOP_SECONDS
        for child in self._children:
            child.finish(deadline)
            self._tell(f"-{child.pid}")
        self._children.clear()
        assert self._reaper.stdin is not None  # noqa: S101 - Popen was given a pipe
        with contextlib.suppress(BrokenPipeError):
            self._reaper.stdin.close()
        self._reaper.wait()

    def _tell(self, line: str) -> None:
        assert self._reaper.stdin is not None  # noqa: S101 - Popen was given a pipe
        # A reaper that somebody killed is no reason to fail: the suite still stops its children itself.
        with contextlib.suppress(BrokenPipeError):
            self._reaper.stdin.write(f"{line}\n".encode())
            self._reaper.stdin.flush()
