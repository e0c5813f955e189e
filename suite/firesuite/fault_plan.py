"""Faults in what fireemu does itself, whoever the client is: a function, an app with a web SDK, the test.

A plan counts operations from the moment it is put: the second commit, the first invocation of a function. What happens
in the channel of one Python client, such as milliseconds of latency or a lost answer, is for `firesuite.faults`.
"""

import dataclasses
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from firesuite.control import ControlApi, ControlError
from firesuite.errors import SuiteError


@dataclasses.dataclass(frozen=True, slots=True)
class Fired:
    """A fault that happened: to the nth of all such operations."""

    operation: str
    occurrence: int
    function: str | None
    action: str


class FaultPlan:
    """The faults of one session of fireemu. Each method adds one; what was counted before that counts no more.

    Those of a function raise SuiteError for one that fireemu delivers nothing to.
    """

    def __init__(self, control: ControlApi) -> None:
        self._control = control
        self._rules: list[Mapping[str, Any]] = []

    def fail(self, operation: str, code: str = "UNAVAILABLE", *, nth: int = 1) -> None:
        """The nth `firestore.commit`, `firestore.read`, `firestore.beginTransaction` or `storage.upload`, `.read`,
        `.delete`, `.list` fails with a gRPC status, before it takes effect."""
        self._add({"operation": operation, "nth": nth}, {"type": "returnError", "code": code})

    def drop_connection(self, operation: str, *, nth: int = 1) -> None:
        """The connection of the nth operation breaks, before it takes effect."""
        self._add({"operation": operation, "nth": nth}, {"type": "dropConnection"})

    def deliver_twice(self, function: str, *, nth: int = 1) -> None:
        """The nth event of a function arrives a second time, as Eventarc's may."""
        self._add(self._of(function, "functions.deliver", nth), {"type": "duplicate", "count": 1})

    def crash(self, function: str, *, nth: int = 1) -> None:
        """What runs the function dies in its nth invocation, before the code runs; the event comes again at once."""
        self._add(self._of(function, "functions.invoke", nth), {"type": "crashRunner"})

    def time_out(self, function: str, *, nth: int = 1) -> None:
        """The nth event of a function takes too long; it is tried again if the function has retries."""
        self._add(self._of(function, "functions.invoke", nth), {"type": "timeout"})

    def lose(self, function: str, *, nth: int = 1) -> None:
        """The nth event of a function is given up without an attempt."""
        self._add(self._of(function, "functions.invoke", nth), {"type": "deadLetter"})

    def delay(self, function: str, seconds: int, *, nth: int = 1) -> None:
        """The nth event of a function waits until the virtual clock has moved so far."""
        self._add(self._of(function, "functions.invoke", nth), {"type": "delay", "seconds": seconds})

    @property
    def fired(self) -> tuple[Fired, ...]:
        """The faults that happened, in their order."""
        return tuple(
            Fired(entry["operation"], entry["occurrence"], entry.get("function"), entry["action"])
            for entry in self._control.fault_plan()["fired"]
        )

    def clear(self) -> None:
        """Nothing fails any more."""
        self._rules.clear()
        self._control.clear_fault_plan()

    def _add(self, match: Mapping[str, Any], action: Mapping[str, Any]) -> None:
        rules = [*self._rules, {"match": match, "action": action}]
        self._control.put_fault_plan(rules)
        self._rules = rules

    def _of(self, function: str, operation: str, nth: int) -> dict[str, Any]:
        try:
            known = self._control.functions().functions
        except ControlError as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise
            known = ()  # nothing is delivered to any
        if function not in known:
            raise SuiteError(f"No events are delivered to {function!r}, but to: {', '.join(known) or 'no function'}.")
        return {"operation": operation, "function": function, "nth": nth}
