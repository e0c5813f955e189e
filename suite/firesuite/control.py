"""A typed client of fireemu's control API, which it serves on the Auth port under `/v1`.

Durations are in seconds, times are aware datetimes. Every method raises ControlError, with fireemu's own words, when it
is refused.
"""

import dataclasses
import datetime as dt
import http.client
import json
import time
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from firesuite.ports import HOST

DEFAULT_SESSION = "default"
_RUNNER_SECONDS = 30


class ControlError(Exception):
    """fireemu refused a control request; `status` is the HTTP status."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclasses.dataclass(frozen=True, slots=True)
class Session:
    """A project with databases, users, faults and snapshots of its own."""

    name: str
    project: str


@dataclasses.dataclass(frozen=True, slots=True)
class FunctionsStatus:
    """What the event side does at the moment, in numbers of events."""

    functions: tuple[str, ...]
    runner_alive: bool
    pending: int
    running: int
    retry_waiting: int
    succeeded: int
    dead_lettered: int


class ControlApi:
    """Bound to one fireemu and one of its sessions; `session(...)` gives the same for another."""

    def __init__(
        self,
        auth_port: int,
        session: str = DEFAULT_SESSION,
        advanced: Callable[[float], None] = lambda _seconds: None,
    ) -> None:
        """`advanced` is told by how many seconds the clock was moved, for what is timed outside of fireemu."""
        self._port = auth_port
        self._session = session
        self._advanced = advanced

    def session(self, name: str) -> "ControlApi":
        return ControlApi(self._port, name, self._advanced)

    def create_session(self, project: str) -> Session:
        """A session of its own for `project`, an id that no other session has."""
        answer = self._call("POST", "/v1/sessions", {"project": project})
        return Session(answer["name"], answer["project"])

    def sessions(self) -> tuple[Session, ...]:
        answer = self._call("GET", "/v1/sessions")
        return tuple(Session(entry["name"], entry["project"]) for entry in answer["sessions"])

    def delete_session(self) -> None:
        """Wipe this session's project and forget it. The default session cannot be deleted."""
        self._call("DELETE", self._path(""))

    def reset(self) -> None:
        """Empty this session's databases, users and buckets. Outstanding events are dropped."""
        self._call("POST", self._path("/reset"), {})
        self._await_runner()

    def clock(self) -> dt.datetime:
        """The virtual clock's time. It is not moved by reading it."""
        return _time(self._call("GET", self._path(""))["clock"]["clock"])

    def advance_clock(self, seconds: float) -> dt.datetime:
        """Move the virtual clock forward; schedules and retries that fall due run. The clock's new time."""
        answer = self._call("POST", self._path("/clock:advance"), {"millis": round(seconds * 1000)})
        self._advanced(seconds)
        return _time(answer["clock"])

    def set_clock(self, instant: dt.datetime) -> dt.datetime:
        """Set the virtual clock, also backwards; schedules that fall due in between run. The clock's new time."""
        body = {"instant": _rfc3339(instant), "allowBackwards": True}
        return _time(self._call("POST", self._path("/clock:set"), body)["clock"])

    def put_fault_plan(self, rules: Sequence[Mapping[str, Any]]) -> None:
        """Replace the faults. A rule: `{"match": {"operation": "firestore.commit", "nth": 2}, "action":
        {"type": "returnError", "code": "ABORTED"}}`."""
        self._call("PUT", self._path("/faultPlan"), {"rules": list(rules)})

    def fault_plan(self) -> Mapping[str, Any]:
        """The plan, the faults that fired and the counters of operations."""
        return self._call("GET", self._path("/faultPlan"))

    def clear_fault_plan(self) -> None:
        self._call("DELETE", self._path("/faultPlan"))

    def snapshot(self, name: str) -> None:
        """Keep this session's state under a name; 16 names at most, the same name replaces."""
        self._call("POST", self._path("/snapshots"), {"name": name})

    def restore(self, name: str) -> None:
        """Bring back the state of a snapshot. Raises ControlError while events are outstanding."""
        self._call("POST", self._path(f"/snapshots/{quote(name)}:restore"), {})
        self._await_runner()

    def delete_snapshot(self, name: str) -> None:
        self._call("DELETE", self._path(f"/snapshots/{quote(name)}"))

    def await_idle(self, seconds: float = 60) -> bool:
        """Wait until all events and tasks are done with, their retries too; False when they are not in time.

        A retry waits for the virtual clock: with one outstanding, advance it first.
        """
        try:
            self._call("POST", f"/v1/sessions/{self._session}:awaitIdle", {"timeoutSeconds": seconds})
        except ControlError as error:
            if error.status == HTTPStatus.GATEWAY_TIMEOUT:
                return False
            raise
        return True

    def await_settled(self, seconds: float) -> bool:
        """Like `await_idle`, but where nothing is left but retries, which wait for the clock, it is False at once."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            status = self.functions()
            busy = status.pending or status.running
            if status.retry_waiting and not busy:
                return False
            if not busy and self.await_idle(1):  # which waits for tasks too
                return True
            time.sleep(0.002)
        return False

    def functions(self) -> FunctionsStatus:
        answer = self._call("GET", self._path("/functions"))
        return FunctionsStatus(
            functions=tuple(answer["functions"]),
            runner_alive=answer["runnerAlive"],
            pending=answer["pending"],
            running=answer["running"],
            retry_waiting=answer["retryWaiting"],
            succeeded=answer["succeeded"],
            dead_lettered=answer["deadLettered"],
        )

    def committed_versions(self) -> int:
        """How many versions of documents the session's databases keep: each write adds one."""
        services = self._call("GET", self._path("/resources"))["services"]
        gauges = (gauge for service in services for gauge in service["gauges"])
        return next(int(gauge["current"]) for gauge in gauges if gauge["id"] == "history.session_versions")

    def run_function(self, name: str) -> None:
        """Run a scheduled function now."""
        self._call("POST", self._path(f"/functions/{quote(name)}:run"), {})

    def rules_requests(self) -> Sequence[Mapping[str, Any]]:
        """The last 100 requests that the security rules judged, newest first, each with its trace.

        fireemu keeps them from the first call of this on.
        """
        requests: Sequence[Mapping[str, Any]] = self._call("GET", self._path("/rules/requests"))["requests"]
        return requests

    def is_live(self) -> bool:
        try:
            self._call("GET", "/health/live")
        except (OSError, ControlError):
            return False
        return True

    def _await_runner(self) -> None:
        """A reset or restore of the default session restarts the process with the twins, which takes about 0.2 s; the
        events of writes within it would be delivered out of order."""
        if self._session != DEFAULT_SESSION:
            return
        deadline = time.monotonic() + _RUNNER_SECONDS
        while not self._runner_is_back():
            if time.monotonic() > deadline:
                raise ControlError(503, f"The event side is not back after {_RUNNER_SECONDS} s.")
            time.sleep(0.01)

    def _runner_is_back(self) -> bool:
        try:
            status = self.functions()
        except ControlError as error:
            if error.status == HTTPStatus.NOT_FOUND:  # no function gets events, so that none has a twin
                return True
            raise
        return status.runner_alive or not status.functions

    def _path(self, rest: str) -> str:
        return f"/v1/sessions/{self._session}{rest}"

    def _call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        connection = http.client.HTTPConnection(HOST, self._port, timeout=60)
        try:
            payload = None if body is None else json.dumps(body)
            connection.request(method, path, payload, {"content-type": "application/json"})
            response = connection.getresponse()
            text = response.read()
        finally:
            connection.close()
        answer = _json(text)
        if response.status >= 400:
            raise ControlError(response.status, answer.get("error", {}).get("message", text.decode(errors="replace")))
        return answer


def _json(text: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(text or b"{}")
    except json.JSONDecodeError:
        return {}
    return answer if isinstance(answer, dict) else {}


def _time(text: str) -> dt.datetime:
    # fireemu counts nanoseconds, datetime microseconds.
    seconds, _, fraction = text.removesuffix("Z").partition(".")
    return dt.datetime.fromisoformat(f"{seconds}.{fraction[:6] or 0:0<6}+00:00")


def _rfc3339(instant: dt.datetime) -> str:
    return instant.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")
