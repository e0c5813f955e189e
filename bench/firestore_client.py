"""CPU of a Firestore call, on the client's side: ours beside google-cloud-firestore, in one process and one run.

    .venv/bin/python bench/firestore_client.py

Prints milliseconds of CPU and of time for each call, and the ratio. The calls alternate in blocks: a machine that
slows down slows both.
"""

import os
import platform
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "functions"))

from google.auth.credentials import AnonymousCredentials  # noqa: E402
from google.cloud import firestore  # noqa: E402

from firesuite.ports import Ports  # noqa: E402 (the path is set above)
from firesuite.project import Project  # noqa: E402
from firesuite.suite import Suite  # noqa: E402
from wattle.adapters.firestore import Create, Firestore, Query  # noqa: E402
from wattle.adapters.firestore.client import open_channel  # noqa: E402
from wattle.kit.retry import Deadline  # noqa: E402

BLOCKS = 10
ITEMS = [{"productId": "p", "name": "Flat white", "quantity": 1, "unitPrice": 520, "lineTotal": 520}] * 3


def main() -> None:
    with Suite(Project.load(ROOT), ports=Ports.free()) as suite:
        os.environ["FIRESTORE_EMULATOR_HOST"] = f"127.0.0.1:{suite.ports.firestore}"
        channel, credentials = open_channel(os.environ["FIRESTORE_EMULATOR_HOST"])
        ours = Firestore("demo-wattle", channel, credentials)
        theirs = firestore.Client(project="demo-wattle", credentials=AnonymousCredentials())
        order = {
            "userId": "u",
            "status": "pending",
            "items": ITEMS,
            "total": 1560,
            "createdAt": datetime.now(UTC),
            "note": None,
        }
        ours.commit([Create(f"bench/{n}", order) for n in range(20)], Deadline.after(10))
        query = Query("bench", limit=20)
        collection = theirs.collection("bench")
        print(f"{platform.platform()}, Python {platform.python_version()}, grpcio {version('grpcio')}, ", end="")
        print(f"google-cloud-firestore {version('google-cloud-firestore')}\n")
        print(f"{'ms a call':<22}{'ours CPU':>10}{'theirs CPU':>12}{'ratio':>8}{'ours':>8}{'theirs':>8}")
        row("get", lambda: ours.get("bench/1", Deadline.after(10)), lambda: collection.document("1").get(), calls=50)
        row(
            "query, 20 documents",
            lambda: ours.query(query, Deadline.after(10)),
            lambda: list(collection.limit(20).stream()),
            calls=20,
        )
        channel.close()
        theirs.close()


def row(name: str, ours: Callable[[], object], theirs: Callable[[], object], *, calls: int) -> None:
    measured = {ours: [0.0, 0.0], theirs: [0.0, 0.0]}
    for block in range(BLOCKS + 1):
        for call, total in measured.items():
            cpu, wall = time.process_time(), time.perf_counter()
            for _ in range(calls):
                call()
            if block:  # the first block warms up
                total[0] += time.process_time() - cpu
                total[1] += time.perf_counter() - wall
    (our_cpu, our_wall), (their_cpu, their_wall) = ([s / BLOCKS / calls * 1000 for s in m] for m in measured.values())
    print(f"{name:<22}{our_cpu:>10.2f}{their_cpu:>12.2f}{their_cpu / our_cpu:>7.1f}x{our_wall:>8.2f}{their_wall:>8.2f}")


if __name__ == "__main__":
    main()
