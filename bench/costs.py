"""What a call costs, here and in the references, and what that makes in a month: docs/costs.md.

    python -m bench.costs          measure, keep the figures in bench/results/costs.json, and write the page
    python -m bench.costs --write  write the page from the figures that were kept
    python -m bench.costs --check  fail where the page is not what the figures and prices make

Ours by route are counted by the adapter (`tests.costs`); the comparison by a proxy before Firestore (`bench.meter`),
whoever the client is. A month's cost follows from Google's list prices in bench/prices.json, without any discount.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "functions"))

FIGURES: Final = ROOT / "bench" / "results" / "costs.json"
PRICES: Final = ROOT / "bench" / "prices.json"
PAGE: Final = ROOT / "docs" / "costs.md"
USERS: Final = 100_000
SESSIONS: Final = 20
DAYS: Final = 30
GIB: Final = 2**30
# What is asked in a session, on average: an app is opened, the list is looked at twice and now and then scrolled far.
SESSION: Final[Mapping[str, float]] = {
    "home screen": 1,
    "list 20": 2,
    "list 20, page 5": 0.5,
    "get order": 2,
    "create order": 0.2,
}
DEEP: Final = 5
# The functions' own (exports.py).
VCPU, MEMORY_GIB = 1, 0.25
# An order with its event and indexes, and one line of the log: kilobytes, measured and rounded up.
ORDER_KB, LINE_KB = 4, 0.6


@dataclass(frozen=True, slots=True)
class Call:
    """What one request costs; `bytes` are those of the answer, compressed where the server does that."""

    reads: int
    writes: int
    deletes: int
    calls: int
    bytes: int


def measure() -> dict[str, Any]:
    """The figures that the page is made of."""
    return {"ours": _by_route(), "requests": _compared()}


def _by_route() -> list[dict[str, Any]]:
    from tests.backend import Backend  # noqa: PLC0415 (only who measures needs what only tests need)
    from tests.costs import measured  # noqa: PLC0415 (as above)
    from tests.people import People  # noqa: PLC0415 (as above)
    from tests.samples import World  # noqa: PLC0415 (as above)

    from firesuite.ports import Ports  # noqa: PLC0415 (as above)
    from firesuite.project import Project  # noqa: PLC0415 (as above)
    from firesuite.suite import Suite  # noqa: PLC0415 (as above)

    with ExitStack() as stack:
        backend = Backend(stack.enter_context(Suite(Project.load(ROOT), ports=Ports.free())))
        stack.callback(backend.close)
        people = People(backend)
        stack.callback(people.close)
        return [asdict(cost) for cost in measured(World(backend, people, backend.user(role="admin")))]


def _compared() -> dict[str, dict[str, dict[str, int]]]:
    """By request and server."""
    import httpx  # noqa: PLC0415 (as above)
    from bench.depth import path_of_page  # noqa: PLC0415 (as above)
    from bench.meter import Meter  # noqa: PLC0415 (as above)
    from bench.scenarios import SCENARIOS, check_equal  # noqa: PLC0415 (as above)
    from bench.servers import ALL  # noqa: PLC0415 (as above)
    from bench.stage import Stage  # noqa: PLC0415 (as above)

    figures: dict[str, dict[str, dict[str, int]]] = {}
    with Stage() as stage, ExitStack() as stack:
        (uid,) = stage.reset(users=1, orders=20 * (DEEP + 1))
        (caller,) = stage.callers(1, [uid])
        meter = stack.enter_context(Meter(stage.firestore_host))
        servers = [stack.enter_context(stage.server(kind, FIRESTORE_EMULATOR_HOST=meter.host)) for kind in ALL]
        check_equal(servers, caller)
        for server in servers:
            http = httpx.Client(base_url=f"http://127.0.0.1:{server.port}", timeout=60)
            stack.callback(http.close)
            http.headers.update({"Authorization": f"Bearer {caller.token}", "Accept-Encoding": "gzip"})
            asked = [(s.name, s.make(caller)) for s in SCENARIOS]
            paths = [(name, request.method, request.path, request.body) for name, request in asked]
            paths.append((f"list 20, page {DEEP}", "GET", path_of_page(server.kind, http, DEEP), None))
            for name, method, path, body in paths:
                before = meter.total()
                answer = http.request(method, path, json=body)
                answer.raise_for_status()
                bill = meter.total() - before
                size = int(answer.headers["Content-Length"])
                call = Call(bill.reads, bill.writes, bill.deletes, bill.calls, size)
                figures.setdefault(name, {})[server.kind.title] = asdict(call)
    return figures


@dataclass(frozen=True, slots=True)
class Month:
    """US dollars."""

    firestore: float
    cloud_run: float
    network: float

    @property
    def total(self) -> float:
        return self.firestore + self.cloud_run + self.network


def month(requests: Mapping[str, Mapping[str, Mapping[str, int]]], server: str, prices: Mapping[str, Any]) -> Month:
    """What USERS cost by list prices, less what is free. Each request is billed as if it was alone: the most it may."""
    sessions = USERS * SESSIONS

    def total(what: str) -> float:
        return sessions * sum(times * requests[name][server][what] for name, times in SESSION.items())

    database, run, network = prices["firestore"], prices["cloud_run"], prices["network"]
    firestore = sum(
        max(0.0, total(what) - DAYS * database[f"free_{what}_day"]) / 100_000 * database[f"{what}_per_100k"]
        for what in ("reads", "writes", "deletes")
    )
    count = sessions * sum(SESSION.values())
    seconds = count * run["billed_in_seconds_of"]
    free = run["free_usd"]
    cloud_run = (
        max(0.0, seconds * VCPU * run["vcpu_second"] - free["cpu"])
        + max(0.0, seconds * MEMORY_GIB * run["gib_second"] - free["memory"])
        + max(0.0, count / 1e6 * run["requests_per_million"] - free["requests"])
    )
    # Half a kilobyte of headers each.
    egress = (total("bytes") + count * 512) / GIB * network["gib_to_1_tib"]
    return Month(firestore, cloud_run, egress)


def page(figures: Mapping[str, Any], prices: Mapping[str, Any]) -> str:
    """docs/costs.md."""
    requests = figures["requests"]
    servers = list(next(iter(requests.values())))
    compared = [
        (name, *(_said(requests[name][server]) for server in servers))
        for name in (*SESSION, *(name for name in requests if name not in SESSION))
    ]
    costs = [(server, month(requests, server, prices)) for server in servers]
    bills = [
        (server, *(f"{usd:,.2f}" for usd in (cost.firestore, cost.cloud_run, cost.network, cost.total)))
        for server, cost in costs
    ]
    columns = ("reads", "writes", "deletes", "calls", "waits", "identity")
    parts = (
        _HEAD,
        _table(("reads / writes / calls / bytes", *servers), compared),
        _MIDDLE,
        _table(("USD a month", "Firestore", "Cloud Run", "network", "together"), bills),
        _beside(prices),
        _LAST,
        _table(("route", *columns), [_row(cost, columns) for cost in figures["ours"]]),
    )
    return "\n".join(parts) + "\n"


_HEAD: Final = f"""# What it costs

Generated by `make costs`; `make lint` checks it, and a test holds the figures against the code. Prices are Google's
list prices for Sydney, in one file with their sources and how each was checked:
[bench/prices.json](../bench/prices.json).

## A request, here and elsewhere

The same requests to Wattle and to the references in `bench/reference`, which answer the same, counted by a proxy
between each server and Firestore. The list has 20 orders a page; the references page by offset, so page {DEEP} also
reads the pages before it. Calls that go side by side, such as a home screen's, count one each; an order is made without
an `Idempotency-Key`. Bytes are those of the answer to a client that takes gzip.
"""
_MIDDLE: Final = f"""
## A month

{USERS:,} users with {SESSIONS} sessions each. A session:
{", ".join(f"{n:g} x {name}" for name, n in SESSION.items())}.
Every request is billed as if it ran alone, rounded up to 100 ms of one vCPU and 256 MiB: that is the most it can be,
and what it is at a few requests a second. At more, requests share an instance, and what counts is CPU time:
[bench/results/work.txt](../bench/results/work.txt). What is free is subtracted; discounts are not. The references
do not compress, as the guides they follow do not; a team that adds that pays for the network what Wattle does.
"""
_LAST: Final = """## Every route

As the adapter counts a plain, successful call, and cases in which the bill depends on what is asked. `calls` are those
to Firestore, `waits` those of them that follow one another, `identity` calls to Identity Toolkit.
"""


def _beside(prices: Mapping[str, Any]) -> str:
    orders = USERS * SESSIONS * SESSION["create order"]
    gib = orders * ORDER_KB * 1024 / GIB
    lines = USERS * SESSIONS * sum(SESSION.values()) * LINE_KB * 1024 / GIB
    logging, storage = prices["logging"], prices["firestore"]["storage_gib_month"]
    return f"""
Beside that, whoever serves it:

- {orders:,.0f} orders of {ORDER_KB} KiB with their indexes: {gib:.1f} GiB more each month, USD {gib * storage:.2f} a
  month for each month's;
- {lines:.1f} GiB of log, of which {logging["free_gib"]} GiB are free;
- sign-in: nothing with Firebase Authentication, USD {people(USERS, prices):,.2f} with Identity Platform;
- FCM: nothing.
"""


def people(active: float, prices: Mapping[str, Any]) -> float:
    """What so many monthly active users cost with Identity Platform, US dollars."""
    cost, below = 0.0, 0.0
    for up_to, price in prices["identity_platform"]["monthly_active_users"]:
        upper = active if up_to is None else min(active, up_to)
        cost += max(0.0, upper - below) * price
        below = upper
    return cost


def _said(call: Mapping[str, int]) -> str:
    return f"{call['reads']} / {call['writes']} / {call['calls']} / {call['bytes']:,}"


def _row(cost: Mapping[str, Any], columns: Sequence[str]) -> tuple[str, ...]:
    name = f"`{cost['route']}`" + (f", {cost['case']}" if cost["case"] else "")
    return (name, *(str(cost[column]) for column in columns))


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, rule, *rows))


def kept() -> tuple[dict[str, Any], dict[str, Any]]:
    """The figures and the prices."""
    return json.loads(FIGURES.read_text(encoding="utf-8")), json.loads(PRICES.read_text(encoding="utf-8"))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.costs", description="docs/costs.md")
    parser.add_argument("--check", action="store_true", help="only compare")
    parser.add_argument("--write", action="store_true", help="do not measure")
    options = parser.parse_args()
    if not (options.check or options.write):
        FIGURES.write_text(json.dumps(measure(), indent=1) + "\n", encoding="utf-8")
    text = page(*kept())
    if not options.check:
        PAGE.write_text(text, encoding="utf-8")
    elif PAGE.read_text(encoding="utf-8") != text:
        print("docs/costs.md is not what its figures and prices make: make costs", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
