"""Beyond one machine, in simulation: hot documents, instances, quotas and what a month costs. See docs/scale.md.

    python -m bench.simulate_scale           print it
    python -m bench.simulate_scale --keep    and keep it as bench/results/scale.txt, and its tables in docs/scale.md

Nothing here was measured at that size. What a request costs in CPU is read from bench/results/work.txt and what it is
billed from bench/results/costs.json; a session, and what follows it, is that of docs/costs.md. The rest are the
assumptions that are printed.
"""

import argparse
import math
import random
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from statistics import quantiles
from typing import Any, Final, NamedTuple

from bench.billing import DEEP, SCROLLED, SESSION, SESSIONS, Use, asked, besides

from bench import billing, costs
from wattle.catalog.stock import GATHERED_BELOW, SHARDED_FROM, SHARDS

POPULATIONS: Final = (10_000, 1_000_000, 100_000_000)
DAY: Final = 86_400
# The busiest second of a month against its average second.
PEAK: Final = 5
# Of an instance's CPU: what Cloud Run has its instances at (https://cloud.google.com/run/docs/about-instance-autoscaling).
# bench/results/latency.txt says how long requests take at half of it.
BUSY: Final = 0.6
# Months after which storage is looked at.
MONTHS_KEPT: Final = 12
# Writes a second to an index range that grows (Firestore, "Quotas and limits").
RANGE: Final = 500
# The CPU of an event, assumed: that of so many orders.
EVENT_ORDERS: Final = 5
# A transaction holds a document from its read to the end of its commit: two round trips of 8 ms and the commit's own.
HELD: Final = 0.02
PATIENCE: Final = 20.0
# Writes a second to one document that Firestore takes for as long as one likes ("Soft limits").
SUSTAINED: Final = 1
WORK: Final = costs.ROOT / "bench" / "results" / "work.txt"
RESULT: Final = costs.ROOT / "bench" / "results" / "scale.txt"
PAGE: Final = costs.ROOT / "docs" / "scale.md"
_QUOTE: Final = re.compile(r"(?<=^```text\n)(?P<table> *(?P<name>\S+).*?\n)(?=```)", re.DOTALL | re.MULTILINE)
_ROW: Final = re.compile(r"^(?P<name>[a-z].*?) +16 +(?P<per_second>\d+) ", re.MULTILINE)


class Served(NamedTuple):
    """An order: how long it waited, when it was answered (seconds), and whether it got a piece."""

    waited: float
    at: float
    sold: bool


@dataclass(slots=True)
class Sale:
    """One product and everybody who wants one at once. Times are seconds."""

    orders: int
    rate: float
    stock: int

    def single(self) -> list[Served]:
        """Where all count in one document."""
        free, left, served = 0.0, self.stock, []
        for at in self._arrivals():
            if left <= 0:
                served.append(_sold_out(at))
                continue
            left -= 1
            free = max(free, at) + HELD
            served.append(Served(free - at, free, sold=True))
        return served

    def sharded(self) -> list[Served]:
        """The same as `catalog.stock` does it."""
        dice = random.Random(2)  # noqa: S311 (the same sale each time)
        free, held, own, product_free = [0.0] * SHARDS, [0] * SHARDS, self.stock, 0.0
        served = []
        for at in self._arrivals():
            shard = dice.randrange(SHARDS)
            if own + sum(held) <= 0:
                served.append(_sold_out(at))
                continue
            if own < GATHERED_BELOW:
                own, held = own + sum(held) - 1, [0] * SHARDS
                product_free = max(product_free, at) + HELD
                served.append(Served(product_free - at, product_free, sold=True))
                continue
            start = max(free[shard], at)
            if held[shard] == 0:
                held[shard] = max(1, own // 100)
                own -= held[shard]
                start = max(start, product_free)
                product_free = start + HELD
            held[shard] -= 1
            # One round trip more than in one document.
            free[shard] = start + HELD + HELD / 2
            served.append(Served(free[shard] - at, free[shard], sold=True))
        return served

    def _arrivals(self) -> Iterator[float]:
        dice, at = random.Random(1), 0.0  # noqa: S311 (the same for both)
        for _ in range(self.orders):
            at += dice.expovariate(self.rate)
            yield at


def _sold_out(at: float) -> Served:
    """That answer reads, and holds nothing."""
    return Served(HELD / 2, at + HELD / 2, sold=False)


def sales() -> Iterator[str]:
    yield "A product that everybody orders: how long an order waits for the document that counts the stock."
    yield f"10,000 orders at random moments, 20,000 in stock; a transaction holds a document {HELD * 1000:.0f} ms."
    yield f"Sharded from {SHARDED_FROM} pieces on: {SHARDS} shards, a hundredth lent at a time."
    yield "This is what locks allow, so it holds for a burst. For long Firestore advises about one write a second to a"
    yield f"document: {SUSTAINED} order/s of a product in one document, {SHARDS * SUSTAINED} of one in {SHARDS} shards."
    yield ""
    rest = f"{'p99':>10}{'too late':>10}"
    yield f"{'orders/s':>10}{'one document: p50':>20}{rest}{'sharded: p50':>16}{rest}"
    for rate in (1, 10, 40, 60, 200, 400):
        sale = Sale(10_000, rate, 20_000)
        yield f"{rate:>10}" + "".join(
            _waits(served, width) for served, width in ((sale.single(), 20), (sale.sharded(), 16))
        )
    yield ""
    yield "10,000 want 1,000 pieces, of which the last are counted in one document again: when all are sold, and how"
    yield "many a second. That a loan also waits for orders that are reading the product is not in it."
    yield ""
    yield f"{'wanted/s':>10}{'one document':>20}{'sold/s':>10}{'sharded':>16}{'sold/s':>10}"
    for rate in (200, 1_000):
        sale = Sale(10_000, rate, 1_000)
        yield f"{rate:>10,}" + "".join(
            _sold(served, width) for served, width in ((sale.single(), 20), (sale.sharded(), 16))
        )
    yield ""


def _sold(served: list[Served], width: int) -> str:
    last, count = max(order.at for order in served if order.sold), sum(order.sold for order in served)
    return f"{last:>{width - 2}.1f} s{count / last:>10.0f}"


def _waits(served: list[Served], width: int) -> str:
    waits = [order.waited for order in served]
    cuts = quantiles(waits, n=100)
    late = sum(wait > PATIENCE for wait in waits)
    return f"{cuts[49]:>{width - 2}.2f} s{cuts[98]:>8.2f} s{late:>10,}"


def cpu_of_requests() -> dict[str, float]:
    """Seconds of CPU of each request at 16 clients, as `make bench SECTIONS=work` printed them."""
    found = {match["name"]: 1 / int(match["per_second"]) for match in _ROW.finditer(WORK.read_text(encoding="utf-8"))}
    # A cursor makes every page cost what the first does.
    return found | {SCROLLED: (DEEP - 1) * found["list 20"]}


def populations(figures: Mapping[str, Any], prices: Mapping[str, Any]) -> Iterator[str]:
    cpu = cpu_of_requests()
    answering = asked(figures["requests"], costs.OURS, prices)
    more = besides(figures["besides"], prices)
    moves = sum(step["requests"] for step in figures["besides"]["order"].values())
    of_session = sum(times * cpu[name] for name, times in SESSION.items())
    # What the phone asks for and what administrators do is taken to cost what a created order does.
    event_cpu = EVENT_ORDERS * cpu["create order"]
    session = Session(answering + more, of_session + more.requests * cpu["create order"], more.events * event_cpu)
    said = ", ".join(f"{times:g} x {name}" for name, times in SESSION.items())
    yield f"A session: {said}; {SESSIONS} a month and user."
    yield (
        f"With what Wattle does besides: {session.use.requests:.1f} requests, {session.use.events:.1f} events, "
        f"{session.use.reads:.1f} reads, {session.use.writes:.1f} writes, {session.use.expired:.1f} deletes by TTL."
    )
    yield (
        f"CPU of a request {session.cpu / session.use.requests * 1000:.2f} ms (on the machine of work.txt), "
        f"of an event {event_cpu * 1000:.0f} ms (assumed: of {EVENT_ORDERS} orders),"
    )
    yield f"instances {BUSY:.0%} busy, the busiest second {PEAK} times the average."
    yield ""
    rows = [Population(users, session, prices) for users in POPULATIONS]
    lines: Mapping[str, Callable[[Population], str]] = {
        "requests/s, average": lambda p: f"{p.average(p.use.requests):,.1f}",
        "requests/s, busiest": lambda p: f"{p.busiest(p.use.requests):,.0f}",
        "events/s, busiest": lambda p: f"{p.busiest(p.use.events):,.0f}",
        "instances, busiest": lambda p: f"{p.instances:,}",
        "  for events": lambda p: f"{p.instances_for_events:,}",
        "reads/s, busiest": lambda p: f"{p.busiest(p.use.reads):,.0f}",
        "writes/s, busiest": lambda p: f"{p.busiest(p.use.writes):,.1f}",
        "orders/s, busiest": lambda p: f"{p.orders:,.1f}",
        "of one index range": lambda p: f"{p.orders / RANGE:.2%}",
        "of ten ranges": lambda p: f"{p.orders / RANGE / 10:.2%}",
        "devices/s, busiest": lambda p: f"{p.busiest(p.sessions):,.1f}",
        "of lastSeenAt's range": lambda p: f"{p.busiest(p.sessions) / RANGE:.2%}",
        "audit entries/s, busiest": lambda p: f"{p.orders * moves:,.1f}",
        "of auditLog's range": lambda p: f"{p.orders * moves / RANGE:.2%}",
        "messages/s, busiest": lambda p: f"{p.busiest(p.use.pushes):,.0f}",
        "of FCM's 10,000/s": lambda p: f"{p.busiest(p.use.pushes) / 10_000:.2%}",
        "USD: Firestore": lambda p: f"{p.firestore:,.0f}",
        "USD: Cloud Run": lambda p: f"{p.cloud_run:,.0f}",
        "USD: network": lambda p: f"{p.network:,.0f}",
        "USD: logging": lambda p: f"{p.logging:,.0f}",
        "USD: storage": lambda p: f"{p.storage:,.0f}",
        "USD a month": lambda p: f"{p.usd:,.0f}",
        "USD: Identity Pl.": lambda p: f"{billing.people(p.users, prices):,.0f}",
    }
    yield f"{'users':<24}" + "".join(f"{row.users:>16,}" for row in rows)
    for name, figure in lines.items():
        yield f"{name:<24}" + "".join(f"{figure(row):>16}" for row in rows)


class Session(NamedTuple):
    """What one uses with all that Wattle does besides; seconds of CPU for its requests, and for its events."""

    use: Use
    cpu: float
    event_cpu: float


class Population:
    """So many users, in the busiest second and in a month."""

    def __init__(self, users: int, session: Session, prices: Mapping[str, Any]) -> None:
        self.users = users
        self.sessions = users * SESSIONS
        self.use = session.use * self.sessions
        orders = self.sessions * SESSION["create order"]
        self.orders = self.busiest(orders)
        self.instances = self._instances(session.cpu)
        self.instances_for_events = self._instances(session.event_cpu)
        self.firestore = billing.firestore(self.use, prices, free=True)
        # An instance is billed while it serves at least one request: alone most of the time at first, CPU-bound later.
        # Events run on instances of their own.
        shortest = prices["cloud_run"]["billed_in_seconds_of"]
        of_events = self.use.seconds - self.use.requests * shortest
        seconds = max(self._occupied(self.use.requests * shortest), self.sessions * session.cpu / BUSY)
        seconds += max(self._occupied(of_events), self.sessions * session.event_cpu / BUSY)
        self.cloud_run = billing.cloud_run(seconds, self.use.requests + self.use.events, prices, free=True)
        self.network = billing.network(self.use, prices)
        self.logging = billing.logging(self.use, prices)
        gib = sum(kept(orders * MONTHS_KEPT) for kept in (billing.orders_gib, billing.kept_gib))
        gib += billing.entries_gib(self.use.expired)
        self.storage = billing.storage(gib, prices)

    @property
    def usd(self) -> float:
        return self.firestore + self.cloud_run + self.network + self.logging + self.storage

    def average(self, count: float) -> float:
        """A second, of so many a month."""
        return count / (billing.DAYS * DAY)

    def busiest(self, count: float) -> float:
        return self.average(count) * PEAK

    def _instances(self, cpu: float) -> int:
        return max(1, math.ceil(self.busiest(self.sessions) * cpu / BUSY))

    def _occupied(self, seconds: float) -> float:
        """How much of a month at least one of what takes so many seconds together is under way."""
        month = billing.DAYS * DAY
        return month * (1 - math.exp(-seconds / month))


def printed() -> Iterator[str]:
    """The lines of the simulation: the same for the same figures, on whatever machine."""
    figures, prices = costs.kept()
    measured = WORK.read_text(encoding="utf-8").partition("\n\n")[0].splitlines()[1:]
    yield "Beyond one machine: a simulation"
    yield "make costs"
    yield ""
    yield "CPU from bench/results/work.txt:"
    yield from measured
    yield "What is billed from bench/results/costs.json:"
    yield from figures["machine"].splitlines()
    yield f"Prices of {prices['read_on']}."
    yield f"Stored are the orders of {MONTHS_KEPT} months and the messages of {billing.ENTRY_DAYS} days."
    yield ""
    yield from sales()
    yield from populations(figures, prices)


def quoted(page: str, text: str) -> str:
    """The page with its tables as they are in `text`, where each is a paragraph with the same first word."""
    tables = {table.split(maxsplit=1)[0]: table.rstrip("\n") + "\n" for table in text.split("\n\n")}
    return _QUOTE.sub(lambda quote: tables[quote["name"]], page)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.simulate_scale", description="docs/scale.md")
    parser.add_argument("--keep", action="store_true", help="also write bench/results/scale.txt and docs/scale.md")
    options = parser.parse_args()
    text = "\n".join(printed()) + "\n"
    print(text, end="")
    if options.keep:
        RESULT.write_text(text, encoding="utf-8")
        PAGE.write_text(quoted(PAGE.read_text(encoding="utf-8"), text), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
