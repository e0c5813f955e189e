"""What a request is billed, counted as Firestore bills it.

Source: Firestore pricing, "Managing large result sets", "Minimum charge for queries", "Aggregation queries".
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from threading import Lock


@dataclass(slots=True)
class Usage:
    """Document reads, writes and deletes as billed; `round_trips` counts calls to Firestore, side by side or not."""

    reads: int = 0
    writes: int = 0
    deletes: int = 0
    round_trips: int = 0
    _lock: Lock = field(default_factory=Lock, repr=False, compare=False)

    def add(self, *, reads: int = 0, writes: int = 0, deletes: int = 0, round_trips: int = 0) -> None:
        with self._lock:
            self.reads += reads
            self.writes += writes
            self.deletes += deletes
            self.round_trips += round_trips


_current: ContextVar[Usage | None] = ContextVar("firestore_usage", default=None)


@contextmanager
def track_usage() -> Iterator[Usage]:
    """Count what is billed inside the block, also in threads that run in a copy of its context."""
    usage = Usage()
    token = _current.set(usage)
    try:
        yield usage
    finally:
        _current.reset(token)


def bill(*, reads: int = 0, writes: int = 0, deletes: int = 0, round_trips: int = 0) -> None:
    """Add to the block that is being counted, if there is one."""
    usage = _current.get()
    if usage is not None:
        usage.add(reads=reads, writes=writes, deletes=deletes, round_trips=round_trips)
