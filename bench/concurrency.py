"""Memory and latency at 80 concurrent requests, and the number of threads that serves them best."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Final

from bench.load import Request, Result, run
from bench.scenarios import SCENARIOS, Caller, Scenario
from bench.servers import ALL, WATTLE, Kind, Server
from bench.stage import Report, Stage

LATENCY_MS: Final = "20"
THREADS: Final = (8, 16, 40, 80)
CLIENTS: Final = (1, 80)
RATIO: Final = 3.0
MOST_MB: Final = 160
_SAMPLE_SECONDS: Final = 0.2
ASKED: Final = tuple(scenario for scenario in SCENARIOS if not scenario.writes)
_EXPLANATION: Final = f"""
Each call of Wattle to Firestore waits {LATENCY_MS} ms more (an interceptor in its channel), as it may for a
database in the same region on a bad day. Milliseconds; CPU is the server's, in milliseconds a request. 80
clients that ask again as soon as they are answered keep one core at its limit: their p50 cannot be below 80
times the CPU of a request.
"""
_MEMORY: Final = """
The most memory while 80 requests are under way, MB: resident, the sum over the processes (RSS); and what a
container pays for that has nothing else in it: the processes' own pages, those that they share among each other
once, and the resident pages of each file that they map once, whoever else on this machine maps it (Pss_Anon and
Pss_Shmem of smaps_rollup, and smaps). The kernel's cache of files that are only read is not in it: it is given
back. The references ran the same requests, without latency.
"""


def measure(report: Report, *, seconds: float, alone: int) -> None:
    """`seconds` is about how long each cell lasts; one client sends `alone` requests: CPU counts in 10 ms."""
    with Stage() as stage:
        uids = stage.reset(users=20, orders=40)
        callers = stage.callers(max(CLIENTS), uids)
        report.paragraph(_EXPLANATION)
        report.line()
        head = f"{'':<20}{'THREADS':>8}{'1 client: p50':>15}{'CPU':>7}"
        report.line(f"{head}{'80 clients: p50':>17}{'p99':>8}{'CPU':>7}{'ratio':>8}")
        above = []
        for scenario in ASKED:
            for threads in THREADS:
                with stage.server(WATTLE, THREADS=str(threads), BENCH_LATENCY_MS=LATENCY_MS) as server:
                    figures, ratio = _row(server, scenario, callers, seconds, alone)
                    report.line(f"{scenario.name:<20}{threads:>8}{figures}")
            if ratio > RATIO:
                above.append(f"{scenario.name}, {ratio:.1f}x")
        report.line()
        report.goal(f"with {threads} threads, p50 of 80 clients within {RATIO:g} times that of one", above)
        report.line()
        report.paragraph(_MEMORY)
        report.line()
        memory = {kind: _memory(stage, kind, callers, seconds) for kind in ALL}
        report.line(f"{'':<20}{'RSS':>8}{'container':>12}")
        for kind, (resident, charged) in memory.items():
            report.line(f"{kind.title:<20}{resident:>8.0f}{charged:>12.0f}")
        report.line()
        for what, ours in zip(("resident", "what a container pays for"), memory[WATTLE], strict=True):
            report.goal(f"Wattle below {MOST_MB} MB, {what}", [f"{ours:.0f} MB"] if ours >= MOST_MB else [])


def _row(
    server: Server, scenario: Scenario, callers: Sequence[Caller], seconds: float, count: int
) -> tuple[str, float]:
    requests = scenario.requests(callers)
    run(server.port, requests, clients=80, count=300)
    alone, alone_cpu = _cell(server, requests[:1], 1, count)
    crowd, crowd_cpu = _cell(server, requests, 80, max(160, int(400 * seconds)))
    ratio = crowd.p50 / alone.p50
    text = f"{alone.p50:>15.1f}{alone_cpu:>7.2f}{crowd.p50:>17.1f}{crowd.p99:>8.1f}"
    return f"{text}{crowd_cpu:>7.2f}{ratio:>7.1f}x", ratio


def _cell(server: Server, requests: Sequence[Request], clients: int, count: int) -> tuple[Result, float]:
    before = server.cpu()
    result = run(server.port, requests, clients=clients, count=count)
    return result, (server.cpu() - before) / count * 1000


def _memory(stage: Stage, kind: Kind, callers: Sequence[Caller], seconds: float) -> tuple[float, float]:
    settings = {"BENCH_LATENCY_MS": LATENCY_MS} if kind is WATTLE else {}
    with stage.server(kind, **settings) as server:
        seen = []
        with ThreadPoolExecutor(1) as beside:
            for scenario in SCENARIOS:
                requests = scenario.requests(callers)
                count = max(240, int(200 * seconds))
                load = beside.submit(run, server.port, requests, clients=80, count=count)
                while not wait([load], _SAMPLE_SECONDS).done:
                    seen.append((server.resident(), server.charged()))
                load.result()
        return max(resident for resident, _ in seen), max(charged for _, charged in seen)
