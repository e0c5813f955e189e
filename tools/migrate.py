"""Runs migrations: each document once, whatever is killed, started twice, or answered too late.

The ledger `migrations/{name}` says how far each came. A chunk of documents and the ledger's entry are written in one
transaction, which reads first where the last chunk ended: so a chunk is done once even where nobody knows whether its
commit took effect, and whoever goes on after a death starts where it left off. A lease keeps a second run away; a run
that lost its lease finds another's name in the ledger and writes nothing.
"""

import getpass
import os
import socket
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from tools.migrations import Migration, load
from wattle.adapters.firestore import Document, Firestore, Query, Reference, Transaction, Update
from wattle.adapters.firestore.client import open_channel
from wattle.kit.clock import Clock, utc_now
from wattle.kit.ids import document_id
from wattle.kit.retry import Deadline

# Of 500 documents at most that a transaction should lock at a time, a few: people are at work on them.
_CHUNK: Final = 50
_LEASE: Final = timedelta(seconds=60)
# Seconds for a chunk, with its retries.
_PATIENCE: Final = 30.0
_SAMPLES: Final = 5
_REPORT_EVERY: Final = 1.0


class MigrationError(Exception):
    """One sentence that says what to do."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How many documents were looked at, and how many of them changed."""

    seen: int
    changed: int
    done: bool


class Run:
    """One run of one migration, under a lease. `by` is who runs it, for whoever reads the ledger."""

    def __init__(self, firestore: Firestore, migration: Migration, *, by: str, clock: Clock = utc_now) -> None:
        self._firestore = firestore
        self._migration = migration
        self._by = by
        self._clock = clock
        self._path = f"migrations/{migration.name}"
        self._holder = document_id()

    def start(self) -> Progress:
        """Take the lease, where another run left off or from the beginning.

        Raises:
            MigrationError: another run holds the lease.
        """
        return self._firestore.transaction(self._start_in, Deadline.after(_PATIENCE))

    def chunk(self, limit: int) -> Progress:
        """Transform the next `limit` documents.

        Raises:
            MigrationError: another run has taken over.
        """

        def work(transaction: Transaction) -> Progress:
            entry = self._held_in(transaction)
            if entry["state"] == "done":  # by our own last commit, whose answer was lost
                return Progress(entry["seen"], entry["changed"], done=True)
            found = transaction.query(_documents(self._migration, entry["cursor"], limit))
            changes = {document.path: self._migration.transform(document) for document in found}
            transaction.write(*(Update(path, fields) for path, fields in changes.items() if fields))
            now = self._clock()
            done = len(found) < limit
            update = {
                "state": "done" if done else "running",
                "cursor": found[-1].path if found else entry["cursor"],
                "seen": entry["seen"] + len(found),
                "changed": entry["changed"] + sum(1 for fields in changes.values() if fields),
                "finishedAt": now if done else None,
                "lease": self._lease(now, timedelta() if done else _LEASE),
            }
            transaction.write(Update(self._path, update))
            return Progress(update["seen"], update["changed"], done)

        return self._firestore.transaction(work, Deadline.after(_PATIENCE))

    def stop(self) -> None:
        """Give the lease back, so that the next run need not wait for its end.

        Raises:
            MigrationError: another run has taken over.
        """

        def work(transaction: Transaction) -> None:
            self._held_in(transaction)
            transaction.write(Update(self._path, {"lease": self._lease(self._clock(), timedelta())}))

        self._firestore.transaction(work, Deadline.after(_PATIENCE))

    def _start_in(self, transaction: Transaction) -> Progress:
        now = self._clock()
        (found,) = transaction.get([self._path])
        fresh = {"state": "running", "cursor": None, "seen": 0, "changed": 0, "startedAt": now}
        entry: dict[str, Any] = found.data if found else fresh
        lease = entry.get("lease")
        if lease is not None and lease["holder"] != self._holder and lease["until"] > now:
            raise MigrationError(
                f"{self._migration.name} is being run by {entry['by']} until {lease['until']:%H:%M:%S} UTC at least:"
                " wait for it, or until then if that run has died."
            )
        if entry["state"] != "done":
            taken = {**entry, "by": self._by, "finishedAt": None, "lease": self._lease(now)}
            transaction.write(Update(self._path, taken, upsert=True))
        return Progress(entry["seen"], entry["changed"], entry["state"] == "done")

    def _held_in(self, transaction: Transaction) -> dict[str, Any]:
        (found,) = transaction.get([self._path])
        if found is None or found.data["lease"]["holder"] != self._holder:
            raise MigrationError(f"Another run has taken {self._migration.name} over: look at its progress there.")
        return found.data

    def _lease(self, now: datetime, length: timedelta = _LEASE) -> dict[str, Any]:
        return {"holder": self._holder, "until": now + length}


def _documents(migration: Migration, after: str | None, limit: int) -> Query:
    return Query(
        migration.collection,
        order_by=[("__name__", "asc")],
        after=None if after is None else (Reference(after),),
        limit=limit,
        everywhere=migration.everywhere,
    )


@dataclass(slots=True)
class Preview:
    """What a run would do; `samples` are (path, before, after) of the fields that change."""

    seen: int
    changed: int
    samples: list[tuple[str, Mapping[str, Any], Mapping[str, Any]]]


def preview(firestore: Firestore, migration: Migration) -> Preview:
    """Look at every document that a run would still look at, and write nothing."""
    found = Preview(0, 0, [])
    entry = firestore.get(f"migrations/{migration.name}", Deadline.after(_PATIENCE))
    for document in _rest(firestore, migration, entry.data["cursor"] if entry else None):
        found.seen += 1
        fields = migration.transform(document)
        if fields:
            found.changed += 1
            if len(found.samples) < _SAMPLES:
                before = {name: document.data[name] for name in fields if name in document.data}
                found.samples.append((document.path, before, fields))
    return found


def _rest(firestore: Firestore, migration: Migration, after: str | None) -> Iterator[Document]:
    while True:
        rows = firestore.query(_documents(migration, after, _CHUNK), Deadline.after(_PATIENCE))
        yield from rows
        if len(rows) < _CHUNK:
            return
        after = rows[-1].path


def apply(  # noqa: PLR0913 (what a run is made of)
    firestore: Firestore,
    migration: Migration,
    *,
    by: str,
    rate: int,
    say: Callable[[str], None],
    pause: Callable[[float], None] = time.sleep,
) -> None:
    """Run a migration to its end, at most `rate` documents a second.

    Raises:
        MigrationError. On whatever else ends it, the lease is given back first.
    """
    run = Run(firestore, migration, by=by)
    progress = run.start()
    total = firestore.count(_everything(migration), Deadline.after(_PATIENCE))
    started = reported = time.monotonic()
    before = progress.seen
    try:
        while not progress.done:
            progress = run.chunk(min(_CHUNK, rate))
            # Behind the pace there is nothing to wait for; what was not used is not made up for.
            pause(max(0.0, started + (progress.seen - before) / rate - time.monotonic()))
            if time.monotonic() - reported >= _REPORT_EVERY:
                reported = time.monotonic()
                say(_line(migration, progress, total))
    except MigrationError:
        raise
    except BaseException:
        run.stop()
        raise
    say(f"{_line(migration, progress, total)}, done")


def _everything(migration: Migration) -> Query:
    return Query(migration.collection, everywhere=migration.everywhere)


def _line(migration: Migration, progress: Progress, total: int) -> str:
    share = 100 * progress.seen // max(total, progress.seen, 1)
    return f"{migration.name}: {progress.seen:,} of {total:,} ({share} %), {progress.changed:,} changed"


def run(*, project: str | None, only: str | None, dry_run: bool, yes: bool, rate: int) -> int:
    """`python -m tools migrate`: show what is to be done, then do it. 1 when that was not possible or not wanted."""
    try:
        firestore = connect(project)
        for migration in _chosen(load(), only):
            if not _handled(firestore, migration, dry_run=dry_run, yes=yes, rate=rate):
                return 1
    except MigrationError as error:
        print(f"migrate: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("migrate: stopped. Run it again to go on from here.", file=sys.stderr)
        return 130
    return 0


def _handled(firestore: Firestore, migration: Migration, *, dry_run: bool, yes: bool, rate: int) -> bool:
    entry = firestore.get(f"migrations/{migration.name}", Deadline.after(_PATIENCE))
    if entry is not None and entry.data["state"] == "done":
        print(f"{migration.name}: done at {entry.data['finishedAt']:%Y-%m-%d %H:%M} UTC by {entry.data['by']}")
        return True
    _show(migration, preview(firestore, migration))
    if dry_run:
        return True
    if not (yes or agreed(f"Run {migration.name}?")):
        print("migrate: nothing was written. Give --yes where nobody can answer.", file=sys.stderr)
        return False
    apply(firestore, migration, by=f"{getpass.getuser()}@{socket.gethostname()}", rate=rate, say=_say)
    return True


def _say(line: str) -> None:
    print(line, flush=True)


def agreed(question: str) -> bool:
    """Ask a person; nobody who could answer has not agreed."""
    return sys.stdin.isatty() and input(f"{question} [y/N] ").strip().lower() == "y"


def _show(migration: Migration, found: Preview) -> None:
    print(f"{migration.name}: {migration.about}")
    print(f"  {found.changed:,} of {found.seen:,} documents would change")
    for path, before, after in found.samples:
        for name, value in after.items():
            print(f"  {path}: {name}: {before.get(name, '(none)')} -> {value}")


def _chosen(migrations: Iterable[Migration], only: str | None) -> Sequence[Migration]:
    known = list(migrations)
    chosen = [migration for migration in known if only in (None, migration.name)]
    if not chosen:
        names = ", ".join(migration.name for migration in known)
        raise MigrationError(f"There is no migration {only}: there are {names}.")
    return chosen


def connect(project: str | None) -> Firestore:
    """The database of a project.

    Raises:
        MigrationError: none is named.
    """
    emulator = os.environ.get("FIRESTORE_EMULATOR_HOST")
    # Nobody is to change a real database because of what his shell happens to have in its environment.
    name = project or (os.environ.get("GCLOUD_PROJECT") if emulator else None)
    if not name:
        raise MigrationError("Name the Firebase project with --project.")
    channel, credentials = open_channel(emulator)
    print(f"project {name}, {'emulator at ' + emulator if emulator else 'Cloud Firestore'}")
    return Firestore(name, channel, credentials)
