from datetime import timedelta

from wattle.adapters.firestore import Firestore, Transaction, Update
from wattle.kit.clock import Clock
from wattle.kit.retry import Deadline
from wattle.rate_limits.buckets import refilled
from wattle.rate_limits.policies import Policy


class RateLimitRepository:
    """`rateLimits/{key}`: tokens, updatedAt, and expiresAt, after which the bucket is full and its document of no use.

    A commit of which nobody knows whether it happened is repeated: a caller may then pay twice, never the other way.
    """

    def __init__(self, firestore: Firestore, clock: Clock) -> None:
        self._firestore = firestore
        self._clock = clock

    def take(self, policy: Policy, key: str, *, owed: int, deadline: Deadline) -> tuple[int, float]:
        """Pay the tokens `owed` and take a lease: how many tokens were granted (0 where there are none), and how many
        are left. One read, and one write unless there is nothing to pay or to take.
        """

        def work(transaction: Transaction) -> tuple[int, float]:
            path = f"rateLimits/{key}"
            (found,) = transaction.get([path])
            now = self._clock()
            tokens = float(policy.quota)
            if found is not None:
                elapsed = now - found.data["updatedAt"]
                tokens = refilled(policy, found.data["tokens"], elapsed.total_seconds())
            tokens -= owed
            granted = max(0, min(policy.lease, int(tokens)))
            if granted or owed:
                tokens -= granted
                bucket = {
                    "tokens": tokens,
                    "updatedAt": now,
                    "expiresAt": now + timedelta(seconds=2 * policy.window),
                }
                transaction.write(Update(path, bucket, upsert=True))
            return granted, tokens

        return self._firestore.transaction(work, deadline)
