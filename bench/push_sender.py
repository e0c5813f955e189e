"""Sends a broadcast, as one instance of the queue's function does: a process of its own, whose memory `push` measures.

python -m bench.push_sender PROJECT BROADCAST     with the emulators' addresses in the environment
"""

import json
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "functions"))

from wattle import config
from wattle.adapters.fcm import Fcm
from wattle.adapters.firestore import Firestore, track_usage
from wattle.adapters.firestore.client import open_channel
from wattle.broadcasts.delivery import QUEUE
from wattle.kit.retry import Deadline
from wattle.services import Services

# The queue function's rate limit is five tasks at a time; one instance gets them all here.
AT_ONCE: Final = 5


class Queue:
    """Tasks, in the sender's memory."""

    def __init__(self) -> None:
        self.tasks: list[dict[str, Any]] = []

    def enqueue(self, function: str, data: dict[str, Any]) -> None:
        assert function == QUEUE
        self.tasks.append(data)


def connect(project: str, environment: dict[str, str]) -> tuple[Services, Queue]:
    """The services as a function's process has them, on the emulators of the environment."""
    settings = config.read(
        {**environment, "GCLOUD_PROJECT": project, "WEB_API_KEY": "k", "SIGNING_SECRET": "s" * 32, "K_SERVICE": ""}
    )
    channel, credentials = open_channel(settings.firestore_emulator)
    queue = Queue()
    services = Services(
        settings,
        firestore=Firestore(project, channel, credentials),
        identity=None,  # type: ignore[arg-type]  # (nobody signs in)
        verifier=None,  # type: ignore[arg-type]
        fcm=Fcm(project, settings.fcm_emulator),
        app_check=None,
        tasks=queue,
        clock=lambda: datetime.now(UTC),
    )
    return services, queue


def peak_memory() -> float:
    """The most that this process had resident, in MB."""
    # getrusage says what the process had that started this one, where that was more.
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def soon() -> Deadline:
    return Deadline.after(250)


def send(project: str, broadcast: str) -> None:
    """The sender's process: every task of a broadcast; prints what it took as JSON."""
    services, queue = connect(project, dict(os.environ))
    started = time.monotonic()
    reads = writes = round_trips = 0

    def work(task: dict[str, Any]) -> tuple[int, int, int]:
        with track_usage() as usage:
            services.broadcast_delivery.send_chunk(task["broadcastId"], task["chunk"], soon())
        return usage.reads, usage.writes + usage.deletes, usage.round_trips

    services.broadcast_delivery.fan_out(broadcast, soon())
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for used in pool.map(work, queue.tasks):
            reads, writes, round_trips = reads + used[0], writes + used[1], round_trips + used[2]
    print(
        json.dumps(
            {
                "seconds": time.monotonic() - started,
                "memory_mb": peak_memory(),
                "reads": reads,
                "writes": writes,
                "round_trips": round_trips,
            }
        )
    )


if __name__ == "__main__":
    send(*sys.argv[1:])
