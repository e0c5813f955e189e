"""Answers that take the same time whatever they are about."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Pace:
    """Holds an answer back until `seconds` have passed, so that its time says nothing of what was found."""

    def __init__(
        self,
        seconds: float,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._seconds = seconds
        self._monotonic = monotonic
        self._pause = pause

    def begin(self) -> Callable[[], None]:
        """Start the time; calling the result waits for its end."""
        end = self._monotonic() + self._seconds
        return lambda: self._pause(max(0.0, end - self._monotonic()))

    @contextmanager
    def kept(self) -> Iterator[None]:
        """The block takes that long at least, also where it raises."""
        wait = self.begin()
        try:
            yield
        finally:
            wait()
