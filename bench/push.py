"""A broadcast to many people with three phones each, of which some are gone: how fast, how much memory, how exactly.

    .venv/bin/python bench/push.py              10,000 people, 5 % of their phones gone
    .venv/bin/python bench/push.py --people 500

It starts fireemu and the FCM sink, fills them, and sends from a process of its own, as one instance of the function
does, whose memory is what the table says. Then it looks at every phone, inbox and counter.

fireemu scans a collection for each query (80 ms for 100,000 documents), which the real Firestore does not: the more
people, the more the numbers are fireemu's.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "functions"))

import httpx  # noqa: E402 (the path is set above)

from firesuite.ports import Ports  # noqa: E402
from firesuite.project import Project  # noqa: E402
from firesuite.suite import Suite  # noqa: E402
from wattle import config  # noqa: E402
from wattle.adapters.fcm import Fcm  # noqa: E402
from wattle.adapters.firestore import Firestore, Query, Update, Write, track_usage  # noqa: E402
from wattle.adapters.firestore.client import open_channel  # noqa: E402
from wattle.broadcasts.delivery import QUEUE  # noqa: E402
from wattle.broadcasts.schemas import NewBroadcast  # noqa: E402
from wattle.context import Caller, Context, Role  # noqa: E402
from wattle.devices.service import installation_key  # noqa: E402
from wattle.kit.retry import Deadline  # noqa: E402
from wattle.services import Services  # noqa: E402
from wattle.users.preferences import NotificationPreferences  # noqa: E402

PHONES: Final = 3
STALE: Final = 0.05
MEMORY_MOST: Final = 200
"""MB that the sender may take."""
_WRITES: Final = 400
# The queue function's rate limit is five tasks at a time; one instance gets them all here.
_AT_ONCE: Final = 5


@dataclass(frozen=True)
class Result:
    """What one run measured; `wrong` lists whatever is not as it should be."""

    people: int
    devices: int
    stale: int
    seconds: float
    messages: int
    duplicates: int
    pruned: int
    memory_mb: float
    reads: int
    writes: int
    round_trips: int
    wrong: list[str]


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
    with ThreadPoolExecutor(_AT_ONCE) as pool:
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


def measure(suite: Suite, people: int) -> Result:
    """Fill a project of the suite's that has no triggers, send a broadcast to all, and look at what came of it."""
    control = suite.control
    session = control.create_session(f"demo-bench-{uuid.uuid4().hex[:8]}")
    environment = {
        **os.environ,
        **suite.environment,
        "FUNCTIONS_EMULATOR": "true",
        "GCLOUD_PROJECT": session.project,
        "GOOGLE_CLOUD_PROJECT": session.project,
    }
    services, _ = connect(session.project, environment)
    sink = f"http://127.0.0.1:{suite.ports.fcm}/v1/projects/{session.project}"
    try:
        with httpx.Client(timeout=60) as http:
            uids = [f"u{number:05}" for number in range(people)]
            stale = {_target(uid, n) for number, (uid, n) in enumerate(_phones(uids)) if number % round(1 / STALE) == 7}
            _fill(services, uids)
            for target in stale:
                http.put(f"{sink}/targets/{target}", json={"error": "UNREGISTERED"}).raise_for_status()
            broadcast = _order(services, uids)
            arguments = [sys.executable, __file__, "--send", broadcast, "--project", session.project]
            sender = subprocess.run(arguments, env=environment, check=True, capture_output=True, text=True)
            took = json.loads(sender.stdout)
            messages = http.get(f"{sink}/messages").json()["messages"]
        received = Counter(entry["message"]["fid"] for entry in messages)
        return Result(
            people=people,
            devices=people * PHONES,
            stale=len(stale),
            messages=received.total(),
            duplicates=received.total() - len(received),
            wrong=_wrong(services, uids, stale, received, broadcast),
            pruned=people * PHONES - _count(services, "devices"),
            **took,
        )
    finally:
        control.session(session.name).delete_session()


def _wrong(
    services: Services, uids: Sequence[str], stale: set[str], received: Counter[str], broadcast: str
) -> list[str]:
    targets = {_target(uid, n) for uid, n in _phones(uids)}
    found = services.broadcasts.statistics(broadcast, soon())
    badges = [n for start in range(0, len(uids), 500) for n in services.inbox.badges(uids[start : start + 500], soon())]
    left = {target.value for start in range(0, len(uids), 500) for target in _devices(services, uids, start)}
    checks = {
        "every live phone got one message": received == Counter(targets - stale),
        "no stale phone got any": not stale & set(received),
        "every stale phone is forgotten, no other": left == targets - stale,
        "every inbox has one entry": _count(services, "notifications") == len(uids),
        "every counter says one": set(badges) == {1},
        "the broadcast is sent": found.broadcast.state == "sent",
        "the ledger agrees": found.deliveries == {"sent": len(targets - stale), "pruned": len(stale)},
    }
    return [what for what, holds in checks.items() if not holds]


def _devices(services: Services, uids: Sequence[str], start: int) -> Sequence[Any]:
    return services.devices.targets(uids[start : start + 500], soon())


def _count(services: Services, group: str) -> int:
    return services.users._firestore.count(Query(group, everywhere=True), soon())  # noqa: SLF001 (the one client there is)


def _order(services: Services, uids: Sequence[str]) -> str:
    context = Context("bench", soon(), Caller(uid="shop", role=Role.ADMIN, auth_time=0))
    body = {
        "audience": {"users": list(uids)},
        "kind": "account",
        "texts": {"en": {"title": "Closed on Friday", "body": "We are back on Saturday at seven."}},
        "link": "wattle://news",
    }
    return services.broadcasts.create(context, NewBroadcast.model_validate(body)).broadcast.id


def _phones(uids: Sequence[str]) -> Iterator[tuple[str, int]]:
    return ((uid, n) for uid in uids for n in range(PHONES))


def _target(uid: str, n: int) -> str:
    return f"fid-{n}-{uid}"


def _fill(services: Services, uids: Sequence[str]) -> None:
    writes = _documents(uids)
    while some := list(islice(writes, _WRITES)):
        services.users._firestore.commit(some, soon())  # noqa: SLF001 (the one client there is)


def _documents(uids: Sequence[str]) -> Iterator[Write]:
    now = datetime.now(UTC)
    preferences = NotificationPreferences().model_dump(by_alias=True)
    for uid in uids:
        profile = {"locale": None, "timezone": None, "deletedAt": None, "notificationPreferences": preferences}
        yield Update(f"users/{uid}", profile, upsert=True)
        for n, system in zip(range(PHONES), ("android", "ios", "web"), strict=True):
            target = _target(uid, n)
            key = installation_key(target)
            device = {
                "userId": uid,
                "target": {"fid": target},
                "installation": key,
                "platform": system,
                "appVersion": "1.0.0",
                "locale": "en-AU",
                "topics": [],
                "lastSeenAt": now,
                "createdAt": now,
            }
            yield Update(f"users/{uid}/devices/d{n}", device, upsert=True)
            yield Update(f"installations/{key}", {"userId": uid, "deviceId": f"d{n}"}, upsert=True)


COLUMNS: Final = (
    ("people", lambda r: f"{r.people:,}"),
    ("phones", lambda r: f"{r.devices:,}"),
    ("gone", lambda r: f"{r.stale:,}"),
    ("pruned", lambda r: f"{r.pruned:,}"),
    ("sent", lambda r: f"{r.messages:,}"),
    ("duplicates", lambda r: f"{r.duplicates:,}"),
    ("seconds", lambda r: f"{r.seconds:.1f}"),
    ("messages/s", lambda r: f"{r.messages / r.seconds:,.0f}"),
    ("sender MB", lambda r: f"{r.memory_mb:.0f}"),
    ("reads", lambda r: f"{r.reads / r.people:.1f}"),
    ("writes", lambda r: f"{r.writes / r.people:.1f}"),
    ("round trips", lambda r: f"{r.round_trips / r.people:.2f}"),
)
"""The last three for each person."""


def table(results: Sequence[Result]) -> str:
    """The results for a person to read."""
    rows = [[name for name, _ in COLUMNS], *([show(result) for _, show in COLUMNS] for result in results)]
    return "\n".join("".join(f"{cell:>12}" for cell in row) for row in rows)


def main() -> int:
    parser = argparse.ArgumentParser(description="a broadcast to many people")
    parser.add_argument("--people", type=int, nargs="*", default=[100, 1_000, 10_000])
    parser.add_argument("--send", metavar="BROADCAST", help="be the sender's process")
    parser.add_argument("--project")
    options = parser.parse_args()
    if options.send:
        send(options.project, options.send)
        return 0
    with Suite(Project.load(ROOT), ports=Ports.free()) as suite:
        results = [measure(suite, people) for people in options.people]
    print(f"{platform.platform()}, Python {platform.python_version()}, {os.cpu_count()} CPUs\n")
    print(table(results))
    problems = [f"{r.people} people: not {what}" for r in results for what in r.wrong]
    problems += [f"{r.people} people: {r.memory_mb:.0f} MB" for r in results if r.memory_mb > MEMORY_MOST]
    print("\n".join(problems), file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
