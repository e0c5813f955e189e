"""Keeps fireemu's virtual clock beside the real one, for a suite that a person works with.

fireemu's clock stands still until it is moved. Left so, schedules never run, retries wait for ever, and after an hour
the ID tokens it issues have expired when they are issued.
"""

import contextlib
import threading
import time

from firesuite.control import ControlApi, ControlError

_TICK_SECONDS = 1.0


class ClockTicker:
    """Moves the clock by the time that has passed, so that a clock somebody set stays as far off as they set it."""

    def __init__(self, control: ControlApi) -> None:
        self._control = control
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="clock", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        last = time.monotonic()
        while not self._stopping.wait(_TICK_SECONDS):
            now = time.monotonic()
            # A fireemu that has gone is for the suite's watch over its processes to report.
            with contextlib.suppress(OSError, ControlError):
                self._control.advance_clock(now - last)
                last = now
