"""Requests per second of CPU of the server process, beside the references: the table that everything else explains."""

from collections import defaultdict
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import product
from statistics import median
from typing import Final

from bench.load import run
from bench.scenarios import SCENARIOS, Caller, Scenario, check_equal
from bench.servers import ALL, EXPRESS, FLASK, Kind, Server
from bench.stage import Report, Stage

CLIENTS: Final = (1, 16, 80)
BETTER: Final = ("get order", "list 20", "list 20, 3 fields")
GOALS: Final = {EXPRESS: 1.5, FLASK: 2.0}
USERS: Final = 20
ORDERS: Final = 40
_EXPLANATION: Final = """
Requests answered per second of CPU of the server process and its children (from /proc), and milliseconds until
the answer. Every server talks to the same local Firestore, verifies the same signed tokens with the same
certificate, has the same 80 threads (Node: one) and one CPU, to which it is bound as an instance with `cpu: 1`
is (Node's own helper threads too), and the clients are a process of their own: neither the database's nor the
clients' CPU is counted. But all of them share the machine's cores, which p50 and p99 contain. Blocks of one
server after another, the order turned in each round; the ratio is the median of the rounds' ratios, so that a
machine that slows down slows all alike.
"""


@dataclass(slots=True)
class _Cell:
    """What one server did in one row, block by block."""

    per_second: list[float] = field(default_factory=list)
    p50: list[float] = field(default_factory=list)
    p99: list[float] = field(default_factory=list)


def measure(report: Report, *, rounds: int, seconds: float) -> None:
    """`seconds` is about how long a block lasts."""
    cells: dict[tuple[str, int], dict[Kind, _Cell]] = defaultdict(lambda: {kind: _Cell() for kind in ALL})
    with Stage() as stage, ExitStack() as stack:
        uids = stage.reset(users=USERS, orders=ORDERS)
        callers = stage.callers(max(CLIENTS), uids)
        servers = stage.servers(ALL, stack)
        report.paragraph(_EXPLANATION)
        report.line(f"{check_equal(servers, callers[0])} pairs of answers compared first: all equal.")
        report.line(f"{USERS} users with {ORDERS} orders each; {rounds} rounds of blocks of about {seconds:g} s.\n")
        sizes = _block_sizes(servers, callers, seconds)
        for round_ in range(rounds):
            for scenario, clients in product(SCENARIOS, CLIENTS):
                turn = round_ % len(servers)
                for server in (*servers[turn:], *servers[:turn]):
                    count = max(clients * 2, sizes[scenario.name, server.kind])
                    _block(cells[scenario.name, clients][server.kind], server, scenario, callers[:clients], count)
                if scenario.writes:
                    # Or the collection grows, and the local Firestore scans it.
                    stage.reset(users=USERS, orders=ORDERS)
    _table(report, cells)


def _block_sizes(servers: Sequence[Server], callers: Sequence[Caller], seconds: float) -> dict[tuple[str, Kind], int]:
    """How many requests take a server about so long; this also warms it up."""
    sizes = {}
    for scenario, server in product(SCENARIOS, servers):
        requests = scenario.requests(callers)
        run(server.port, requests, clients=16, count=100)
        trial = run(server.port, requests, clients=16, count=100)
        sizes[scenario.name, server.kind] = max(20, int(trial.count / trial.seconds * seconds))
    return sizes


def _block(cell: _Cell, server: Server, scenario: Scenario, callers: Sequence[Caller], count: int) -> None:
    before = server.cpu()
    result = run(server.port, scenario.requests(callers), clients=len(callers), count=count)
    used = server.cpu() - before
    cell.per_second.append(count / used)
    cell.p50.append(result.p50)
    cell.p99.append(result.p99)


def _table(report: Report, cells: dict[tuple[str, int], dict[Kind, _Cell]]) -> None:
    head = "".join(f"{kind.title:^27}" for kind in ALL)
    report.line(f"{'':<26}{head}{'ours / (a)':>12}{'ours / (b)':>12}")
    report.line(f"{'clients':>26}" + f"{'req/CPU s':>11}{'p50':>8}{'p99':>8}" * len(ALL))
    missed: dict[Kind, list[str]] = {kind: [] for kind in GOALS}
    slower = []
    for (name, clients), row in cells.items():
        text = f"{name:<19}{clients:>7}"
        for kind in ALL:
            cell = row[kind]
            text += f"{median(cell.per_second):>11.0f}{median(cell.p50):>8.1f}{median(cell.p99):>8.1f}"
        ours = row[ALL[0]].per_second
        for kind in ALL[1:]:
            ratio = median(mine / theirs for mine, theirs in zip(ours, row[kind].per_second, strict=True))
            text += f"{ratio:>11.2f}x"
            place = f"{name} at {clients}, {ratio:.2f}x {kind.title}"
            if name in BETTER and ratio < GOALS[kind]:
                missed[kind].append(place)
            if ratio < 1:
                slower.append(place)
        report.line(text)
    report.line()
    for kind, goal in GOALS.items():
        report.goal(f"get and list, at least {goal:g} times {kind.title}", missed[kind])
    report.goal("no row worse than either", slower)
