"""Task queues: functions of ours that Cloud Tasks calls, once at least, at the queue's rate.

firebase_admin enqueues them; it finds a local queue by CLOUD_TASKS_EMULATOR_HOST.
"""

import threading
from typing import Any

import firebase_admin
from firebase_admin import exceptions


class TasksUnavailable(Exception):
    """The task may or may not have been enqueued."""


class CloudTasks:
    """Enqueues for the functions of one region. One for a process; safe to use from many threads."""

    def __init__(self, app: firebase_admin.App, region: str, *, emulated: bool) -> None:
        self._app = app
        self._emulated = emulated
        self._region = region
        self._queues: dict[str, Any] = {}
        self._lock = threading.Lock()

    def enqueue(self, function: str, data: dict[str, Any]) -> None:
        """Have `function` called with `data`.

        Raises:
            TasksUnavailable.
        """
        try:
            # The functions' own protocol, which the SDK for Python leaves to its caller, has the payload in `data`.
            self._queue(function).enqueue({"data": data})
        except ValueError:
            # The task is enqueued: the SDK (7.7) only cannot read the name that a local queue gave it.
            if not self._emulated:
                raise
        except exceptions.FirebaseError as error:
            raise TasksUnavailable(str(error)) from error

    def _queue(self, function: str) -> Any:
        from firebase_admin import functions  # noqa: PLC0415 (only broadcasts need it, not every cold start)

        with self._lock:
            if function not in self._queues:
                name = f"locations/{self._region}/functions/{function}"
                self._queues[function] = functions.task_queue(name, app=self._app)
            return self._queues[function]
