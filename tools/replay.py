"""`python -m tools replay`: have events that were given up handled once more (docs/operations/poisoned-event.md).

It only says which; the deployed functions do it, with their own code and rights. A trigger may be handed an event any
number of times, so asking twice does no harm.
"""

import sys
import time
from collections.abc import Sequence
from typing import Final

from tools.migrate import MigrationError, agreed, connect
from wattle.adapters.firestore import Document, Firestore, PreconditionFailed, Query, Reference, Update
from wattle.kit.retry import Deadline

_PAGE: Final = 100
_PATIENCE: Final = 30.0
_PAUSE: Final = 0.5


def run(*, project: str | None, function: str | None, dry_run: bool, yes: bool, wait: int) -> int:
    """0 where all that were asked for are handled, 1 otherwise."""
    try:
        firestore = connect(project)
    except MigrationError as error:
        print(f"replay: {error}", file=sys.stderr)
        return 1
    letters = [letter for letter in _letters(firestore) if function in (None, letter.data["function"])]
    for letter in letters:
        print(_line(letter))
    print(f"{len(letters):,} dead letters")
    if dry_run or not letters:
        return 0
    if not (yes or agreed("Redeliver them?")):
        print("replay: nothing was redelivered. Give --yes where nobody can answer.", file=sys.stderr)
        return 1
    return _replayed(firestore, letters, wait)


def _letters(firestore: Firestore) -> list[Document]:
    found: list[Document] = []
    while True:
        query = Query(
            "deadLetters",
            order_by=[("__name__", "asc")],
            after=(Reference(found[-1].path),) if found else None,
            limit=_PAGE,
            everywhere=True,
        )
        page = firestore.query(query, Deadline.after(_PATIENCE))
        found += page
        if len(page) < _PAGE:
            return found


def _line(letter: Document) -> str:
    data = letter.data
    again = f", redelivered {data['replays']} times" if data["replays"] else ""
    return f"{data['function']} {data['document']}, written {data['at']:%Y-%m-%d %H:%M} UTC{again}: {data['reason']}"


def _replayed(firestore: Firestore, letters: Sequence[Document], wait: int) -> int:
    """Ask for them, and wait for what comes of it."""
    waiting = {letter.path: letter for letter in letters}
    for path in list(waiting):
        try:
            firestore.commit([Update(path, {"replay": True})], Deadline.after(_PATIENCE))
        except PreconditionFailed:
            del waiting[path]  # it was handled meanwhile
    end = time.monotonic() + wait
    failed = 0
    while waiting and time.monotonic() < end:
        for path, asked in list(waiting.items()):
            found = firestore.get(path, Deadline.after(_PATIENCE))
            if found is None:
                print(f"{asked.data['function']} {asked.data['document']}: handled")
                del waiting[path]
            elif not found.data["replay"]:
                print(f"{_line(found)}")
                failed += 1
                del waiting[path]
        if waiting:
            time.sleep(_PAUSE)
    if waiting:
        print(f"replay: {len(waiting)} have not been tried within {wait} s: look at the log of onDeadLetterWritten.")
    return 1 if failed or waiting else 0
