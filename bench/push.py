"""A broadcast to many people with three phones each, of which some are gone: how fast, how much memory, how exactly."""

import json
import os
import subprocess
import sys
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Final

import httpx
from bench.push_sender import AT_ONCE, connect, soon
from bench.servers import ROOT
from bench.stage import Report, Stage

from firesuite.suite import Suite
from wattle.adapters.firestore import Query, Update, Write
from wattle.broadcasts.schemas import NewBroadcast
from wattle.context import Caller, Context, Role
from wattle.devices.service import installation_key
from wattle.services import Services
from wattle.users.preferences import NotificationPreferences

PHONES: Final = 3
STALE: Final = 0.05
MEMORY_MOST: Final = 200
"""MB that the sender may take."""
_EXPLANATION: Final = f"""
People with {PHONES} phones each, of which {STALE:.0%} are gone. One process sends, as one instance of the
function does, {AT_ONCE} chunks of 100 people at a time, which is the rate limit of its queue; memory is the
most that it had resident. Afterwards every phone, inbox and counter is looked at: each phone that is left got
the message once. The local Firestore scans a collection for each query (80 ms for 100,000 documents), which
production does not: the more people, the more the seconds are its own. Reads, writes and round trips are for
each person.
"""
_WRITES: Final = 400


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


def send_to(suite: Suite, people: int) -> Result:
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
            arguments = [sys.executable, "-m", "bench.push_sender", session.project, broadcast]
            sender = subprocess.run(arguments, cwd=ROOT, env=environment, check=True, capture_output=True, text=True)
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


def measure(report: Report, *, people: int) -> None:
    """To so many people, after a tenth and a hundredth of them."""
    report.paragraph(_EXPLANATION)
    report.line()
    with Stage() as stage:
        results = [send_to(stage.suite, some) for some in (people // 100, people // 10, people)]
    report.line(table(results))
    report.line()
    report.goal("everything as it should be", [f"{r.people:,} people: not {what}" for r in results for what in r.wrong])
    above = [f"{r.people:,} people, {r.memory_mb:.0f} MB" for r in results if r.memory_mb > MEMORY_MOST]
    report.goal(f"the sender below {MEMORY_MOST} MB", above)
