"""What a session uses, and what that is billed by Google's list prices: for docs/costs.md and docs/scale.md."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Final

SESSIONS: Final = 20
"""A month and user, each on a day of its own."""
DAYS: Final = 30
GIB: Final = 2**30
DEEP: Final = 5
SCROLLED: Final = f"list 20, pages 2 to {DEEP}"
# What is asked in a session, on average: an app is opened, the list is looked at twice and now and then scrolled far,
# for which everybody asks for one page after the other.
SESSION: Final[Mapping[str, float]] = {
    "home screen": 1,
    "list 20": 2,
    SCROLLED: 0.5,
    "get order": 2,
    "create order": 0.2,
}
# The functions' own (exports.py).
VCPU, MEMORY_GIB = 1, 0.25
# Assumed: an event that sends a push waits for Firestore half a dozen times, and for FCM.
SENDING_SECONDS: Final = 0.5
HEADER_BYTES: Final = 512
# With indexes, measured and rounded up: an order with its event; one line of the log.
ORDER_KB, LINE_KB = 4, 0.6
# Estimated: the entry that Cloud Run itself writes for each request and event (run.googleapis.com/requests).
REQUEST_LOG_KB: Final = 1
# With indexes, estimated: an entry of the inbox, of the ledger, of the audit log, a further event of an order.
ENTRY_KB: Final = 1
# Three events and three entries of the audit log: what stays of an order's way to its customer.
KEPT_ENTRIES: Final = 6
ENTRY_DAYS: Final = 90


@dataclass(frozen=True, slots=True)
class Use:
    """Of Firestore, the API and the functions. `expired` are documents that the TTL policy deletes; `requests` go to
    the API, `events` start a function; `pushes` are messages to FCM; `bytes` those of the answers; `seconds` are those
    that instances are billed for where each request and event is alone on its instance."""

    reads: float = 0
    writes: float = 0
    deletes: float = 0
    expired: float = 0
    requests: float = 0
    events: float = 0
    pushes: float = 0
    bytes: float = 0
    seconds: float = 0

    def __add__(self, other: "Use") -> "Use":
        return Use(*(getattr(self, one.name) + getattr(other, one.name) for one in fields(self)))

    def __mul__(self, times: float) -> "Use":
        return Use(*(getattr(self, one.name) * times for one in fields(self)))


def asked(requests: Mapping[str, Mapping[str, Mapping[str, int]]], server: str, prices: Mapping[str, Any]) -> Use:
    """What a session's requests use."""
    total = Use()
    for name, times in SESSION.items():
        call = requests[name][server]
        figures = {what: call[what] for what in ("reads", "writes", "deletes", "requests", "bytes")}
        total += Use(**figures, seconds=call["requests"] * prices["cloud_run"]["billed_in_seconds_of"]) * times
    return total


def besides(steps: Mapping[str, Mapping[str, Mapping[str, float]]], prices: Mapping[str, Any]) -> Use:
    """What Wattle does besides in a session, and after its orders."""
    total = Use()
    for kind, times in (("session", 1.0), ("order", SESSION["create order"])):
        for step in steps[kind].values():
            shortest = prices["cloud_run"]["billed_in_seconds_of"]
            of_event = SENDING_SECONDS if step["pushes"] else shortest
            total += Use(**step, seconds=step["requests"] * shortest + step["events"] * of_event) * times
    return total


def firestore(use: Use, prices: Mapping[str, Any], *, free: bool) -> float:
    """US dollars a month. What the TTL policy deletes is never free."""
    database = prices["firestore"]
    billed = {
        what: max(0.0, getattr(use, what) - (DAYS * database[f"free_{what}_day"] if free else 0))
        for what in ("reads", "writes", "deletes")
    }
    billed["deletes"] += use.expired
    return sum(count / 1e5 * database[f"{what}_per_100k"] for what, count in billed.items())


def cloud_run(seconds: float, count: float, prices: Mapping[str, Any], *, free: bool) -> float:
    """US dollars for so many seconds of instances that answer so many requests and events."""
    run = prices["cloud_run"]
    spared = run["free_usd"] if free else dict.fromkeys(run["free_usd"], 0.0)
    return (
        max(0.0, seconds * VCPU * run["vcpu_second"] - spared["cpu"])
        + max(0.0, seconds * MEMORY_GIB * run["gib_second"] - spared["memory"])
        + max(0.0, count / 1e6 * run["requests_per_million"] - spared["requests"])
    )


def network(use: Use, prices: Mapping[str, Any]) -> float:
    """US dollars for the answers with their headers."""
    gib = (use.bytes + use.requests * HEADER_BYTES) / GIB
    usd, below = 0.0, 0.0
    for up_to, price in ((1024, "gib_to_1_tib"), (10 * 1024, "gib_to_10_tib"), (math.inf, "gib_above")):
        usd += max(0.0, min(gib, up_to) - below) * prices["network"][price]
        below = up_to
    return usd


def log_gib(use: Use) -> float:
    """A line of ours for each request and event, and an entry of Cloud Run's."""
    return (use.requests + use.events) * (LINE_KB + REQUEST_LOG_KB) * 1024 / GIB


def logging(use: Use, prices: Mapping[str, Any]) -> float:
    """US dollars."""
    return max(0.0, log_gib(use) - prices["logging"]["free_gib"]) * float(prices["logging"]["gib"])


def orders_gib(orders: float) -> float:
    return orders * ORDER_KB * 1024 / GIB


def kept_gib(orders: float) -> float:
    """What Wattle keeps for good with so many orders, besides them."""
    return orders * KEPT_ENTRIES * ENTRY_KB * 1024 / GIB


def entries_gib(expired: float) -> float:
    """What there is at any time of documents of which so many expire in a month."""
    return expired * ENTRY_DAYS / DAYS * ENTRY_KB * 1024 / GIB


def storage(gib: float, prices: Mapping[str, Any]) -> float:
    """US dollars a month."""
    return max(0.0, gib - prices["firestore"]["free_storage_gib"]) * float(prices["firestore"]["storage_gib_month"])


def people(active: float, prices: Mapping[str, Any]) -> float:
    """What so many monthly active users cost with Identity Platform, US dollars."""
    cost, below = 0.0, 0.0
    for up_to, price in prices["identity_platform"]["monthly_active_users"]:
        upper = active if up_to is None else min(active, up_to)
        cost += max(0.0, upper - below) * price
        below = upper
    return cost
