"""`python -m tools verify-restore`: is a restored database complete, and does it hang together?

Two databases are read side by side, in the order of their documents' names, a page of each at a time: what is missing,
what is not in the source, and what differs is named, by path and field, never by value. Then the restored one is
checked by itself (`restore_checks`), which also works where the source is gone.

How far it came is kept in a file: stopped anywhere, it goes on from there.
"""

import hashlib
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final, Self

from google.api_core.exceptions import GoogleAPICallError, RetryError
from google.cloud.firestore import Client, DocumentReference, GeoPoint

GROUPS: Final = (
    "users", "consents", "devices", "notifications", "deliveries", "counters", "deadLetters", "deferrals",
    "installations", "orders", "events", "products", "stock", "auditLog", "purges", "broadcasts", "chunks",
    "migrations", "revocations", "idempotencyKeys", "rateLimits",
)  # fmt: skip
"""Every collection there is, anywhere. docs/privacy.md says what is in each."""

_PAGE: Final = 300
_SECONDS: Final = 60.0
_NAMED_MOST: Final = 20
_MODULUS: Final = 2**256


class VerifyError(Exception):
    """One sentence that says what to do."""


@dataclass(frozen=True, slots=True)
class Row:
    """A document: its path from the root, its fields, and the digest of both."""

    path: str
    data: dict[str, Any]
    digest: int

    @property
    def key(self) -> tuple[bytes, ...]:
        """By which Firestore orders names: segment by segment, by their bytes in UTF-8."""
        return tuple(segment.encode() for segment in self.path.split("/"))


@dataclass(slots=True)
class Progress:
    """How far a step came. `digests` are the sums of the documents' own, of the source and of the restored."""

    cursor: str | None = None
    counts: list[int] = field(default_factory=lambda: [0, 0])
    digests: list[int] = field(default_factory=lambda: [0, 0])
    expired: int = 0
    findings: list[str] = field(default_factory=list)
    done: bool = False


@dataclass(slots=True)
class State:
    """What was found so far, kept in `path`."""

    path: Path
    about: dict[str, str]
    steps: dict[str, Progress] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path, about: dict[str, str]) -> Self:
        """What an earlier run left, or nothing.

        Raises:
            VerifyError: it is of other databases.
        """
        if not path.exists():
            return cls(path, about)
        kept = json.loads(path.read_text(encoding="utf-8"))
        if kept["about"] != about:
            raise VerifyError(f"{path} is of another comparison: remove it, or name another file with --state.")
        return cls(path, about, {name: Progress(**step) for name, step in kept["steps"].items()})

    def step(self, name: str) -> Progress:
        return self.steps.setdefault(name, Progress())

    def save(self) -> None:
        """In one piece: whoever is stopped meanwhile finds the one before."""
        steps = {name: asdict(step) for name, step in self.steps.items()}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self.path.with_suffix(".new")
        fresh.write_text(json.dumps({"about": self.about, "steps": steps}), encoding="utf-8")
        fresh.replace(self.path)


def rows(client: Client, group: str, after: str | None, at: datetime | None = None) -> Iterator[Row]:
    """The documents of a collection group by name, from behind the path `after`; a page at a time is in memory."""
    while True:
        query = client.collection_group(group).order_by("__name__").limit(_PAGE)
        if after is not None:
            query = query.start_after({"__name__": client.document(after)})
        page = [_row(found) for found in query.stream(timeout=_SECONDS, read_time=at)]
        yield from page
        if len(page) < _PAGE:
            return
        after = page[-1].path


def _row(found: Any) -> Row:
    path, data = found.reference.path, found.to_dict() or {}
    text = json.dumps([path, _plain(data)], sort_keys=True, separators=(",", ":"))
    return Row(path, data, int.from_bytes(hashlib.sha256(text.encode()).digest()))


def _plain(value: Any) -> Any:  # noqa: PLR0911 (one return for each kind of value)
    """A value as JSON in which no two values of Firestore look alike, whichever project they are in."""
    match value:
        case None | bool() | str():
            return value
        case int():
            return {"int": str(value)}
        case float():
            return {"double": value.hex()}
        case datetime():
            return {"time": value.astimezone(UTC).isoformat(), "nanos": getattr(value, "nanosecond", 0) % 1000}
        case bytes():
            return {"bytes": value.hex()}
        case DocumentReference():
            return {"reference": value.path}
        case GeoPoint():
            return {"point": [value.latitude.hex(), value.longitude.hex()]}
        case dict():
            return {"map": {name: _plain(member) for name, member in value.items()}}
        case _:
            return {"array": [_plain(member) for member in value]}


def compare(  # noqa: PLR0913 (what a comparison is made of)
    source: Client, restored: Client, group: str, progress: Progress, *, at: datetime | None, now: datetime
) -> Iterator[None]:
    """Compare a collection group; yields after each row, when the progress may be saved."""
    streams = (rows(source, group, progress.cursor, at), rows(restored, group, progress.cursor))
    left, right = (next(stream, None) for stream in streams)
    while left is not None or right is not None:
        ours = right is None or (left is not None and left.key <= right.key)
        theirs = left is None or (right is not None and right.key <= left.key)
        present = left if ours else right
        assert present is not None  # noqa: S101 (one of the two is there)
        if _expired(present, now):
            progress.expired += 1
        else:
            _weigh(progress, left if ours else None, right if theirs else None)
        progress.cursor = present.path
        if ours:
            left = next(streams[0], None)
        if theirs:
            right = next(streams[1], None)
        yield
    progress.done = True


def _weigh(progress: Progress, source: Row | None, restored: Row | None) -> None:
    for index, row in enumerate((source, restored)):
        if row is not None:
            progress.counts[index] += 1
            progress.digests[index] = (progress.digests[index] + row.digest) % _MODULUS
    if source is None:
        assert restored is not None  # noqa: S101 (one of the two is there)
        progress.findings.append(f"{restored.path}: is not in the source")
    elif restored is None:
        progress.findings.append(f"{source.path}: is missing")
    elif source.digest != restored.digest:
        names = sorted(name for name in {*source.data, *restored.data} if _differs(name, source.data, restored.data))
        progress.findings.append(f"{source.path}: differs in {', '.join(names)}")


def _differs(name: str, source: dict[str, Any], restored: dict[str, Any]) -> bool:
    return (name in source) != (name in restored) or _plain(source[name]) != _plain(restored[name])


def _expired(row: Row, now: datetime) -> bool:
    """The TTL policy may have removed it from either of them."""
    expires_at = row.data.get("expiresAt")
    return isinstance(expires_at, datetime) and expires_at <= now


def unlisted(client: Client) -> list[str]:
    """Collections at the root that GROUPS does not have, so that nobody compares them."""
    return sorted(found.id for found in client.collections(timeout=_SECONDS) if found.id not in GROUPS)


Step = Callable[[Progress], Iterator[None]]


def verify(steps: Sequence[tuple[str, Step]], state: State, say: Callable[[str], None]) -> None:
    """Take the steps that are left, one after the other, and keep how far each came."""
    for name, step in steps:
        progress = state.step(name)
        if not progress.done:
            for number, _ in enumerate(step(progress), start=1):
                if number % _PAGE == 0:
                    state.save()
            progress.done = True
            state.save()
        say(_summary(name, progress))


def _summary(name: str, progress: Progress) -> str:
    found = f"{len(progress.findings)} findings" if progress.findings else "ok"
    if not any(progress.counts):
        return f"{name}: {found}"
    digests = [f"{digest:064x}"[:12] for digest in progress.digests]
    expired = f", {progress.expired} expired" if progress.expired else ""
    return (
        f"{name}: {progress.counts[0]:,} {digests[0]}, restored {progress.counts[1]:,} {digests[1]}{expired}: {found}"
    )


def run(*, source: str | None, restored: str, at: datetime | None, state: Path) -> int:
    """0 where nothing was found, 1 for findings, 2 where it could not be told, 130 when it was stopped."""
    try:
        kept = State.load(state, {"source": source or "", "restored": restored, "at": at.isoformat() if at else ""})
        new, old = _connect(restored), _connect(source) if source else None
        print(f"restored {restored}, {f'source {source}' if source else 'without a source'}; progress in {state}")
        strange = unlisted(new)
        verify(_steps(old, new, at), kept, lambda line: print(line, flush=True))
    except VerifyError as error:
        print(f"verify-restore: {error}", file=sys.stderr)
        return 2
    except (GoogleAPICallError, RetryError) as error:
        print(f"verify-restore: {error}. Run it again to go on from here.", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("verify-restore: stopped. Run it again to go on from here.", file=sys.stderr)
        return 130
    return _conclude(kept, strange)


def _steps(source: Client | None, restored: Client, at: datetime | None) -> list[tuple[str, Step]]:
    from tools import restore_checks  # noqa: PLC0415 (it reads by what is above)

    now = datetime.now(UTC)
    comparisons: list[tuple[str, Step]] = []
    if source is not None:
        comparisons = [(group, partial(compare, source, restored, group, at=at, now=now)) for group in GROUPS]
    return comparisons + restore_checks.steps(restored, source)


def _conclude(state: State, strange: Sequence[str]) -> int:
    findings = [finding for step in state.steps.values() for finding in step.findings]
    findings += [f"{name}: nobody compares this collection: add it to GROUPS" for name in strange]
    for finding in findings[:_NAMED_MOST]:
        print(f"  {finding}")
    if len(findings) > _NAMED_MOST:
        print(f"  and {len(findings) - _NAMED_MOST:,} more: they are all in {state.path}")
    print(f"{len(findings):,} findings: do not switch over." if findings else "Complete, and it hangs together.")
    return 1 if findings else 0


def _connect(name: str) -> Client:
    """A database by its project, or by project/database."""
    project, _, database = name.partition("/")
    if os.environ.get("FIRESTORE_EMULATOR_HOST"):
        print(f"{name}: emulator at {os.environ['FIRESTORE_EMULATOR_HOST']}")
    return Client(project=project, database=database or "(default)")
