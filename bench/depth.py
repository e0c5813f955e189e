"""The first page and the thousandth of one user's orders: time, and what is billed."""

from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import replace
from statistics import median
from time import perf_counter
from typing import Any, Final

import grpc
import httpx
from bench.meter import Meter
from bench.scenarios import Caller
from bench.servers import ALL, WATTLE, Kind, Server
from bench.stage import Report, Stage

from wattle.adapters.firestore import Query, Reference
from wattle.adapters.firestore import messages as m
from wattle.kit.retry import Deadline

LIMIT: Final = 20
REPEATS: Final = 9
# What a server has compiled and cached by then, all have: the way to the last page by cursor is 200 requests long.
WARMING: Final = 200
_EXPLANATION: Final = f"""
Pages of 20. The local Firestore looks at the whole collection for each query, which production does not: a bare
query for the same page, from the same machine and through the same proxy, is measured beside it and subtracted.
Milliseconds, medians, after {WARMING} calls of each server's page 1 and a first one of each page that do not
count. Billed reads are counted on the wire, between the server and Firestore, with the documents that an offset
skips (Firestore bills them).
"""


def measure(report: Report, *, orders: int) -> None:
    last = orders // LIMIT
    with Stage() as stage, ExitStack() as stack:
        (uid,) = stage.reset(users=1, orders=orders)
        (caller,) = stage.callers(1, [uid])
        meter = stack.enter_context(Meter(stage.firestore_host))
        report.paragraph(_EXPLANATION)
        report.line(f"One user with {orders:,} orders; page {last:,} is the last.\n")
        rest = f"{'bare':>8}{'own':>8}{'reads':>8}"
        report.line(f"{'':<18}{'page 1':>9}{rest}{f'page {last:,}':>14}{rest}")
        bare = stack.enter_context(closing(_Bare(stage, meter, uid)))
        skipped = (last - 1) * LIMIT
        billed: dict[Kind, list[int]] = {kind: [] for kind in ALL}
        for kind in ALL:
            server = stack.enter_context(stage.server(kind, FIRESTORE_EMULATOR_HOST=meter.host))
            first, deep = _Page(server, caller, meter, 1), _Page(server, caller, meter, last)
            first.warm_up()
            ask = bare.by_cursor if kind.cursor else bare.by_offset
            text = f"{kind.title:<18}"
            for page, rows, width in ((first, 0, 9), (deep, skipped, 14)):
                reads, ms = page.measure()
                alone = ask(rows)
                text += f"{ms:>{width}.1f}{alone:>8.1f}{ms - alone:>8.1f}{reads:>8,}"
                billed[kind].append(reads)
            report.line(text)
    report.line()
    ours = billed[WATTLE]
    report.goal("Wattle's last page bills what its first does", [] if ours[0] == ours[1] else [f"{ours[1]:,} reads"])


class _Page:
    def __init__(self, server: Server, caller: Caller, meter: Meter, number: int) -> None:
        self._http = httpx.Client(
            base_url=f"http://127.0.0.1:{server.port}", headers={"Authorization": f"Bearer {caller.token}"}, timeout=60
        )
        self._meter = meter
        self._path = path_of_page(server.kind, self._http, number)

    def warm_up(self) -> None:
        for _ in range(WARMING):
            self._get()

    def measure(self) -> tuple[int, float]:
        """Billed reads of one request, and its milliseconds."""
        before = self._meter.total()
        page = self._get()
        reads = (self._meter.total() - before).reads
        assert len(page["data"]) == LIMIT, "the page is not full"
        return reads, _time(self._get)

    def _get(self) -> Any:
        answer = self._http.get(self._path)
        answer.raise_for_status()
        return answer.json()


def path_of_page(kind: Kind, http: httpx.Client, number: int) -> str:
    """The path of a page of a list, whichever way this server pages."""
    if not kind.cursor:
        return f"/v1/orders?limit={LIMIT}&page={number}"
    left, cursor = (number - 1) * LIMIT, ""
    while left:
        # A cursor holds for any limit: the way there is shorter in larger steps.
        step = min(100, left)
        cursor = "&cursor=" + http.get(f"/v1/orders?limit={step}{cursor}").json()["pagination"]["nextCursor"]
        left -= step
    return f"/v1/orders?limit={LIMIT}{cursor}"


class _Bare:
    """The query itself, on a channel of its own: what the local Firestore takes, the proxy, and gRPC."""

    def __init__(self, stage: Stage, meter: Meter, uid: str) -> None:
        self._stage = stage
        self._root = f"projects/{stage.project_id}/databases/(default)/documents"
        self._query = Query(
            "orders",
            where=[("userId", "==", uid), ("deletedAt", "==", None)],
            order_by=[("createdAt", "desc"), ("__name__", "desc")],
            limit=LIMIT,
        )
        self._channel = grpc.insecure_channel(meter.host)
        self._run = self._channel.unary_stream("/google.firestore.v1.Firestore/RunQuery")

    def close(self) -> None:
        self._channel.close()

    def by_offset(self, offset: int) -> float:
        """Milliseconds."""
        return self._ask(self._query, offset)

    def by_cursor(self, rows: int) -> float:
        """Milliseconds, from after so many rows on."""
        if rows == 0:
            return self._ask(self._query, 0)
        before = self._stage.firestore.query(replace(self._query, limit=rows, fields=["createdAt"]), Deadline.after(60))
        return self._ask(replace(self._query, after=(before[-1].data["createdAt"], Reference(before[-1].path))), 0)

    def _ask(self, query: Query, offset: int) -> float:
        request = m.RunQueryRequest(parent=self._root)
        query.write(request.structured_query, self._root)
        request.structured_query.offset = offset
        data = request.SerializeToString()
        return _time(lambda: list(self._run(data, metadata=[("authorization", "Bearer owner")], timeout=60)))


def _time(call: Callable[[], object]) -> float:
    call()
    times = []
    for _ in range(REPEATS):
        started = perf_counter()
        call()
        times.append((perf_counter() - started) * 1000)
    return median(times)
