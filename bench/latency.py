"""Latency with a database that is elsewhere: how much of an answer's time is Wattle's own."""

from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace as changed
from typing import Final
from uuid import uuid4

from bench.load import Request, Result, run
from bench.scenarios import SCENARIOS, Caller, Scenario
from bench.servers import WATTLE, Server
from bench.stage import Report, Stage

CALL_MS: Final = 8
# Few, because the local Firestore looks at all orders for each list: 1 ms for 800, which no other database takes.
USERS: Final = 10
ORDERS: Final = 25
CROWD: Final = 40
# Of the server's one CPU, where requests arrive at random.
BUSY: Final = 0.5
WAYS: Final = ("one client", f"one CPU {BUSY:.0%} busy", f"{CROWD} clients without a pause")
_EXPLANATION: Final = f"""
Each call to Firestore takes {CALL_MS} ms more than the local one, by an interceptor in the channel; the local
one's own time, also below, is not subtracted. Goal: the calls' latency and so many milliseconds of our own.
Milliseconds until the answer: with one client; with {CROWD} clients that ask again at once, which keeps one
core busy, so that p50 is {CROWD} times the CPU of a request or more, whatever the latency; and with requests
that arrive at random, as phones send them, so many a second (`rate`) that one CPU is about {BUSY:.0%} busy.
`busy` is the share of the CPU that they took: a request takes more where it comes alone than among {CROWD}, so
a first run, half as long, says how far to turn the rate down. `in flight` is how many were under way on average
({CROWD} at most). A moment of arrival is met within a millisecond, which counts as waiting. The local Firestore
and the clients have the machine's other cores. To create an order may take three calls and takes two.
"""


@dataclass(frozen=True, slots=True)
class Goal:
    """`calls` one after the other, and `own` milliseconds."""

    calls: int
    own: float

    @property
    def most(self) -> float:
        return self.calls * CALL_MS + self.own


GOALS: Final = {
    "get order": Goal(1, 4),
    "list 20": Goal(1, 4),
    "list 20, 3 fields": Goal(1, 4),
    "home screen": Goal(1, 6),
    "create order": Goal(3, 6),
}


def measure(report: Report, *, seconds: float) -> None:
    """`seconds` is about how long each cell lasts."""
    with Stage() as stage:
        callers = stage.callers(CROWD, stage.reset(users=USERS, orders=ORDERS))
        report.paragraph(_EXPLANATION)
        report.line()
        head = (
            f"{'':<20}{'goal':>6}{'calls':>7}{'1 client':>10}{'p99':>7}{f'{CROWD} clients':>12}{'p99':>7}{'CPU/req':>9}"
        )
        report.line(f"{head}{'rate':>7}{'busy':>6}{'in flight':>11}{'p50':>7}{'p99':>7}{'local 1':>9}")
        with (
            stage.server(WATTLE, BENCH_LATENCY_MS=str(CALL_MS)) as far,
            stage.server(WATTLE) as near,
        ):
            missed: dict[str, list[str]] = {way: [] for way in WAYS}
            for scenario in SCENARIOS:
                for way, p50 in zip(WAYS, _row(report, scenario, callers, (far, near), seconds), strict=True):
                    if p50 > GOALS[scenario.name].most:
                        missed[way].append(f"{scenario.name}, {p50:.1f} ms")
                stage.reset(users=USERS, orders=ORDERS)
            report.line()
            for way, names in missed.items():
                report.goal(f"p50 within the goal, {way}", names)


def _row(
    report: Report, scenario: Scenario, callers: Sequence[Caller], servers: tuple[Server, Server], seconds: float
) -> tuple[float, float, float]:
    """The p50 of each of WAYS, in their order."""
    far, near = servers
    goal = GOALS[scenario.name]

    def ask(server: Server, clients: int, count: int, rate: float | None = None) -> Result:
        return run(server.port, _requests(scenario, callers, count), clients=clients, count=count, rate=rate)

    ask(far, 16, 200)
    ask(near, 16, 100)
    few, many = max(20, int(50 * seconds)), max(80, int(200 * seconds))
    local, alone = ask(near, 1, few), ask(far, 1, few)
    before = far.cpu()
    crowd = ask(far, CROWD, many)
    cpu = (far.cpu() - before) / many

    def arrive(rate: float, lasting: float) -> tuple[Result, float]:
        before = far.cpu()
        result = ask(far, CROWD, max(60, int(rate * lasting)), rate)
        return result, (far.cpu() - before) / result.seconds

    _, too_busy = arrive(BUSY / cpu, seconds / 2)
    rate = BUSY / cpu * BUSY / too_busy
    arriving, busy = arrive(rate, seconds)
    text = f"{scenario.name:<20}{goal.most:>6.0f}{goal.calls:>7}{alone.p50:>10.1f}{alone.p99:>7.1f}"
    text += f"{crowd.p50:>12.1f}{crowd.p99:>7.1f}{cpu * 1000:>9.2f}"
    text += f"{rate:>7.0f}{busy:>6.0%}{arriving.in_flight:>11.1f}{arriving.p50:>7.1f}{arriving.p99:>7.1f}"
    report.line(f"{text}{local.p50:>9.1f}")
    return alone.p50, arriving.p50, crowd.p50


def _requests(scenario: Scenario, callers: Sequence[Caller], count: int) -> list[Request]:
    """Orders are created with a key each, as an app does that tries again."""
    if not scenario.writes:
        return scenario.requests(callers)
    run_id = uuid4().hex
    return [
        changed(scenario.make(callers[n % len(callers)]), headers={"Idempotency-Key": f"{run_id}-{n}"})
        for n in range(count)
    ]
