"""The task queues' port: fireemu's, with one thing put right that `firebase_admin.functions` stumbles over.

Google's emulator answers an enqueued task's name with a slash in front of it, and Python's SDK cuts off the first
character without looking (firebase_admin/functions.py, `TaskQueue.enqueue`). fireemu sends the name as production does,
so that the SDK is left with `rojects/...` and raises ValueError.
"""

import dataclasses
import json
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from firesuite.proxy import Answer, forward

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

_QUEUE = re.compile(r"/projects/[^/]+/locations/[^/]+/queues/[^/]+/tasks")


class TaskQueues:
    """The WSGI application."""

    def __init__(self, private_port: int) -> None:
        """`private_port` is where fireemu serves its queues."""
        self._private_port = private_port

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        try:
            answer = forward(environ, self._private_port)
        except OSError:
            return Answer.text(503, "fireemu is not ready.").send(start_response)
        created = environ["REQUEST_METHOD"] == "POST" and answer.status == 200
        if created and _QUEUE.fullmatch(environ["PATH_INFO"]):
            answer = dataclasses.replace(answer, body=_with_googles_name(answer.body))
        return answer.send(start_response)


def _with_googles_name(body: bytes) -> bytes:
    document = json.loads(body)
    name = document.get("task", {}).get("name", "")
    if not name.startswith("projects/"):
        return body
    document["task"]["name"] = f"/{name}"
    return json.dumps(document).encode()
