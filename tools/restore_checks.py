"""Whether a database hangs together by itself: what refers to something finds it, what counts something is right.

Each check reads the collections it is about side by side, grouped by their owner (`users/{uid}`, `orders/{orderId}`,
`broadcasts/{id}`): what is in memory is one owner's.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import groupby, islice
from typing import Final

from google.cloud.firestore import Client

from tools.verify_restore import Progress, Row, Step, rows
from wattle.privacy.erasure import pseudonym

Owned = Mapping[str, Sequence[Row]]
"""An owner's documents by collection."""
Check = Callable[[str, Owned], Iterator[str]]
"""What is wrong with what an owner, by his path, has."""

_AT_ONCE: Final = 300
_LAST: Final = "\U0010ffff"


def steps(restored: Client, source: Client | None) -> list[tuple[str, Step]]:
    """All checks of the restored database; the last needs the source."""
    checks: list[tuple[str, Step]] = [
        ("orders and their events", partial(_each_owner, restored, ("orders", "events"), _order)),
        (
            "inboxes, deliveries and counters",
            partial(_each_owner, restored, ("notifications", "deliveries", "counters"), _inbox),
        ),
        ("broadcasts and their chunks", partial(_each_owner, restored, ("broadcasts", "chunks"), _broadcast)),
        ("devices and installations", partial(_devices, restored)),
        ("installations and devices", partial(_installations, restored)),
    ]
    if source is not None:
        checks.append(("people who were erased since", partial(_erased, restored, source)))
    return checks


def _each_owner(client: Client, groups: Sequence[str], check: Check, progress: Progress) -> Iterator[None]:
    for owner, owned in by_owner(client, groups, progress.cursor):
        progress.findings += check(owner, owned)
        progress.cursor = owner
        yield


def by_owner(client: Client, groups: Sequence[str], after: str | None) -> Iterator[tuple[str, Owned]]:
    """Each owner behind `after` that has documents in any of the groups, with them."""
    streams = {group: groupby(rows(client, group, after and _behind(after, group)), key=_owner_of) for group in groups}
    waiting = {group: next(stream, None) for group, stream in streams.items()}
    while any(waiting.values()):
        first = min(part[0] for part in waiting.values() if part)
        owned: dict[str, Sequence[Row]] = {}
        for group, part in waiting.items():
            if part and part[0] == first:
                owned[group] = list(part[1])
                waiting[group] = next(streams[group], None)
            else:
                owned[group] = ()
        yield b"/".join(first).decode(), owned


def _owner_of(row: Row) -> tuple[bytes, ...]:
    return row.key[:2]


def _behind(owner: str, group: str) -> str:
    """A name behind all that an owner has in a group."""
    if owner.partition("/")[0] == group:
        return owner
    middle = f"notifications/{_LAST}/" if group == "deliveries" else ""
    return f"{owner}/{middle}{group}/{_LAST}"


def _order(path: str, owned: Owned) -> Iterator[str]:
    events = {row.path.rpartition("/")[2] for row in owned["events"]}
    if not owned["orders"]:
        yield f"{path}: is missing, and has {len(events)} events"
        return
    order = owned["orders"][0].data
    wanted = {str(number) for number in range(1, order["version"] + 1)}
    yield from (f"{path}/events/{number}: is missing" for number in sorted(wanted - events, key=int))
    yield from (f"{path}/events/{number}: is of a version that the order has not" for number in sorted(events - wanted))
    lines = sum(item["lineTotal"] for item in order["items"])
    if (lines, lines + order["tax"]) != (order["subtotal"], order["total"]):
        yield f"{path}: its amounts do not add up"


def _inbox(path: str, owned: Owned) -> Iterator[str]:
    messages = {row.path for row in owned["notifications"]}
    for row in owned["deliveries"]:
        if row.path.rpartition("/deliveries/")[0] not in messages:
            yield f"{row.path}: its notification is missing"
    unread = sum(row.data["readAt"] is None for row in owned["notifications"])
    counted = sum(row.data["unread"] for row in owned["counters"])
    if unread != counted:
        yield f"{path}/counters/inbox: says {counted} unread, there are {unread}"


def _broadcast(path: str, owned: Owned) -> Iterator[str]:
    if not owned["broadcasts"]:
        yield f"{path}: is missing, and has {len(owned['chunks'])} chunks"
        return
    broadcast = owned["broadcasts"][0].data
    done = sum(row.data["done"] for row in owned["chunks"])
    if not owned["chunks"] and broadcast["state"] not in ("scheduled", "sending"):
        return  # they expire
    if len(owned["chunks"]) != broadcast["chunks"]:
        yield f"{path}: has {len(owned['chunks'])} of its {broadcast['chunks']} chunks"
    elif done != broadcast["chunksDone"]:
        yield f"{path}: says {broadcast['chunksDone']} chunks are done, {done} are"


def _devices(client: Client, progress: Progress) -> Iterator[None]:
    for some in _pages(rows(client, "devices", progress.cursor)):
        found = _fields(client, (f"installations/{row.data['installation']}" for row in some))
        for row in some:
            _, uid, _, device_id = row.path.split("/")
            there = found.get(f"installations/{row.data['installation']}")
            if there is None or (there["userId"], there["deviceId"]) != (uid, device_id):
                what = "missing" if there is None else "of another device"
                progress.findings.append(f"{row.path}: its installation is {what}")
        progress.cursor = some[-1].path
        yield


def _installations(client: Client, progress: Progress) -> Iterator[None]:
    for some in _pages(rows(client, "installations", progress.cursor)):
        found = _fields(client, (_device_of(row) for row in some))
        progress.findings += [f"{row.path}: its device is missing" for row in some if _device_of(row) not in found]
        progress.cursor = some[-1].path
        yield


def _device_of(installation: Row) -> str:
    return f"users/{installation.data['userId']}/devices/{installation.data['deviceId']}"


def _erased(restored: Client, source: Client, progress: Progress) -> Iterator[None]:
    for some in _pages(rows(restored, "users", progress.cursor)):
        proofs = {f"purges/{pseudonym(row.path.partition('/')[2])}": row for row in some}
        for path in _fields(source, proofs):
            progress.findings.append(f"{proofs[path].path}: was erased after the backup, and has to be again")
        progress.cursor = some[-1].path
        yield


def _pages(found: Iterator[Row]) -> Iterator[list[Row]]:
    return iter(lambda: list(islice(found, _AT_ONCE)), [])


def _fields(client: Client, paths: Iterable[str]) -> dict[str, dict[str, object]]:
    """The fields of those documents that there are, by path."""
    found = client.get_all([client.document(path) for path in dict.fromkeys(paths)])
    return {document.reference.path: document.to_dict() or {} for document in found if document.exists}
