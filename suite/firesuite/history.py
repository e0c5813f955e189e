"""What the services said lately, for `firesuite logs` and for tests."""

import collections
import dataclasses
import threading
import time

# A day of work says some thousands of lines; one of them is about 100 bytes.
_KEPT = 5_000


@dataclasses.dataclass(frozen=True, slots=True)
class Line:
    """One line of a service's output. `number` counts from 1, `at` is Unix time in seconds."""

    number: int
    at: float
    service: str
    text: str


class History:
    """The last lines. Called as a `firesuite.processes.Log`, from several threads."""

    def __init__(self) -> None:
        self._lines: collections.deque[Line] = collections.deque(maxlen=_KEPT)
        self._said = 0
        self._changed = threading.Condition()

    def __call__(self, service: str, text: str) -> None:
        with self._changed:
            self._said += 1
            self._lines.append(Line(self._said, time.time(), service, text))
            self._changed.notify_all()

    def after(self, number: int, *, seconds: float = 0.0) -> list[Line]:
        """The kept lines that came after this one; where there are none yet, those that come within `seconds`."""
        with self._changed:
            self._changed.wait_for(lambda: self._said > number, seconds)
            return [line for line in self._lines if line.number > number]
