"""The suite's functions, called from outside as apps, schedulers and queues call them."""

import dataclasses
import json as json_module
from collections.abc import Mapping
from typing import Any

from firesuite.errors import SuiteError
from firesuite.pytest.people import User
from firesuite.running import RunningSuite
from firesuite.suite import Suite

IDLE_SECONDS = 60.0


@dataclasses.dataclass(frozen=True, slots=True)
class Response:
    """What an HTTPS function answered; the headers by lower-case names."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    def json(self) -> Any:
        return json_module.loads(self.body)


class CallError(Exception):
    """A callable function refused: `status` is its word (`INVALID_ARGUMENT`), `details` what it added."""

    def __init__(self, status: str, message: str, details: Any) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status
        self.message = message
        self.details = details


class Functions:
    """The fixture `functions`."""

    def __init__(self, suite: Suite) -> None:
        self._suite = suite
        self._running = RunningSuite(f"http://{suite.environment['FIREBASE_EMULATOR_HUB']}", suite.status())

    def url(self, name: str) -> str:
        """Where an HTTPS or callable function answers."""
        return self._suite.function_url(name)

    def request(  # noqa: PLR0913 - by name only
        self,
        name: str,
        method: str = "GET",
        path: str = "",
        *,
        json: Any = None,
        data: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        user: User | None = None,
    ) -> Response:
        """Call an HTTPS function, at a path below its URL, as `user` where one is given."""
        body = json_module.dumps(json).encode() if json is not None else data
        sent = {"content-type": "application/json"} if json is not None else {}
        sent |= {**(user.headers if user else {}), **(headers or {})}
        answer = self._running.request(name, method, path, body, sent)
        return Response(answer.status, {key.lower(): value for key, value in answer.headers}, answer.body)

    def call(self, name: str, data: Any = None, *, user: User | None = None) -> Any:
        """The result of a callable function. Raises CallError when it refuses."""
        answer = json_module.loads(self._running.call(name, data, user.headers if user else {}).body)
        if "error" in answer:
            error = answer["error"]
            raise CallError(error.get("status", ""), error.get("message", ""), error.get("details"))
        return answer.get("result")

    def enqueue(self, name: str, data: Any = None) -> str:
        """Put a task into a function's queue; the name of the task."""
        return self._running.enqueue(name, data)

    def run(self, name: str) -> None:
        """Run a scheduled function now, and wait until it is done."""
        self._running.require_schedule(name)
        self._suite.control.run_function(name)
        self.await_idle()

    def await_idle(self) -> None:
        """Wait until every event and task is done with, and what came of them.

        Raises SuiteError after 30 s, or at once where an event waits for a retry, which is due when the `clock` moves.
        """
        if not self._suite.control.await_settled(IDLE_SECONDS):
            status = self._suite.control.functions()
            if status.retry_waiting:
                raise SuiteError(f"{status.retry_waiting} events failed and wait for a retry: advance the clock.")
            raise SuiteError(f"Not idle after {IDLE_SECONDS:g} s: {status}.")
