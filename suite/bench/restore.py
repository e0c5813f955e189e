# ruff: noqa: INP001, T201 - a script that prints a table, in no package
"""How long a test waits for the suite to be as before: `python suite/bench/restore.py`. Milliseconds.

`suite/bench/results/restore.txt` is its last committed run.
"""

import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from google.auth.credentials import AnonymousCredentials
from google.cloud import firestore
from measuring import machine

from firesuite.baseline import Baseline
from firesuite.fireemu import find_node_modules
from firesuite.ports import Ports
from firesuite.project import Project
from firesuite.suite import Suite

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "tests" / "suite" / "sample"
RESULT = Path(__file__).parent / "results" / "restore.txt"
TIMES = 20


def timed(what: Callable[[], object], before: Callable[[], object]) -> list[float]:
    times = []
    for _ in range(TIMES):
        before()
        started = time.perf_counter()
        what()
        times.append((time.perf_counter() - started) * 1000)
    return times


LINES: list[str] = []


def say(text: str) -> None:
    print(text, flush=True)
    LINES.append(text)


def row(name: str, times: list[float]) -> None:
    say(f"{name:<66}{statistics.median(times):>9.1f}{max(times):>9.1f}")


def main() -> None:
    say("What a fresh suite costs a test: suite/bench/restore.py")
    say(machine())
    say("")
    say(f"{'milliseconds, of ' + str(TIMES) + ' times':<66}{'median':>9}{'max':>9}")
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name) / "project"
        shutil.copytree(SAMPLE, directory, ignore=shutil.ignore_patterns("__pycache__", "tests"))
        (directory / "node_modules").symlink_to(find_node_modules(ROOT))
        with Suite(Project.load(directory), ports=Ports.free()) as suite:
            measure(suite)
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text("\n".join(LINES) + "\n")


def measure(suite: Suite) -> None:
    def client(project: str) -> firestore.Client:
        client = firestore.Client(project=project, credentials=AnonymousCredentials())
        client._emulator_host = suite.environment["FIRESTORE_EMULATOR_HOST"]  # noqa: SLF001 - as its variable would
        return client

    def write(database: firestore.Client, count: int) -> None:
        batch = database.batch()
        for number in range(count):
            batch.set(database.document(f"things/t{number:04}"), {"n": number})
        batch.commit()

    own = client(suite.project.project_id)
    baseline = Baseline(suite)
    row("between two tests, nothing seeded, one document written", timed(baseline.restore, lambda: write(own, 1)))
    row("the same, 400 documents written", timed(baseline.restore, lambda: write(own, 400)))
    write(own, 100)
    seeded = Baseline(suite)
    row("between two tests, 100 documents seeded, functions get events", timed(seeded.restore, lambda: write(own, 1)))
    session = suite.control.session(suite.control.create_session("demo-beside").name)
    beside = client("demo-beside")
    for count in (1, 400):
        write(beside, count)
        row(f"snapshot of {count} documents, no functions", timed(lambda: session.snapshot("s"), lambda: None))
        row(f"restore of {count} documents, no functions", timed(lambda: session.restore("s"), lambda: None))
    own.close()
    beside.close()


if __name__ == "__main__":
    main()
