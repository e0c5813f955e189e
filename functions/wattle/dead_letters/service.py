"""Dead letters: an event as it came, and why it failed.

A person who looks at them (`tools replay`) sets `replay`; the trigger on dead letters then hands the event to its
function once more. It is gone when it was handled; otherwise it says why not, and waits.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple, Self

from wattle.adapters.firestore import Firestore, Increment, Transaction
from wattle.dead_letters.repository import COLLECTION, DeadLetterRepository
from wattle.kit.clock import Clock
from wattle.kit.retry import Deadline
from wattle.privacy.erasure import ErasureService

# An inbox entry lives for as long: what is told later is told to nobody.
KEPT: Final = timedelta(days=90)


class Letter(NamedTuple):
    """An event that `function` failed to handle. `before` and `after` are None where there was no document."""

    function: str
    event_id: str
    document: str
    params: Mapping[str, str]
    at: datetime
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None

    @property
    def uid(self) -> str | None:
        """The user whom it is about."""
        owners = (part.get("userId") for part in (self.after, self.before) if part is not None)
        return self.params.get("uid") or next(filter(None, owners), None)

    @property
    def path(self) -> str:
        """Where it is kept. Several functions may get an event, and each may fail by itself."""
        owner = f"users/{self.uid}" if self.uid else self.document
        return f"{owner}/{COLLECTION}/{self.function}-{self.event_id.replace('/', '_')}"

    @classmethod
    def stored(cls, data: Mapping[str, Any]) -> Self:
        return cls(
            data["function"],
            data["eventId"],
            data["document"],
            data["params"],
            data["at"],
            data["before"],
            data["after"],
        )


class DeadLetterService:
    def __init__(self, firestore: Firestore, erasure: ErasureService, clock: Clock) -> None:
        self._firestore = firestore
        self._letters = DeadLetterRepository(firestore)
        self._erasure = erasure
        self._clock = clock

    def keep(self, letter: Letter, reason: str, deadline: Deadline) -> bool:
        """Keep an event that is given up. Once is enough. `reason` names nobody.

        False: the purge of its user has begun or is over, and so nothing is kept.
        """
        now = self._clock()
        data = {
            "function": letter.function,
            "eventId": letter.event_id,
            "document": letter.document,
            "params": dict(letter.params),
            "at": letter.at,
            "before": letter.before,
            "after": letter.after,
            "reason": reason,
            "failedAt": now,
            "replay": False,
            "replays": 0,
            "expiresAt": now + KEPT,
        }

        def work(transaction: Transaction) -> bool:
            # With what the purge begins by, so that it cannot begin and pass over the letter in between.
            transaction.expect([letter.path])
            if letter.uid is not None and self._erasure.begun_in(transaction, letter.uid):
                return False
            if self._letters.get_in(transaction, letter.path) is None:
                self._letters.create_in(transaction, letter.path, data)
            return True

        return self._firestore.transaction(work, deadline)

    def wanted(self, path: str, deadline: Deadline) -> Letter | None:
        """The letter, where it is there and somebody wants it redelivered."""
        found = self._letters.get(path, deadline)
        return Letter.stored(found.data) if found is not None and found.data["replay"] else None

    def settle(self, path: str, deadline: Deadline) -> None:
        """It was handled."""
        self._letters.delete(path, deadline)

    def fail(self, path: str, reason: str, deadline: Deadline) -> None:
        """It failed again, and waits for the next who wants it redelivered."""
        again = {"replay": False, "replays": Increment(1), "reason": reason, "failedAt": self._clock()}
        self._letters.update(path, again, deadline)
