"""Keeps fireemu's virtual clock beside the real one, for a suite that a person works with.

fireemu's clock stands still until it is moved. A call to Auth moves it, too, up to the real time where it is behind,
and never back; but what falls due then, a schedule or a retry, waits for the next move by hand. Documents' times are
real ones and need no clock.

Moving the clock refuses requests that fireemu has read but not yet begun (UNAVAILABLE, "the session was reset while the
request was in flight"): 17 of 208 moves under a constant load of 100-document commits from four threads hit one. So the
clock is moved as seldom as can be: once a minute, because schedules are made of whole minutes; each second only while a
retry waits; and at a moment in which nobody writes.
"""

import contextlib
import datetime as dt
import threading
import time

from firesuite.control import ControlApi, ControlError

_LOOK_SECONDS = 1.0
_PERIOD_SECONDS = 60.0
# Nothing committed within this is taken for a quiet moment: a person's app and its functions leave such gaps all the
# time, a load that never does gets its tick after the longest wait.
_QUIET_SECONDS = 0.05
_LONGEST_WAIT_SECONDS = 15.0


# A move by nothing would run nothing.
_LEAST_SECONDS = 0.001


class ClockTicker:
    """Moves the clock up to the real time; one that somebody set ahead of it by the time that has passed since, so that
    it stays as far ahead as they set it."""

    def __init__(self, control: ControlApi) -> None:
        self._control = control
        self._seen = dt.datetime.min.replace(tzinfo=dt.UTC)
        self._seen_at = time.monotonic()
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
                self._look()
                if not self._is_due(last):
                    continue
                self._await_quiet()
                last = time.monotonic()
                self._move()

    def _look(self) -> None:
        clock = self._control.clock()
        if clock != self._seen:
            self._seen, self._seen_at = clock, time.monotonic()

    def _move(self) -> None:
        self._look()
        behind = (dt.datetime.now(dt.UTC) - self._seen).total_seconds()
        passed = behind if behind >= 0 else time.monotonic() - self._seen_at
        self._seen = self._control.advance_clock(max(passed, _LEAST_SECONDS))
        self._seen_at = time.monotonic()

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
