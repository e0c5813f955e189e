"""The child processes of a suite: started, listened to, watched over and stopped together."""

import collections
import contextlib
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from firesuite import reaper
from firesuite.errors import SuiteError

Log = Callable[[str, str], None]
"""Called with the name of a service and one line of its output, from several threads."""

STOP_SECONDS = 2.0
"""How long a child may take after the polite signal. With SIGKILL after it, everything is gone well within 5 s."""


class Child:
    """One process in a session of its own, with its output read line by line."""

    def __init__(self, service: str, process: subprocess.Popen[bytes], stop_seconds: float, log: Log) -> None:
        self.service = service
        self.pid = process.pid
        self._process = process
        self._stop_seconds = stop_seconds
        self._stopping = False
        self._deadline = 0.0
        self._last: collections.deque[str] = collections.deque(maxlen=20)
        self._reader = threading.Thread(target=self._read, args=(log,), name=f"{service}-output", daemon=True)
        self._reader.start()

    def _read(self, log: Log) -> None:
        assert self._process.stdout is not None  # noqa: S101 - Popen was given a pipe
        for line in self._process.stdout:
            text = line.decode(errors="replace").rstrip("\r\n")
            self._last.append(text)
            if not self._stopping:  # what a process says of its end that was asked for alarms for nothing
                log(self.service, text)

    def exit_code(self) -> int | None:
        """Its exit code, negative for a signal; None while it runs."""
        return self._process.poll()

    def last_words(self) -> Sequence[str]:
        """The last lines of one that has ended."""
        self._reader.join(1.0)
        return tuple(self._last)

    def signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(number)

    def ask_to_stop(self) -> None:
        self._stopping = True
        self._deadline = time.monotonic() + self._stop_seconds
        self.signal(signal.SIGINT)

    def finish(self) -> None:
        """Wait as long as it may take, then kill what is left of its session."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(max(0.0, self._deadline - time.monotonic()))
        reaper.kill_sessions([self.pid])
        self._process.wait()

    def close(self) -> None:
        """Read the rest of its output. What it started and what lives on may hold it open: that is not waited for."""
        self._reader.join(1.0)
        if self._process.stdout is not None and not self._reader.is_alive():
            self._process.stdout.close()


class Stopping(SuiteError):
    """A process was to be started by a suite that is being stopped."""


class Processes:
    """Starts children, and knows which of them ended although nobody asked it to. For use from several threads."""

    def __init__(self, directory: Path, log: Log) -> None:
        """Make `directory` if it is not there; the reaper removes it if the suite is killed."""
        self.log = log
        self._lock = threading.RLock()
        self._children: list[Child] = []
        self._stopped = False
        self._mark = secrets.token_hex(8)
        # All that the reaper was told, for one that takes its place.
        self._told = [f"dir {directory}"]  # before the directory is made: a suite that is killed then leaves nothing
        self._reaper = self._start_reaper()
        directory.mkdir(mode=0o700, exist_ok=True)

    @property
    def mark(self) -> Mapping[str, str]:
        """The variable by which the reaper knows what belongs to this suite."""
        outer = os.environ.get(reaper.MARK_VARIABLE)
        return {reaper.MARK_VARIABLE: f"{outer},{self._mark}" if outer else self._mark}

    def start(  # noqa: PLR0913 - by name only
        self,
        service: str,
        command: Sequence[str | Path],
        *,
        directory: Path,
        environment: Mapping[str, str],
        stop_seconds: float = STOP_SECONDS,
        inherited: Sequence[int] = (),
    ) -> Child:
        """Start `command` in `directory` with `environment`. Raises OSError when it cannot be started, and Stopping.

        It may take `stop_seconds` to end when it is asked to, before it is killed. It has the file descriptors
        `inherited` under their numbers.
        """
        with self._lock:
            if self._stopped:
                raise Stopping("The suite is stopping.")
            process = subprocess.Popen(  # noqa: S603 - the commands are the suite's own
                [os.fspath(part) for part in command],
                cwd=directory,
                env={**environment, **self.mark},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=inherited,
            )
            self._tell(f"+{process.pid}")
            child = Child(service, process, stop_seconds, self.log)
            self._children.append(child)
        return child

    def stop_one(self, child: Child) -> None:
        """Stop this one, and what it started. One that `stop` has stopped is left alone."""
        with self._lock:
            if child not in self._children:
                return
            self._children.remove(child)
        child.ask_to_stop()
        child.finish()
        with self._lock:
            self._tell(f"-{child.pid}")
        child.close()

    def guard(self, session: int) -> None:
        """Have the reaper kill this session as well, if the suite is killed."""
        with self._lock:
            self._tell(f"+{session}")

    def guard_directory(self, directory: Path) -> None:
        """Have the reaper remove this directory as well, if the suite is killed."""
        with self._lock:
            self._tell(f"dir {directory}")

    def guard_locator(self, file: Path) -> None:
        """Have the reaper remove the hub's locator as well, if the suite is killed."""
        with self._lock:
            self._tell(f"file {file}")

    def ended(self) -> Child | None:
        """A child that is gone, if there is one. A reaper that is gone is replaced."""
        with self._lock:
            if not self._stopped and self._reaper.poll() is not None:
                self._close_reaper()
                self._reaper = self._start_reaper()
            return next((child for child in self._children if child.exit_code() is not None), None)

    def stop(self) -> None:
        """Stop all in parallel; returns when none of them, nor any process they started, is left. Twice is once."""
        with self._lock:
            if self._stopped:
                return
            self._stopped = True
            children = list(self._children)
            self._children.clear()
        for child in children:
            child.ask_to_stop()
        for child in children:
            child.finish()
        # What made itself a session of its own, and what another thread is just stopping.
        reaper.kill_marked(self._mark)
        with self._lock:
            for child in children:
                self._tell(f"-{child.pid}")
                child.close()
            self._close_reaper()

    def _start_reaper(self) -> subprocess.Popen[bytes]:
        # Without a mark: it has its work to do when an outer suite kills this one. What there is to know are arguments:
        # it has them from its first moment, so that a suite that is killed right then leaves nothing either.
        environment = {name: value for name, value in os.environ.items() if name != reaper.MARK_VARIABLE}
        return subprocess.Popen(  # noqa: S603 - our own file by our own interpreter
            [sys.executable, "-I", "-S", reaper.__file__, self._mark, str(os.getpid()), *self._told],
            stdin=subprocess.PIPE,
            start_new_session=True,
            cwd="/",
            env=environment,
        )

    def _close_reaper(self) -> None:
        assert self._reaper.stdin is not None  # noqa: S101 - Popen was given a pipe
        with contextlib.suppress(BrokenPipeError):
            self._reaper.stdin.close()
        self._reaper.wait()

    def _tell(self, line: str) -> None:
        if line.startswith("-"):
            self._told.remove(f"+{line[1:]}")
        else:
            self._told.append(line)
        assert self._reaper.stdin is not None  # noqa: S101 - Popen was given a pipe
        # A reaper that somebody killed is no reason to fail: the suite still stops its children itself. One that has
        # been closed, because the suite has stopped, has nothing more to know.
        if not self._reaper.stdin.closed:
            with contextlib.suppress(BrokenPipeError):
                self._reaper.stdin.write(f"{line}\n".encode())
                self._reaper.stdin.flush()
