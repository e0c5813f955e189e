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
from dataclasses import asdict, dataclass, fields
from functools import reduce
from operator import add
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "functions"))

from bench.billing import DEEP, SCROLLED, SENDING_SECONDS, SESSION, SESSIONS, Use, asked, besides  # noqa: E402

from bench import billing  # noqa: E402 (the path is set above)

FIGURES: Final = ROOT / "bench" / "results" / "costs.json"
PRICES: Final = ROOT / "bench" / "prices.json"
PAGE: Final = ROOT / "docs" / "costs.md"
USERS: Final = 100_000
OURS: Final = "Wattle"


@dataclass(frozen=True, slots=True)
class Call:
    """What one request costs, or several `requests` together; `bytes` are those of the answers, compressed where the
    server does that."""

    reads: int
    writes: int
    deletes: int
    calls: int
    bytes: int
    requests: int = 1

    def __add__(self, other: "Call") -> "Call":
        return Call(*(getattr(self, one.name) + getattr(other, one.name) for one in fields(self)))


def measure() -> dict[str, Any]:
    """The figures that the page is made of."""
    from bench.besides import measured  # noqa: PLC0415 (only who measures needs what only tests need)
    from bench.stage import machine  # noqa: PLC0415 (as above)

    return {"machine": machine(), "ours": _by_route(), "requests": _compared(), "besides": measured()}


def _by_route() -> list[dict[str, Any]]:
    from tests.backend import Backend  # noqa: PLC0415 (as above)
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

            def ask(method: str, path: str, body: Any = None, http: httpx.Client = http) -> Call:
                before = meter.total()
                answer = http.request(method, path, json=body)
                answer.raise_for_status()
                bill = meter.total() - before
                size = int(answer.headers["Content-Length"])
                return Call(bill.reads, bill.writes, bill.deletes, bill.calls, size)

            calls = {}
            for scenario in SCENARIOS:
                request = scenario.make(caller)
                calls[scenario.name] = ask(request.method, request.path, request.body)
            pages = [ask("GET", path_of_page(server.kind, http, number)) for number in range(2, DEEP + 1)]
            calls[SCROLLED], calls[f"list 20, page {DEEP}"] = reduce(add, pages), pages[-1]
            for name, call in calls.items():
                figures.setdefault(name, {})[server.kind.title] = asdict(call)
    return figures


def page(figures: Mapping[str, Any], prices: Mapping[str, Any]) -> str:
    """docs/costs.md."""
    requests, steps = figures["requests"], figures["besides"]
    servers = list(next(iter(requests.values())))
    compared = [
        (name, *(_said(requests[name][server]) for server in servers))
        for name in (*SESSION, *(name for name in requests if name not in SESSION))
    ]
    sessions = USERS * SESSIONS
    bills = [(server, *_bill(asked(requests, server, prices) * sessions, prices, free=True)) for server in servers]
    more = besides(steps, prices) * sessions
    columns = ("reads", "writes", "deletes", "calls", "waits", "identity")
    besides_columns = ("reads", "writes", "expired", "requests", "events", "pushes")
    parts = (
        _HEAD.format(machine="\n".join(figures["machine"].splitlines())),
        _table(("reads / writes / calls / bytes", *servers), compared),
        _MONTH,
        _table(("USD a month", *_BILL), bills),
        _BESIDES,
        *(
            text
            for kind, steps_of_kind in steps.items()
            for text in (
                _table(
                    (f"for each {kind}", *besides_columns),
                    [_step(*one, besides_columns) for one in steps_of_kind.items()],
                ),
                "",
            )
        ),
        "In that month, with all that is free used up by the requests above:\n",
        _table(("USD a month", *_BILL), [("what Wattle does besides", *_bill(more, prices, free=False))]),
        _beside(asked(requests, OURS, prices) * sessions, more, prices),
        _DIRECTLY,
        _LAST,
        _table(("route", *columns), [_row(cost, columns) for cost in figures["ours"]]),
    )
    return "\n".join(parts) + "\n"


_HEAD: Final = """# What it costs

Generated by `make costs`; `make lint` checks it, and a test holds what each of Wattle's routes costs against the code.
Prices are Google's list prices for Sydney, in one file with their sources and how each was checked:
[bench/prices.json](../bench/prices.json). The counts are of

```text
{machine}
```

## A request, here and elsewhere

The same requests to Wattle and to the references in `bench/reference`, which answer the same, counted by a proxy
between each server and Firestore. The list has 20 orders a page; the references page by offset, so each page also
reads those before it. Calls that go side by side, such as a home screen's, count one each; an order is made without
an `Idempotency-Key`. Bytes are those of the answer to a client that takes gzip.
"""
_MONTH: Final = f"""
## A month of what all three do

{USERS:,} users with {SESSIONS} sessions each. A session:
{", ".join(f"{n:g} x {name}" for name, n in SESSION.items())}.
Whoever scrolls to page {DEEP} asks for the pages before it, in all three. Every request is billed as one that has a
warm instance to itself and is answered within 100 ms: 100 ms of one vCPU and 256 MiB. Requests that overlap share an
instance and cost less, and what counts then is CPU time: [bench/results/work.txt](../bench/results/work.txt). A cold
start costs more, as `min_instances` is 0: its time is billed, too ([cold](../bench/results/cold.txt)). What is free is
subtracted; discounts are not. The references do not compress, as the guides they follow do not; a team that adds that
pays for the network what Wattle does.
"""
_BILL: Final = ("Firestore", "Cloud Run", "network", "together")
_BESIDES: Final = f"""
## What Wattle does besides

The references have nothing of this, so it is not in the table above, and not in their month: no `Idempotency-Key`, no
registered devices, no inbox with its counter, no push and no ledger of it, no administrator who moves an order, no
TTL. A team that adds them pays for them. Counted by the adapter, with customers of whom half have one phone and half
two. `expired` are documents that the TTL policy deletes after their time: Google bills them as deletes, and none of
them is free. `events` start a function. A session registers its phone once, and each session of a month is on a day of
its own: a renewal writes once a day at most. Rate limits leave no document: up to three orders a minute are let through
on trust (`rate_limits/service.py`), and whoever is faster leaves one, which expires. An event that sends a push is
taken to last {SENDING_SECONDS:g} s, any other below 100 ms; Firestore's events themselves are taken to be free.
"""
_DIRECTLY: Final = """
## What apps read directly

The [rules](../rules/firestore.rules) let an app read its user's profile, messages and orders, and the products, past
the API: nothing is billed to Cloud Run, and the reads are Firestore's as always
([pricing](https://firebase.google.com/docs/firestore/pricing)).

- A listener bills a read for each document that it brings at first, at least one, and then one for each change. Its
  first 20 orders cost what `GET /v1/orders?limit=20` does, USD 0.0000076; what changes afterwards one read each, where
  an app that asks again pays for 20.
- A listener that was away for more than 30 minutes bills all of its documents again. An app that is opened once a day
  reads its 20 orders each day, as with the API; `updatedAfter` of the API then brings what has changed, for one read at
  least.
- The rule for an order's events looks up the order (`get()`): one read more for each query of events, however many it
  finds. No other rule reads a document.
- Marking a message as read directly is one write, and an event, which counts the unread messages again: two reads and a
  write. `POST /v1/notifications/{id}/read` costs two reads and two writes, and an event that
  finds the counter right for two reads.
"""
_LAST: Final = """
## Every route

As the adapter counts a plain, successful call, and cases in which the bill depends on what is asked. `calls` are those
to Firestore, `waits` those of them that follow one another, `identity` calls to Identity Toolkit.
"""


def _bill(use: Use, prices: Mapping[str, Any], *, free: bool) -> tuple[str, ...]:
    parts = (
        billing.firestore(use, prices, free=free),
        billing.cloud_run(use.seconds, use.requests + use.events, prices, free=free),
        billing.network(use, prices),
    )
    return tuple(f"{usd:,.2f}" for usd in (*parts, sum(parts)))


def _beside(use: Use, more: Use, prices: Mapping[str, Any]) -> str:
    orders = USERS * SESSIONS * SESSION["create order"]
    stored, kept, entries = billing.orders_gib(orders), billing.kept_gib(orders), billing.entries_gib(more.expired)
    database, free_gib = prices["firestore"], prices["logging"]["free_gib"]
    of_storage = database["storage_gib_month"]
    of_expired = more.expired / 1e5 * database["deletes_per_100k"]
    signed_in = billing.people(USERS, prices)
    return f"""
Of it USD {of_expired:.2f} are for the {more.expired:,.0f} documents that expire, in the long run as many as are made.

## Beside that

Whoever serves it:

- {orders:,.0f} orders of {billing.ORDER_KB} KiB with their indexes: {stored:.1f} GiB more each month, for which
  USD {stored * of_storage:.2f} a month are due from then on;
- {billing.log_gib(use):.1f} GiB of log, of which {free_gib} GiB are free;
- sign-in: nothing with Firebase Authentication, USD {signed_in:,.2f} with Identity Platform.

And what Wattle does besides:

- inbox and ledger, {billing.ENTRY_DAYS} days of about {billing.ENTRY_KB} KiB a document: {entries:.1f} GiB,
  USD {entries * of_storage:.2f} a month;
- events and audit log of the orders, kept for good: {kept:.1f} GiB more each month, for which
  USD {kept * of_storage:.2f} a month are due from then on;
- {billing.log_gib(more):.1f} GiB of log more;
- FCM: nothing.
"""


def _step(name: str, step: Mapping[str, float], columns: Sequence[str]) -> tuple[str, ...]:
    return (name, *(f"{step[column]:g}" for column in columns))


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
