"""Keeps fireemu's virtual clock beside the real one, for a suite that a person works with.

fireemu's clock stands still until it is moved. Left so, schedules never run, retries wait for ever, and after an hour
the ID tokens it issues have expired when they are issued. Documents' times are real ones and need no clock.

Moving the clock refuses requests that fireemu has read but not yet begun (UNAVAILABLE, "the session was reset while the
request was in flight"): 17 of 208 moves under a constant load of 100-document commits from four threads hit one. So the
clock is moved as seldom as can be: once a minute, because schedules are made of whole minutes; each second only while a
retry waits; and at a moment in which nobody writes.
"""

import contextlib
import threading
import time

from firesuite.control import ControlApi, ControlError

_LOOK_SECONDS = 1.0
_PERIOD_SECONDS = 60.0
# Nothing committed within this is taken for a quiet moment: a person's app and its functions leave such gaps all the
# time, a load that never does gets its tick after the longest wait.
_QUIET_SECONDS = 0.05
_LONGEST_WAIT_SECONDS = 15.0


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
        while not self._stopping.wait(_LOOK_SECONDS):
            # A fireemu that has gone is for the suite's watch over its processes to report.
            with contextlib.suppress(OSError, ControlError):
                if not self._is_due(last):
                    continue
                self._await_quiet()
                now = time.monotonic()
                self._control.advance_clock(now - last)
                last = now

    def _is_due(self, last: float) -> bool:
        """Whether the wall clock has begun another minute since the last move, or a retry waits for its time."""
        now, wall = time.monotonic(), time.time()
        if wall % _PERIOD_SECONDS < now - last:
            return True
        return self._control.functions().retry_waiting > 0

    def _await_quiet(self) -> None:
        deadline = time.monotonic() + _LONGEST_WAIT_SECONDS
        before = self._control.committed_versions()
        while not self._stopping.wait(_QUIET_SECONDS) and time.monotonic() < deadline:
            after = self._control.committed_versions()
            if after == before:
                return
            before = after
