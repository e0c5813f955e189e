"""Who may change an account: one at a time, whichever process it is in.

Identity Toolkit updates an account on no condition, and replaces all claims at once: who wrote them in between loses
his. So whoever is going to change an account first writes into its revocation that he does, and others wait until he
has written what became of it.

A process that is killed leaves its lease behind, and its last call may yet be on the way. The lease then runs out by
time, and no call is begun that could arrive after that. So each change has reached Firebase Authentication before
another looks the account up, or it never does.
"""

from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from wattle.accounts.repository import RevocationRepository
from wattle.accounts.revocation import LIVES, Revocation
from wattle.adapters.firestore import Document, Firestore, FirestoreContention, FirestoreError, Transaction
from wattle.errors import Contention, Unavailable
from wattle.kit.clock import Clock
from wattle.kit.ids import document_id
from wattle.kit.retry import Deadline

LEASED: Final = timedelta(seconds=30)
# A call to Identity Toolkit is given up after 11 s; the rest is for clocks that disagree, and for what was given up and
# arrives all the same.
_ARRIVES: Final = 15.0
# A change takes a third of a second; what is begun with less left would not end in time.
_RESERVE: Final = 5.0
_GIVING_BACK: Final = 2.0


class Lease(NamedTuple):
    """The right to change an account until `end`."""

    uid: str
    holder: str
    end: Deadline

    def demand_time(self) -> None:
        """Demand that a call which begins now arrives within the lease.

        Raises:
            Unavailable: it may not. It is Firebase Authentication that has taken so long.
        """
        if self.end.remaining() < _ARRIVES:
            raise Unavailable("Firebase Authentication")


class LeaseService:
    def __init__(self, firestore: Firestore, clock: Clock) -> None:
        self._firestore = firestore
        self._revocations = RevocationRepository(firestore)
        self._clock = clock

    def take(self, uid: str, deadline: Deadline) -> Lease:
        """Wait for the lease of an account. It ends with the commit of a revocation (`SessionService.revoke_in`) or of
        `end_in`.

        Raises:
            FirestoreContention: others hold it.
            FirestoreUnavailable: also where it may have been taken; it then runs out.
        """
        holder = document_id()

        def work(transaction: Transaction) -> Lease:
            found = self._revocations.get_in(transaction, uid)
            # In this order: by the own count it ends no later than by the others'.
            end, now = Deadline.after(LEASED.total_seconds()), self._clock()
            demand_free(found, now, holder)
            # So that it lasts as long as the lease does, and no longer where nothing comes of it.
            lease = {"holder": holder, "leasedUntil": now + LEASED, "expiresAt": now + LIVES}
            self._revocations.lease_in(transaction, uid, lease)
            return Lease(uid, holder, end)

        while True:
            try:
                return self._firestore.transaction(work, deadline)
            except FirestoreContention:
                if deadline.remaining() < _RESERVE:
                    raise

    def get_in(self, transaction: Transaction, lease: Lease) -> Document | None:
        """The account's revocation with the lease in it; None where an earlier commit has ended the lease.

        Raises:
            Contention: it ran out, and others took it.
        """
        found = self._revocations.get_in(transaction, lease.uid)
        if _holder(found) == lease.holder:
            return found
        # As long as it lasts nobody else ends it.
        if transaction.uncertain and lease.end.remaining() > 0:
            return None
        raise Contention

    def end_in(self, transaction: Transaction, found: Document) -> None:
        """End the lease, and leave the revocation beside it as it is."""
        self._revocations.end_lease_in(transaction, found.id, alone=Revocation.stored(found) is None)

    def give_back(self, lease: Lease) -> None:
        """End the lease of a change that failed, and of which nothing is on the way. Without an answer it runs out."""

        def work(transaction: Transaction) -> None:
            found = self._revocations.get_in(transaction, lease.uid)
            if found is not None and _holder(found) == lease.holder:
                self.end_in(transaction, found)

        with suppress(FirestoreError):
            self._firestore.transaction(work, Deadline.after(_GIVING_BACK))


def demand_free(found: Document | None, now: datetime, holder: str | None = None) -> None:
    """Demand that nobody holds the lease in this document, or that `holder` does.

    Raises:
        FirestoreContention: somebody else does.
    """
    if found is not None and _holder(found) not in (None, holder) and found.data["leasedUntil"] > now:
        raise FirestoreContention("somebody else changes the account")


def _holder(found: Document | None) -> str | None:
    return None if found is None else found.data.get("holder")
