"""The limits, each a token bucket: it holds `quota` requests and refills evenly within `window` seconds."""

from enum import Enum
from typing import NamedTuple


class Policy(NamedTuple):
    """`credit` and `lease` are for buckets that instances share: see `RateLimitService`. Both 0: in process only.

    A bucket in process counts what reaches this instance: with n instances a caller may get n times the quota.
    """

    name: str
    quota: int
    window: int
    credit: int = 0
    lease: int = 0

    @property
    def shared(self) -> bool:
        return self.lease > 0

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.quota / self.window

    def scaled(self, factor: int) -> "Policy":
        return Policy(self.name, self.quota * factor, self.window, self.credit * factor, self.lease * factor)


class Limits(Enum):
    """What a route's row names. The quota is for one user, or one network address where nobody is signed in."""

    # A busy screen makes about ten requests; a person taps once a second.
    GENERAL = Policy("general", quota=300, window=60)
    # A phone network may hide many phones behind one address, so this stops guessing by machines, not by people:
    # Identity Toolkit itself locks an account after a few wrong passwords.
    AUTH = Policy("auth", quota=60, window=60, credit=3, lease=10)
    # Nobody orders more often by hand; each order takes stock from others.
    ORDERS = Policy("orders", quota=30, window=60, credit=3, lease=5)
    # One may read everything that a person ever did.
    EXPORTS = Policy("exports", quota=10, window=3600, credit=1, lease=1)
