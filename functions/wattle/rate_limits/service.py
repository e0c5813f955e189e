"""Rate limits that cost nothing until somebody is in a hurry.

A shared bucket is one document, so asking it for each request would cost each order one more read, one more write and
two round trips, and would make every order of a user wait for the one before. Instead an instance

- gives the first `credit` requests of a window on trust, and remembers that it owes them;
- then takes `lease` tokens at once from the shared bucket, paying what it owes, and hands them out itself;
- remembers a refusal until it ends, so that a flood costs nothing either.

What this costs: nothing for who makes up to `credit` requests a minute; for others one read, one write and two round
trips for every `lease` requests. What it gives away: `credit` requests a window for each further instance that a caller
reaches, so at most quota + instances x credit.
"""

import hashlib
import hmac
import logging
import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

from wattle.adapters.firestore import Firestore, FirestoreError
from wattle.errors import Code, WattleError
from wattle.kit.clock import Clock
from wattle.kit.retry import Deadline
from wattle.rate_limits.buckets import Buckets, Standing, standing
from wattle.rate_limits.policies import Limits, Policy
from wattle.rate_limits.repository import RateLimitRepository

logger = logging.getLogger(__name__)

# Four times what a healthy database takes at its 99th percentile: no order waits longer for a limiter in trouble,
_PATIENCE: Final = 0.4
# and for so long nobody asks it again.
_PAUSE: Final = 5.0
_SHARES_MOST: Final = 10_000


class RateLimited(WattleError):
    """`standing` says when the next request is let through."""

    code = Code.RATE_LIMITED
    retry_after = 1

    def __init__(self, standing: Standing) -> None:
        super().__init__(f"Too many requests. Wait {standing.reset} seconds and try again.")
        self.standing = standing
        self.retry_after = standing.reset


@dataclass(slots=True)
class _Share:
    """What this instance knows of a shared bucket; times are Unix seconds."""

    began: float
    tokens: float
    owed: int = 0
    on_credit: int = 0
    leased: int = 0
    refused_until: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)


class RateLimitService:
    """One for a process; safe to use from many threads. `scale` multiplies every quota."""

    def __init__(self, firestore: Firestore, clock: Clock, *, secret: str, scale: int) -> None:
        self._store = RateLimitRepository(firestore, clock)
        self._clock = clock
        # Who calls from where is personal data: the store is not to say it, nor to let it be guessed.
        self._key = hashlib.sha256(b"rate limit:" + secret.encode()).digest()
        self._policies = {limit: limit.value.scaled(scale) for limit in Limits}
        self._buckets = Buckets()
        self._shares: OrderedDict[str, _Share] = OrderedDict()
        self._lock = threading.Lock()
        self._paused_until = 0.0

    def take(self, limit: Limits, subject: str) -> Standing:
        """Count one request of `subject`, a user or an address. A store that does not answer lets it through.

        Raises:
            RateLimited.
        """
        policy = self._policies[limit]
        now = self._clock().timestamp()
        if policy.shared:
            key = hmac.digest(self._key, f"{policy.name}\n{subject}".encode(), "sha256").hex()[:40]
            granted, stands = self._take_shared(policy, key, now)
        else:
            granted, stands = self._buckets.take(policy, f"{policy.name}:{subject}", now)
        if not granted:
            raise RateLimited(stands)
        return stands

    def _take_shared(self, policy: Policy, key: str, now: float) -> tuple[bool, Standing]:
        share = self._share(policy, key, now)
        # Of a caller's requests at the same time one takes the lease, the others wait for it.
        with share.lock:
            if now - share.began >= policy.window:
                # By now the bucket is full again, whatever was owed.
                share.began, share.tokens = now, float(policy.quota)
                share.owed = share.on_credit = share.leased = 0
            if now < share.refused_until:
                return False, standing(policy, 1 - (share.refused_until - now) * policy.rate)
            if share.on_credit < policy.credit:
                share.on_credit += 1
                share.owed += 1
            elif share.leased or self._lease(policy, key, share, now):
                share.leased -= 1
            else:
                return False, standing(policy, share.tokens)
            return True, standing(policy, share.tokens + share.leased - share.owed)

    def _lease(self, policy: Policy, key: str, share: _Share, now: float) -> bool:
        """Fill the share from the store; false where the bucket is empty."""
        if now < self._paused_until:
            share.leased = 1
            return True
        try:
            granted, share.tokens = self._store.take(policy, key, owed=share.owed, deadline=Deadline.after(_PATIENCE))
        except FirestoreError as error:
            self._paused_until = now + _PAUSE
            logger.warning("the rate limiter's store does not answer: requests are let through", exc_info=error)
            share.leased = 1
            return True
        share.owed = 0
        share.leased = granted
        if not granted:
            share.refused_until = now + (1 - share.tokens) / policy.rate
        return granted > 0

    def _share(self, policy: Policy, key: str, now: float) -> _Share:
        with self._lock:
            share = self._shares.pop(key, None) or _Share(now, float(policy.quota))
            self._shares[key] = share
            if len(self._shares) > _SHARES_MOST:
                self._shares.popitem(last=False)
        return share
