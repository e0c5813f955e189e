"""CPU of a Firestore call, on the client's side: ours beside google-cloud-firestore, in one process and one run."""

import os
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Final

from bench.stage import Report, Stage
from google.auth.credentials import AnonymousCredentials
from google.cloud import firestore

from wattle.adapters.firestore import Create, Query
from wattle.kit.retry import Deadline

DOCUMENTS: Final = 20
ITEMS = [{"productId": "p", "name": "Flat white", "quantity": 1, "unitPrice": 520, "lineTotal": 520}] * 3


_EXPLANATION: Final = """
Milliseconds of CPU and of time for each call from this process. The calls alternate in blocks, of which the first does
not count: a machine that slows down slows both.
"""


def measure(report: Report, *, blocks: int) -> None:
    with Stage() as stage, ExitStack() as stack:
        ours = stage.firestore
        order = {
            "userId": "u",
            "status": "pending",
            "items": ITEMS,
            "total": 1560,
            "createdAt": datetime.now(UTC),
            "note": None,
        }
        ours.commit([Create(f"bench/{n}", order) for n in range(DOCUMENTS)], Deadline.after(10))
        # The official client is told of a local Firestore in no other way.
        os.environ["FIRESTORE_EMULATOR_HOST"] = stage.firestore_host
        stack.callback(os.environ.pop, "FIRESTORE_EMULATOR_HOST")
        theirs = firestore.Client(project=stage.project_id, credentials=AnonymousCredentials())
        stack.callback(theirs.close)
        query, collection = Query("bench", limit=DOCUMENTS), theirs.collection("bench")
        calls = {
            "get": (50, lambda: ours.get("bench/1", Deadline.after(10)), lambda: collection.document("1").get()),
            f"query, {DOCUMENTS} documents": (
                20,
                lambda: ours.query(query, Deadline.after(10)),
                lambda: list(collection.limit(DOCUMENTS).stream()),
            ),
        }
        report.paragraph(_EXPLANATION)
        report.line()
        report.line(f"{'':<22}{'ours CPU':>10}{'theirs CPU':>12}{'ratio':>8}{'ours':>8}{'theirs':>8}")
        for name, (count, our_call, their_call) in calls.items():
            report.line(f"{name:<22}{_figures(our_call, their_call, count, blocks)}")


def _figures(ours: Callable[[], object], theirs: Callable[[], object], calls: int, blocks: int) -> str:
    measured = {ours: [0.0, 0.0], theirs: [0.0, 0.0]}
    for block in range(blocks + 1):
        for call, total in measured.items():
            cpu, wall = time.process_time(), time.perf_counter()
            for _ in range(calls):
                call()
            if block:
                total[0] += time.process_time() - cpu
                total[1] += time.perf_counter() - wall
    (our_cpu, our_wall), (their_cpu, their_wall) = ([s / blocks / calls * 1000 for s in m] for m in measured.values())
    return f"{our_cpu:>10.2f}{their_cpu:>12.2f}{their_cpu / our_cpu:>7.1f}x{our_wall:>8.2f}{their_wall:>8.2f}"
