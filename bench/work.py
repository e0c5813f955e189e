"""Requests per second of CPU of the server process, beside the references: the table that everything else explains."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cache
from itertools import count, islice, product
from statistics import median
from typing import Final

from bench.load import Request, run
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
the answer. Every server talks to the same local Firestore, is sent the same signed tokens with the same
certificate, has the same 80 threads (Node: one) and one CPU, to which it is bound as an instance with `cpu: 1`
is (Node's own helper threads too), and the clients are a process of their own: neither the database's nor the
clients' CPU is counted. But all of them share the machine's cores, which p50 and p99 contain. Blocks of one
server after another, the order turned in each round; the ratio is the median of the rounds' ratios, so that a
machine that slows down slows all alike. The references verify the signature of each request's token; Wattle
keeps the tokens that it has verified, and nearly always finds one there, as every client sends its own again
and again. The worst case for it is the row in which no server has seen any token before.
"""
NEW_TOKEN: Final = Scenario("get order, new token", SCENARIOS[0].make)
NEW_TOKEN_CLIENTS: Final = 16
# Rows of tokens seen before, and the one of those that were not.
ROWS: Final = (*product(SCENARIOS, CLIENTS), (NEW_TOKEN, NEW_TOKEN_CLIENTS))
_TRIAL: Final = 100
# Other callers have smaller ones.
_FIRST_SESSION: Final = 1000


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
        strangers = _strangers(stage, uids)
        report.paragraph(_EXPLANATION)
        report.line(f"{check_equal(servers, callers[0])} pairs of answers compared first: all equal.")
        report.line(f"{USERS} users with {ORDERS} orders each; {rounds} rounds of blocks of about {seconds:g} s.\n")
        sizes = _block_sizes(servers, callers, strangers, seconds)
        for round_ in range(rounds):
            for scenario, clients in ROWS:
                turn = round_ % len(servers)
                for server in (*servers[turn:], *servers[:turn]):
                    size = max(clients * 2, sizes[scenario.name, server.kind])
                    who = list(islice(strangers[server.kind], size)) if scenario is NEW_TOKEN else callers[:clients]
                    _block(cells[scenario.name, clients][server.kind], server, scenario.requests(who), clients, size)
                if scenario.writes:
                    # Or the collection grows, and the local Firestore scans it.
                    stage.reset(users=USERS, orders=ORDERS)
    _table(report, cells)


def _strangers(stage: Stage, uids: Sequence[str]) -> dict[Kind, Iterator[Caller]]:
    """For each server callers with a token each that it has not seen, the same for all; each token is signed once."""

    @cache
    def stranger(number: int) -> Caller:
        uid = uids[number % len(uids)]
        return Caller(uid, stage.issuer.token(uid, number))

    return {kind: map(stranger, count(_FIRST_SESSION)) for kind in ALL}


def _block_sizes(
    servers: Sequence[Server],
    callers: Sequence[Caller],
    strangers: Mapping[Kind, Iterator[Caller]],
    seconds: float,
) -> dict[tuple[str, Kind], int]:
    """How many requests take a server about so long; this also warms it up."""
    sizes = {}
    for scenario, server in product((*SCENARIOS, NEW_TOKEN), servers):
        for _ in range(2):
            who = list(islice(strangers[server.kind], _TRIAL)) if scenario is NEW_TOKEN else callers
            trial = run(server.port, scenario.requests(who), clients=16, count=_TRIAL)
        sizes[scenario.name, server.kind] = max(20, int(trial.count / trial.seconds * seconds))
    return sizes


def _block(cell: _Cell, server: Server, requests: Sequence[Request], clients: int, size: int) -> None:
    before = server.cpu()
    result = run(server.port, requests, clients=clients, count=size)
    used = server.cpu() - before
    cell.per_second.append(size / used)
    cell.p50.append(result.p50)
    cell.p99.append(result.p99)


def _table(report: Report, cells: dict[tuple[str, int], dict[Kind, _Cell]]) -> None:
    head = "".join(f"{kind.title:^27}" for kind in ALL)
    report.line(f"{'':<29}{head}{'ours / (a)':>12}{'ours / (b)':>12}")
    report.line(f"{'clients':>29}" + f"{'req/CPU s':>11}{'p50':>8}{'p99':>8}" * len(ALL))
    missed: dict[Kind, list[str]] = {kind: [] for kind in GOALS}
    slower = []
    for (name, clients), row in cells.items():
        text = f"{name:<22}{clients:>7}"
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
