"""The task queues' port: fireemu's, with two things put right.

Google's emulator answers an enqueued task's name with a slash in front of it, and Python's SDK cuts off the first
character without looking (firebase_admin/functions.py, `TaskQueue.enqueue`). fireemu sends the name as production does,
so that the SDK is left with `rojects/...` and raises ValueError.

fireemu dispatches a task at once, whatever its `scheduleTime`: one that is put off is held here until it is due.
"""

import dataclasses
import datetime as dt
import heapq
import json
import re
import threading
import time
import uuid
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from firesuite.proxy import Answer, forward, send

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

_QUEUE = re.compile(r"/(?P<queue>projects/[^/]+/locations/[^/]+/queues/[^/]+)/tasks")
_TASK = re.compile(r"/(?P<task>projects/[^/]+/locations/[^/]+/queues/[^/]+/tasks/[^/]+)")


@dataclasses.dataclass(order=True, slots=True)
class _Held:
    """A task that is not due; `due` is in seconds, by the real clock and what the virtual one was moved."""

    due: float
    name: str
    path: str = dataclasses.field(compare=False)
    task: dict[str, Any] = dataclasses.field(compare=False)


class TaskQueues:
    """The WSGI application."""

    def __init__(self, private_port: int) -> None:
        """`private_port` is where fireemu serves its queues."""
        self._private_port = private_port
        self._held: list[_Held] = []
        self._ahead = 0.0
        self._changed = threading.Condition()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="tasks-held", daemon=True)
        self._thread.start()

    def advance(self, seconds: float) -> None:
        """The virtual clock was moved: tasks that fall due by that are dispatched."""
        with self._changed:
            self._ahead += seconds
            self._changed.notify()

    def forget(self) -> None:
        """Drop what is held, and go by the real clock again."""
        with self._changed:
            self._held.clear()
            self._ahead = 0.0
            self._changed.notify()

    def stop(self) -> None:
        """Give up what is held."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join()

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        queue = _QUEUE.fullmatch(path) if method == "POST" else None
        if queue is not None:
            body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            return self._create(queue["queue"], path, body).send(start_response)
        task = _TASK.fullmatch(path) if method == "DELETE" else None
        if task is not None and self._drop(task["task"]):
            return Answer.text(200, "{}", "application/json").send(start_response)
        try:
            return forward(environ, self._private_port).send(start_response)
        except OSError:
            return Answer.text(503, "fireemu is not ready.").send(start_response)

    def _create(self, queue: str, path: str, body: bytes) -> Answer:
        try:
            document = json.loads(body)
            delay = _delay(document["task"])
        except (ValueError, KeyError, TypeError):
            delay = 0.0  # for fireemu to refuse, in its words
        if delay <= 0:
            return self._dispatch(path, body)
        task = document["task"]
        task["name"] = task.get("name") or f"{queue}/tasks/{uuid.uuid4().int % 10**20}"
        with self._changed:
            if any(held.name == task["name"] for held in self._held):
                error = {"code": 409, "message": "Requested entity already exists", "status": "ALREADY_EXISTS"}
                return Answer.text(409, json.dumps({"error": error}), "application/json")
            due = time.time() + self._ahead + delay
            heapq.heappush(self._held, _Held(due, task["name"], path, task))
            self._changed.notify()
        return Answer.text(200, _with_googles_name(json.dumps({"task": task}).encode()).decode(), "application/json")

    def _dispatch(self, path: str, body: bytes) -> Answer:
        try:
            answer = send("POST", self._private_port, path, body, {"content-type": "application/json"})
        except OSError:
            return Answer.text(503, "fireemu is not ready.")
        if answer.status != 200:
            return answer
        return dataclasses.replace(answer, body=_with_googles_name(answer.body))

    def _drop(self, name: str) -> bool:
        with self._changed:
            kept = [held for held in self._held if held.name != name]
            found = len(kept) < len(self._held)
            self._held = kept
            heapq.heapify(self._held)
        return found

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._stopping and (not self._held or self._held[0].due > (now := time.time() + self._ahead)):
                    self._changed.wait(self._held[0].due - now if self._held else None)
                if self._stopping:
                    return
                held = heapq.heappop(self._held)
            self._dispatch(held.path, json.dumps({"task": held.task}).encode())


def _delay(task: dict[str, Any]) -> float:
    """Seconds from now: whoever enqueues has worked the time out from the real clock."""
    text = task.get("scheduleTime")
    return 0.0 if text is None else dt.datetime.fromisoformat(text).timestamp() - time.time()


def _with_googles_name(body: bytes) -> bytes:
    document = json.loads(body)
    name = document.get("task", {}).get("name", "")
    if not name.startswith("projects/"):
        return body
    document["task"]["name"] = f"/{name}"
    return json.dumps(document).encode()
