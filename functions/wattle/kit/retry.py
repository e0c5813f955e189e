"""Deadlines, and the pauses between attempts."""

import random
import time
from typing import NamedTuple


class Deadline(NamedTuple):
    """A moment on the monotonic clock (seconds) after which work for a request is in vain."""

    at: float

    @classmethod
    def after(cls, seconds: float) -> "Deadline":
        return cls(time.monotonic() + seconds)

    def remaining(self) -> float:
        """Seconds left, 0 when it has passed."""
        return max(0.0, self.at - time.monotonic())


def full_jitter(attempt: int, *, base: float, cap: float) -> float:
    """Seconds to wait before retry number `attempt` (0 is the first): uniform between 0 and `base * 2**attempt`.

    "Full jitter" of the AWS Architecture Blog, "Exponential Backoff And Jitter": of the schemes compared there it
    needs the least work in all when many clients contend for one thing.
    """
    return random.uniform(0, min(cap, base * 2**attempt))  # noqa: S311 (spreads load, guards nothing)
