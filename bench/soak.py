"""Requests for half an hour while calls fail and connections break: does memory grow, and does a client see it?"""

import asyncio
import json
import random
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import mean
from time import sleep
from types import TracebackType
from typing import Final, NamedTuple, Self
from uuid import uuid4

from bench.load import Request, Result, run
from bench.scenarios import SCENARIOS, Caller
from bench.servers import WATTLE
from bench.stage import Report, Stage

RATE: Final = 50
USERS: Final = 20
ORDERS: Final = 40
# One call in a hundred fails before it is sent; every connection to Firestore breaks after up to ten seconds.
FAULTS: Final = "0.01"
_LONGEST_CONNECTION: Final = 10.0
FLAT: Final = 0.05
_BUSY: Final = 503
_RETRY_AFTER: Final = 2.0
_RETRIES: Final = 30
MIX: Final = ("get order", "get order", "list 20", "list 20, 3 fields", "home screen", "create order")
_EXPLANATION: Final = f"""
{RATE} requests a second at random moments: {", ".join(MIX)}. Of the calls to Firestore {float(FAULTS):.0%} fail
with DEADLINE_EXCEEDED before they leave, and each connection breaks, in the middle of whatever it carries,
after at most {_LONGEST_CONNECTION:.0f} s. Who is told 503 with Retry-After waits and asks again
with the same Idempotency-Key, as apps are told to, until he is answered; any other answer but 200 or 201
ends the run. Memory is what a container pays for, MB (see concurrency).
"""
_WHY: Final = """
One cause is known: the answer to the read that begins a transaction is lost with its connection. Nobody knows that
transaction then, and the local Firestore keeps its locks for 60 seconds: whoever writes the same documents, such
as the order of that Idempotency-Key, waits as long. To begin with a call of its own would prevent it, at one call
to Firestore more for every change; Google's own clients begin as Wattle does.
"""


class BreakingRelay:
    """Hands bytes on to the local Firestore, and breaks each connection after a random time; a context manager."""

    def __init__(self, target: str) -> None:
        host, _, port = target.partition(":")
        self._target = (host, int(port))
        self._loop = asyncio.new_event_loop()
        self._server = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.host = f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        self.broken = 0
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._server.close()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up_reader, up_writer = await asyncio.open_connection(*self._target)
        both = [
            asyncio.ensure_future(_pump(reader, up_writer)),
            asyncio.ensure_future(_pump(up_reader, writer)),
        ]
        until = random.uniform(1, _LONGEST_CONNECTION)  # noqa: S311 (chance, not secrecy)
        _, running = await asyncio.wait(both, timeout=until, return_when=asyncio.FIRST_COMPLETED)
        for task in running:
            task.cancel()
        self.broken += 1
        for side in (writer, up_writer):
            side.transport.abort()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()


class Soaked(NamedTuple):
    """The growth of memory from the second third to the last, as a share; how many requests were told to wait."""

    growth: float
    waited: int
    requests: int


def measure(report: Report, *, minutes: float, slices: int) -> Soaked:
    """Requests go out in so many slices.

    Raises:
        RuntimeError: an answer that is neither 200, 201 nor 503, or 503 again and again.
    """
    count = max(1, int(RATE * minutes * 60 / slices))
    with Stage() as stage, BreakingRelay(stage.firestore_host) as relay:
        callers = stage.callers(USERS, stage.reset(users=USERS, orders=ORDERS))
        report.paragraph(_EXPLANATION)
        report.line(f"{minutes:g} minutes.\n")
        report.line(f"{'minute':>8}{'requests':>10}{'broken':>8}{'waited':>8}{'p50':>8}{'p99':>9}{'memory':>9}")
        log = stage.directory / "soak-access.log"
        with stage.server(WATTLE, access_log=log, FIRESTORE_EMULATOR_HOST=relay.host, BENCH_FAULTS=FAULTS) as server:
            # A worker thread is started when all others are busy: all 80 before the first measurement.
            run(server.port, _mix(callers, 400), clients=80, count=400)
            memory, sent, waited, seconds = [], 0, 0, 0.0
            for _ in range(slices):
                requests = _mix(callers, count)
                result = run(server.port, requests, clients=80, count=count, rate=RATE, also=(_BUSY,))
                sent, seconds = sent + result.count, seconds + result.seconds
                waited += _ask_again(server.port, requests, result)
                memory.append(server.charged())
                report.line(
                    f"{seconds / 60:>8.1f}{sent:>10,}{relay.broken:>8}{waited:>8}"
                    f"{result.p50:>8.1f}{result.p99:>9.1f}{memory[-1]:>9.1f}"
                )
                # The orders made meanwhile would have the local Firestore scan more and more.
                stage.reset(users=USERS, orders=ORDERS)
        report.line()
        for line in _told_to_wait(log):
            report.line(line)
    report.line("Every answer was 200 or 201, after a wait at most.")
    report.goal("no error that a client sees", [f"{waited} of {sent:,} were told to wait"] if waited else [])
    if waited:
        report.paragraph(_WHY)
    third = max(1, slices // 3)
    # The first third fills caches and the allocator's pools.
    growth = mean(memory[-third:]) / mean(memory[-2 * third : -third] or memory) - 1
    report.line(f"Memory in the last third is {growth:+.1%} of that in the second.")
    report.goal(f"flat within {FLAT:.0%}", [f"{growth:+.1%}"] if growth > FLAT else [])
    return Soaked(growth, waited, sent)


def _told_to_wait(log: Path) -> Iterator[str]:
    """What the access log says of answers with 503."""
    for text in log.read_text(encoding="utf-8").splitlines():
        line = json.loads(text)
        if line.get("status") == _BUSY:
            seconds, calls = line["ms"] / 1000, line["roundTrips"]
            yield f"{line['time'][:19]} {line['route']}: 503 after {seconds:.1f} s and {calls} calls to Firestore"


def _ask_again(port: int, requests: Sequence[Request], result: Result) -> int:
    """Until everybody is answered. How many answers said 503."""
    waited = 0
    for _ in range(_RETRIES):
        requests = [requests[number % len(requests)] for number in result.numbers.get(_BUSY, ())]
        if not requests:
            return waited
        waited += len(requests)
        sleep(_RETRY_AFTER)
        result = run(port, requests, clients=1, count=len(requests), also=(_BUSY,))
    raise RuntimeError(f"{len(requests)} requests are answered with 503 again and again")


def _mix(callers: Sequence[Caller], count: int) -> list[Request]:
    scenarios = {scenario.name: scenario for scenario in SCENARIOS}
    run_id = uuid4().hex
    requests = []
    for number in range(count):
        scenario = scenarios[MIX[number % len(MIX)]]
        request = scenario.make(callers[number % len(callers)])
        if scenario.writes:
            request = replace(request, headers={"Idempotency-Key": f"{run_id}-{number}"})
        requests.append(request)
    return requests
