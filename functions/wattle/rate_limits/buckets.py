"""Token buckets in memory, and the arithmetic of all token buckets."""

import math
import threading
from collections import OrderedDict
from typing import Final, NamedTuple

from wattle.rate_limits.policies import Policy

# A bucket takes 260 bytes with its key: 5 MB at most. The one that was longest unused goes first.
BUCKETS_MOST: Final = 20_000


class Standing(NamedTuple):
    """Where a caller stands after a request: `remaining` requests now; `reset` seconds until the bucket is full, or,
    where it is empty, until the next request is let through."""

    policy: Policy
    remaining: int
    reset: int


def refilled(policy: Policy, tokens: float, seconds: float) -> float:
    """The tokens of a bucket that had `tokens` so many seconds ago."""
    return min(float(policy.quota), tokens + max(0.0, seconds) * policy.rate)


def standing(policy: Policy, tokens: float) -> Standing:
    """`tokens` are those left, below 1 where the next request has to wait."""
    if tokens < 1:
        return Standing(policy, 0, max(1, math.ceil((1 - tokens) / policy.rate)))
    return Standing(policy, int(tokens), math.ceil((policy.quota - tokens) / policy.rate))


class Buckets:
    """The buckets of one process. Times are in seconds, of any clock that goes forward."""

    def __init__(self, most: int = BUCKETS_MOST) -> None:
        self._most = most
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, policy: Policy, key: str, now: float) -> tuple[bool, Standing]:
        """Take one token, if there is one."""
        with self._lock:
            tokens, at = self._buckets.pop(key, (float(policy.quota), now))
            tokens = refilled(policy, tokens, now - at)
            granted = tokens >= 1
            if granted:
                tokens -= 1
            self._buckets[key] = (tokens, now)
            if len(self._buckets) > self._most:
                self._buckets.popitem(last=False)
        return granted, standing(policy, tokens)
