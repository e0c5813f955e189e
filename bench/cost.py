"""What is billed for each request, ours and the references', and what that costs in a month."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final

from bench.load import run
from bench.meter import Bill, Meter
from bench.scenarios import SCENARIOS, Scenario, check_equal
from bench.servers import ALL, Kind
from bench.stage import Report, Stage

USERS: Final = 100_000
SESSIONS: Final = 20
# What a person does in a session, by scenario.
SESSION: Final[Mapping[str, float]] = {"home screen": 1, "list 20": 2, "get order": 3, "create order": 0.1}
DEEP_PAGES: Final = 0.1
"""Of the lists, those that are scrolled to page 10."""
_COUNT: Final = 40
_EXPLANATION: Final = """
Counted on the wire between each server and Firestore, as Firestore bills it, over {count} requests of each kind. Orders are created
without an Idempotency-Key, which the references do not have; with one, ours reads and writes one document more.
"""


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars for 100,000, Cloud Firestore (Standard edition), beyond the free quota."""

    reads: float
    writes: float
    deletes: float

    def of(self, bill: "Average") -> float:
        return (bill.reads * self.reads + bill.writes * self.writes + bill.deletes * self.deletes) / 100_000


@dataclass(frozen=True, slots=True)
class Average:
    """Of one request."""

    reads: float
    writes: float
    deletes: float
    calls: float
