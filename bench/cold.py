"""Process start to the first answer, beside an empty function and the references."""

from statistics import median
from time import perf_counter
from typing import Final

from bench.load import run
from bench.scenarios import SCENARIOS, Caller
from bench.servers import EMPTY, EXPRESS, FLASK, WATTLE, Kind
from bench.stage import Report, Stage

GOAL: Final = 1.4
KINDS: Final = (EMPTY, WATTLE, FLASK, EXPRESS)
_EXPLANATION: Final = """
From the start of the process until the first 200 of GET /health (the empty function answers anything),
milliseconds of time and of CPU; then the first read of an order by a signed-in user, for which each of them
fetches the certificate and connects to Firestore: none has done so before. The Python ones are served by
functions-framework, with their bytecode cached. Memory is what a container pays for (see concurrency). One
start of each in turn; the ratio to the empty function is the median of the turns' ratios.
"""


def measure(report: Report, *, starts: int) -> None:
    ready: dict[Kind, list[float]] = {kind: [] for kind in KINDS}
    cpu: dict[Kind, list[float]] = {kind: [] for kind in KINDS}
    first: dict[Kind, list[float]] = {kind: [] for kind in KINDS}
    memory: dict[Kind, list[float]] = {kind: [] for kind in KINDS}
    with Stage() as stage:
        caller = stage.callers(1, stage.reset(users=1, orders=10))[0]
        report.paragraph(_EXPLANATION)
        report.line(f"{starts} starts of each.\n")
        for number in range(starts + 1):
            for kind in KINDS:
                figures = _start(stage, kind, caller)
                if number:  # the first writes the bytecode and warms the disk cache
                    for series, figure in zip((ready, cpu, first, memory), figures, strict=True):
                        series[kind].append(figure)
    head = ("first 200", "min", "ratio", "CPU", "first order", "MB")
    missed: list[str] = []
    report.line(f"{'':<18}" + "".join(f"{name:>13}" for name in head))
    for kind in KINDS:
        ratio = median(mine / theirs for mine, theirs in zip(ready[kind], ready[EMPTY], strict=True))
        text = f"{kind.title:<18}{median(ready[kind]):>13.0f}{min(ready[kind]):>13.0f}{ratio:>12.2f}x"
        text += f"{median(cpu[kind]):>13.0f}"
        text += f"{'':>13}" if kind is EMPTY else f"{median(first[kind]):>13.0f}"
        report.line(text + f"{median(memory[kind]):>13.0f}")
        if kind is WATTLE:
            missed = [f"{ratio:.2f}"] if ratio > GOAL else []
    report.line()
    report.goal(f"Wattle's first 200 within {GOAL:g} times the empty function's", missed)


def _start(stage: Stage, kind: Kind, caller: Caller) -> tuple[float, float, float, float]:
    """Milliseconds until ready, of CPU until then, of the first order; MB charged after it."""
    server = stage.server(kind)
    try:
        started = perf_counter()
        server.start()
        server.await_ready()
        ready = (perf_counter() - started) * 1000
        cpu = server.cpu() * 1000
        order = 0.0 if kind is EMPTY else run(server.port, [SCENARIOS[0].make(caller)], clients=1, count=1).p50
        return ready, cpu, order, server.charged()
    finally:
        server.stop()
