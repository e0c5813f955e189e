"""Beyond one machine, in simulation: hot documents, instances, quotas and what a month costs. See docs/scale.md.

    python -m bench.simulate_scale           print it
    python -m bench.simulate_scale --keep    and keep it as bench/results/scale.txt, and its tables in docs/scale.md

Nothing here was measured at that size. What a request costs in CPU is read from bench/results/work.txt and what it is
billed from bench/results/costs.json; a session is that of docs/costs.md. The rest are the assumptions that are printed.
"""

import argparse
import math
import random
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from statistics import quantiles
from typing import Any, Final

from bench import costs
from wattle.catalog.stock import GATHERED_BELOW, SHARDED_FROM, SHARDS

POPULATIONS: Final = (10_000, 1_000_000, 100_000_000)
DAY: Final = 86_400
# The busiest second of a month against its average second.
PEAK: Final = 5
# Of an instance's CPU: above, p99 grows faster than what is saved (bench/results/latency.txt: 60 requests a second).
BUSY: Final = 0.6
# A transaction holds a document from its read to the end of its commit: two round trips of 8 ms and the commit's own.
HELD: Final = 0.02
PATIENCE: Final = 20.0
OURS: Final = "Wattle"
WORK: Final = costs.ROOT / "bench" / "results" / "work.txt"
RESULT: Final = costs.ROOT / "bench" / "results" / "scale.txt"
PAGE: Final = costs.ROOT / "docs" / "scale.md"
_QUOTE: Final = re.compile(r"(?<=^```text\n)(?P<table> *(?P<name>\S+).*?\n)(?=```)", re.DOTALL | re.MULTILINE)
_ROW: Final = re.compile(r"^(?P<name>[a-z].*?) +16 +(?P<per_second>\d+) ", re.MULTILINE)


@dataclass(slots=True)
class Sale:
    """One product and everybody who wants one at once. Times are seconds."""

    orders: int
    rate: float
    stock: int

    def single(self) -> list[float]:
        """How long each order takes where all count in one document."""
        free, waits = 0.0, []
        for at in self._arrivals():
            free = max(free, at) + HELD
            waits.append(free - at)
        return waits

    def sharded(self) -> list[float]:
        """The same as `catalog.stock` does it."""
        dice = random.Random(2)  # noqa: S311 (the same sale each time)
        free, held, own, product_free = [0.0] * SHARDS, [0] * SHARDS, self.stock, 0.0
        waits = []
        for at in self._arrivals():
            shard = dice.randrange(SHARDS)
            if own + sum(held) <= 0:
                waits.append(HELD / 2)  # the answer that it is sold out reads, and holds nothing
                continue
            gathered = own < GATHERED_BELOW
            if gathered:
                own, held = own + sum(held) - 1, [0] * SHARDS
                product_free = max(product_free, at) + HELD
                waits.append(product_free - at)
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
            waits.append(free[shard] - at)
        return waits

    def _arrivals(self) -> Iterator[float]:
        dice, at = random.Random(1), 0.0  # noqa: S311 (the same for both)
        for _ in range(self.orders):
            at += dice.expovariate(self.rate)
            yield at


def sales() -> Iterator[str]:
    yield "A product that everybody orders: how long an order waits for the document that counts the stock."
    yield f"10,000 orders at random moments, 20,000 in stock; a transaction holds a document {HELD * 1000:.0f} ms."
    yield f"Sharded from {SHARDED_FROM} pieces on: {SHARDS} shards, a hundredth lent at a time."
    yield ""
    rest = f"{'p99':>10}{'too late':>10}"
    yield f"{'orders/s':>10}{'one document: p50':>20}{rest}{'sharded: p50':>16}{rest}"
    for rate in (10, 40, 60, 200, 400):
        sale = Sale(10_000, rate, 20_000)
        yield f"{rate:>10}" + "".join(
            _waits(waits, width) for waits, width in ((sale.single(), 20), (sale.sharded(), 16))
        )
    yield ""


def _waits(waits: list[float], width: int) -> str:
    cuts = quantiles(waits, n=100)
    late = sum(wait > PATIENCE for wait in waits)
    return f"{cuts[49]:>{width - 2}.2f} s{cuts[98]:>8.2f} s{late:>10,}"


def cpu_of_requests() -> dict[str, float]:
    """Seconds of CPU of each request at 16 clients, as `make bench SECTIONS=work` printed them."""
    found = {match["name"]: 1 / int(match["per_second"]) for match in _ROW.finditer(WORK.read_text(encoding="utf-8"))}
    # A cursor makes every page cost what the first does.
    return found | {f"list 20, page {costs.DEEP}": found["list 20"]}


def populations(requests: Mapping[str, Any], prices: Mapping[str, Any]) -> Iterator[str]:
    cpu = cpu_of_requests()
    asked = sum(costs.SESSION.values())
    of_session = sum(times * cpu[name] for name, times in costs.SESSION.items())
    session = ", ".join(f"{times:g} x {name}" for name, times in costs.SESSION.items())
    yield f"A session: {session}; {costs.SESSIONS} a month and user."
    yield (
        f"CPU of a request {of_session / asked * 1000:.2f} ms (on the machine of work.txt), instances {BUSY:.0%} busy, "
        f"the busiest second {PEAK} times the average."
    )
    yield ""
    rows = [Population(users, requests, prices, asked, of_session) for users in POPULATIONS]
    lines: Mapping[str, Any] = {
        "requests/s, average": lambda p: f"{p.average:,.1f}",
        "requests/s, busiest": lambda p: f"{p.busiest:,.0f}",
        "instances, busiest": lambda p: f"{p.instances:,}",
        "reads/s, busiest": lambda p: f"{p.per_second('reads'):,.0f}",
        "writes/s, busiest": lambda p: f"{p.per_second('writes'):,.1f}",
        "orders/s, busiest": lambda p: f"{p.orders:,.1f}",
        "of one index range": lambda p: f"{p.orders / 500:.2%}",
        "of ten ranges": lambda p: f"{p.orders / 5000:.2%}",
        "messages/s, busiest": lambda p: f"{p.messages:,.0f}",
        "of FCM's 10,000/s": lambda p: f"{p.messages / 10_000:.2%}",
        "USD: Firestore": lambda p: f"{p.firestore:,.0f}",
        "USD: Cloud Run": lambda p: f"{p.cloud_run:,.0f}",
        "USD: network": lambda p: f"{p.network:,.0f}",
        "USD a month": lambda p: f"{p.firestore + p.cloud_run + p.network:,.0f}",
        "USD: Identity Pl.": lambda p: f"{costs.people(p.users, prices):,.0f}",
    }
    yield f"{'users':<24}" + "".join(f"{row.users:>16,}" for row in rows)
    for name, said in lines.items():
        yield f"{name:<24}" + "".join(f"{said(row):>16}" for row in rows)


class Population:
    """So many users, in the busiest second and in a month."""

    def __init__(
        self, users: int, requests: Mapping[str, Any], prices: Mapping[str, Any], asked: float, cpu: float
    ) -> None:
        self.users = users
        self._requests = requests
        self.sessions = users * costs.SESSIONS
        month = costs.DAYS * DAY
        count = self.sessions * asked
        self.average = count / month
        self.busiest = self.average * PEAK
        self.instances = max(1, math.ceil(self.busiest * cpu / asked / BUSY))
        self.orders = self.sessions * costs.SESSION["create order"] / month * PEAK
        # An order is confirmed, sent and delivered: three messages, to one phone and a half.
        self.messages = self.orders * 3 * 1.5
        database, run, network = prices["firestore"], prices["cloud_run"], prices["network"]
        self.firestore = sum(
            max(0.0, self._total(what) - costs.DAYS * database[f"free_{what}_day"]) / 1e5 * database[f"{what}_per_100k"]
            for what in ("reads", "writes", "deletes")
        )
        # An instance is billed while it serves at least one request: alone most of the time at first, CPU-bound later.
        alone = month * (1 - math.exp(-self.average * run["billed_in_seconds_of"]))
        seconds = max(alone, self.sessions * cpu / BUSY)
        free = run["free_usd"]
        self.cloud_run = (
            max(0.0, seconds * costs.VCPU * run["vcpu_second"] - free["cpu"])
            + max(0.0, seconds * costs.MEMORY_GIB * run["gib_second"] - free["memory"])
            + max(0.0, count / 1e6 * run["requests_per_million"] - free["requests"])
        )
        gib = (self._total("bytes") + count * 512) / costs.GIB
        tiers = ((1024, "gib_to_1_tib"), (10 * 1024, "gib_to_10_tib"), (math.inf, "gib_above"))
        self.network, below = 0.0, 0.0
        for up_to, price in tiers:
            self.network += max(0.0, min(gib, up_to) - below) * network[price]
            below = up_to

    def per_second(self, what: str) -> float:
        return self._total(what) / (costs.DAYS * DAY) * PEAK

    def _total(self, what: str) -> float:
        return self.sessions * sum(times * self._requests[name][OURS][what] for name, times in costs.SESSION.items())


def printed() -> Iterator[str]:
    """The lines of the simulation: the same for the same figures."""
    figures, prices = costs.kept()
    source = WORK.read_text(encoding="utf-8").splitlines()[1]
    yield "Beyond one machine: a simulation"
    yield f"CPU from bench/results/work.txt ({source}); prices of {prices['read_on']}"
    yield ""
    yield from sales()
    yield from populations(figures["requests"], prices)


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
