"""The list of revocations that a process keeps, so that reads need no call of their own to honour them.

A revocation matters as long as an ID token from before it can be alive, which is an hour. All of them together are few:
the process reads those that are new to it, with one query, when its list is older than 45 seconds and a request needs
it. That is at most one or two reads a minute and process, whoever calls and however often; a list of revocations of
somebody's sessions by user id would cost a read a user instead.
"""

import logging
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from wattle.accounts.repository import RevocationRepository
from wattle.adapters.firestore import Document, FirestoreError
from wattle.context import AccountState
from wattle.kit.clock import Clock
from wattle.kit.retry import Deadline

logger = logging.getLogger(__name__)

LIVES: Final = timedelta(minutes=70)
"""An ID token lives 60 minutes (Firebase, "Manage user sessions"); the rest is for clocks that disagree."""
# Within a minute a read honours a revocation: from 45 s on the list is renewed beside a request, from 60 s on
# the request waits for it.
_RENEW_AFTER: Final = 45.0
_WAIT_AFTER: Final = 60.0
_RETRY_AFTER: Final = 5.0
# Firestore sets the time of a write shortly before the write can be read.
_OVERLAP: Final = timedelta(seconds=10)
_PAGE: Final = 1000
_DEADLINE: Final = 5.0


class Revocation(NamedTuple):
    """Sign-ins before `valid_after` (Unix seconds) do not count; `state` is the account's since then."""

    valid_after: int
    state: AccountState
    expires_at: datetime

    @classmethod
    def stored(cls, found: Document | None) -> "Revocation | None":
        """None also for a document that only says that the account is being changed."""
        if found is None or "validAfter" not in found.data:
            return None
        return cls(found.data["validAfter"], AccountState(found.data["state"]), found.data["expiresAt"])


class RevocationList:
    """One for a process; safe to use from many threads."""

    def __init__(
        self, revocations: RevocationRepository, clock: Clock, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._revocations = revocations
        self._clock = clock
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._known: dict[str, Revocation] = {}
        self._read_up_to: datetime | None = None
        self._as_of = float("-inf")
        self._tried_at = float("-inf")
        self._renewal: threading.Thread | None = None

    def find(self, uid: str) -> Revocation | None:
        """The user's revocation that still matters, as far as the list knows."""
        return self._known.get(uid)

    def add(self, uid: str, revocation: Revocation) -> None:
        """Know a revocation of this process at once."""
        with self._lock:
            self._add(uid, revocation)

    def _add(self, uid: str, revocation: Revocation) -> None:
        # What was read may be older than what this process did meanwhile.
        known = self._known.get(uid)
        if known is None or known.expires_at <= revocation.expires_at:
            self._known[uid] = revocation

    def renew(self) -> Callable[[], None]:
        """Start to renew the list where that is due. Calling the result waits, where the list is too old to be used.

        Without an answer from Firestore the old list is used: a read must not fail because of a revocation that most
        likely does not exist.
        """
        now = self._monotonic()
        with self._lock:
            age = now - self._as_of
            if age < _RENEW_AFTER:
                return _no_wait
            running = self._renewal
            if running is None and now - self._tried_at >= _RETRY_AFTER:
                self._tried_at = now
                # A thread of its own is outside of the request's count: the next request would not have paid for it.
                running = self._renewal = threading.Thread(target=self._renew, name="revocations", daemon=True)
                running.start()
        if running is None or age < _WAIT_AFTER:
            return _no_wait
        return running.join

    def _renew(self) -> None:
        started = self._monotonic()
        try:
            found = self._read(Deadline.after(_DEADLINE))
        except FirestoreError as error:
            logger.warning("the list of revocations could not be renewed; the old one is used", exc_info=error)
            with self._lock:
                self._renewal = None
            return
        now = self._clock()
        with self._lock:
            for document in found:
                if revocation := Revocation.stored(document):
                    self._add(document.id, revocation)
            self._known = {uid: known for uid, known in self._known.items() if known.expires_at > now}
            if found:
                self._read_up_to = found[-1].data["at"]
            self._as_of = started
            self._renewal = None

    def _read(self, deadline: Deadline) -> list[Document]:
        moment = self._clock() - LIVES if self._read_up_to is None else self._read_up_to - _OVERLAP
        found: list[Document] = []
        while True:
            part = self._revocations.since(moment, found[-1] if found else None, _PAGE, deadline)
            found += part
            if len(part) < _PAGE:
                return found


def _no_wait() -> None:
    """The list is young enough."""
