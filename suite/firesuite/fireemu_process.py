"""fireemu as a child of the suite: started, and started anew with its data when it has to learn of other triggers."""

import contextlib
import os
import shutil
import subprocess
import time
from pathlib import Path

from firesuite import fireemu
from firesuite.control import ControlApi, ControlError
from firesuite.errors import SuiteError
from firesuite.processes import STOP_SECONDS, Child, Log, Processes

# For events that are under way to arrive before fireemu is started anew; a retry may wait for minutes.
_EVENTS_SECONDS = 10.0
_PROBE_SECONDS = 0.02
_EXPORT_SECONDS = 60.0
_OTHERS_WRITE = 0o022


class FireemuProcess:
    """The one process of a suite's fireemu. Its scratch files go into `directory`."""

    def __init__(
        self, binary: Path, directory: Path, processes: Processes, log: Log, exit_stack: contextlib.ExitStack
    ) -> None:
        """`exit_stack` is the suite's: what is made later is cleared away by it."""
        self._binary = binary
        self._directory = directory
        self._processes = processes
        self._log = log
        self._exit = exit_stack
        self._child: Child | None = None
        self._restarts = 0

    def start(self, configuration: fireemu.Configuration) -> None:
        self._child = self._processes.start(
            "fireemu",
            [self._binary, *configuration.write(self._directory)],
            directory=self._directory,
            environment=fireemu.environment(os.environ, self._directory),
            stop_seconds=STOP_SECONDS if configuration.export_to is None else _EXPORT_SECONDS,
        )

    def export(self, project_id: str, control: ControlApi) -> Path:
        """Where its documents, users and files are, to start it anew with: it takes no other triggers than those of its
        start. Raises SuiteError when they cannot be kept.

        Lost is what only its memory has: passwords, which it never exports, sign-ins, faults, snapshots, topics, events
        that wait for a retry; and the times of documents, which the format does not have.
        """
        self._await_events(control)
        self._restarts += 1
        data = self._directory_for_data() / f"data-{self._restarts}"
        self._export(data, project_id)
        return data

    def stop(self) -> None:
        if self._child is not None:
            self._processes.stop_one(self._child)

    def _directory_for_data(self) -> Path:
        """fireemu writes data only where nobody else could, which in /tmp others can; then it is the user's cache."""
        if all(not path.stat().st_mode & _OTHERS_WRITE for path in (self._directory, *self._directory.parents)):
            return self._directory
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        directory = cache / self._directory.name
        self._processes.guard_directory(directory)
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._exit.callback(shutil.rmtree, directory, ignore_errors=True)
        return directory

    def _await_events(self, control: ControlApi) -> None:
        deadline = time.monotonic() + _EVENTS_SECONDS
        with contextlib.suppress(OSError, ControlError):
            while (status := control.functions()).pending or status.running:
                if time.monotonic() > deadline:
                    break
                time.sleep(_PROBE_SECONDS)
            if left := status.pending + status.running + status.retry_waiting:
                self._log("firesuite", f"Events that were not done with and are dropped: {left}.")

    def _export(self, directory: Path, project_id: str) -> None:
        command: list[str | Path] = [self._binary, "emulators:export", directory, "--project", project_id, "--force"]
        done = subprocess.run(  # noqa: S603 - the binary that runs already
            command,
            cwd=self._directory,
            env=fireemu.environment(os.environ, self._directory),
            capture_output=True,
            text=True,
            timeout=_EXPORT_SECONDS,
            check=False,
        )
        if done.returncode != 0:
            raise SuiteError(
                f"Nothing new is delivered until the suite is started again, for fireemu's data could not be kept:"
                f" {done.stderr.strip() or done.stdout.strip()}"
            )
