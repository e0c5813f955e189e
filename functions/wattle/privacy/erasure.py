"""The purge: after the grace period everything of a user is removed, or made anonymous where the law wants it kept.

It goes step by step, each step in transactions that also count what they did in the profile. Killed anywhere, it goes
on where it stopped; run twice at once, both do what is left. The profile is the last to go, with the proof.
"""

import logging
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from typing import Final

from wattle.accounts.claims import state_in
from wattle.accounts.sessions import SessionService
from wattle.adapters.firestore import Firestore, Transaction
from wattle.adapters.identity import Identity
from wattle.adapters.identity_toolkit import AccountMissing
from wattle.context import AccountState
from wattle.devices.service import DeviceService
from wattle.kit.clock import Clock
from wattle.kit.retry import Deadline
from wattle.privacy.repository import BELOW_USER, PersonalDataRepository

logger = logging.getLogger(__name__)

_USERS_AT_ONCE: Final = 50
# A transaction of so many documents takes below a second; an order comes with its events.
_AT_ONCE: Final = 300
_ORDERS_AT_ONCE: Final = 50
# What is started with less time left than this would not end.
_RESERVE: Final = 10.0


class ErasureService:
    def __init__(  # noqa: PLR0913 (each is a service of its own)
        self,
        firestore: Firestore,
        *,
        identity: Identity,
        sessions: SessionService,
        devices: DeviceService,
        clock: Clock,
        at_once: int = _AT_ONCE,
    ) -> None:
        self._firestore = firestore
        self._data = PersonalDataRepository(firestore)
        self._identity = identity
        self._sessions = sessions
        self._devices = devices
        self._clock = clock
        self._at_once = at_once

    def purge_due(self, deadline: Deadline) -> int:
        """Purge the users whose grace period is over, as many as the deadline allows; how many they were.

        One whose purge fails is logged and left for the next run; he does not keep the others waiting.
        """
        purged = 0
        failed: set[str] = set()
        while True:
            due = self._data.due(self._clock(), _USERS_AT_ONCE + len(failed), deadline)
            waiting = [uid for uid in due if uid not in failed]
            if not waiting:
                return purged
            for uid in waiting:
                if deadline.remaining() < _RESERVE:
                    return purged
                try:
                    purged += self.purge(uid, deadline)
                except Exception as error:
                    failed.add(uid)
                    # The hash: nobody's id belongs into the log, and the proof has the same.
                    fields = {"user": pseudonym(uid)}
                    logger.exception(
                        "a purge failed and is left for the next run", exc_info=error, extra={"fields": fields}
                    )

    def purge(self, uid: str, deadline: Deadline) -> bool:
        """Erase one user; false where he came back."""
        if not self._begin(uid, deadline):
            return False
        self._remove_devices(uid, deadline)
        for name in BELOW_USER:
            self._all(lambda t, name=name: self._data.remove_below_in(t, uid, name, self._at_once), deadline)  # type: ignore[misc]
        self._all(lambda t: self._data.remove_deferrals_in(t, uid, self._at_once), deadline)
        self._all(lambda t: self._data.anonymise_orders_in(t, uid, _ORDERS_AT_ONCE), deadline)
        self._all(lambda t: self._data.pseudonymise_audit_in(t, uid, pseudonym(uid), self._at_once), deadline)
        self._identity.delete(uid)
        self._finish(uid, deadline)
        return True

    def begun_in(self, transaction: Transaction, uid: str) -> bool:
        """Whether the user's purge has begun or is over: what is written of him from then on may stay."""
        profile, proof = self._data.profile_and_proof_in(transaction, uid, pseudonym(uid))
        return proof is not None if profile is None else profile.data.get("purge") is not None

    def _begin(self, uid: str, deadline: Deadline) -> bool:
        """Close the account for good. From here on nobody comes back."""

        def work(transaction: Transaction) -> bool:
            current = self._sessions.current_in(transaction, uid)
            profile = self._data.profile_in(transaction, uid)
            now = self._clock()
            if profile is None or (due := profile.data.get("purgeAt")) is None or due > now:
                return False
            account = self._identity.account(uid)
            begun = profile.data.get("purge") is not None
            active = account is not None and state_in(account.claims) is AccountState.ACTIVE and not account.disabled
            if active and not begun:
                # He came back, and only the second half of that failed: this completes it. (One whose claims left no
                # room for the state is disabled.)
                self._data.change_profile_in(transaction, uid, {"deletedAt": None, "purgeAt": None})
                return False
            self._sessions.revoke_in(
                transaction, uid, valid_after=int(now.timestamp()) + 1, state=AccountState.DELETED, current=current
            )
            if not begun:
                self._data.change_profile_in(transaction, uid, {"purge": {"begunAt": now, "counts": {}}})
            return True

        if not self._firestore.transaction(work, deadline):
            return False
        # Not before the commit: he may come back until then. A run that ends here is followed by one that does it.
        with suppress(AccountMissing):
            self._identity.change(uid, disabled=True)
        return True

    def _remove_devices(self, uid: str, deadline: Deadline) -> None:
        """By their own service, which gives up their installations too."""
        devices = len(self._devices.documents(uid, deadline))

        def count(transaction: Transaction) -> None:
            profile = self._data.profile_in(transaction, uid)
            if profile is not None and "devices" not in profile.data["purge"]["counts"]:
                self._data.change_profile_in(transaction, uid, {"purge.counts.devices": devices})

        self._firestore.transaction(count, deadline)
        self._devices.remove_all(uid, deadline)

    def _all(self, some: Callable[[Transaction], int], deadline: Deadline) -> None:
        while self._firestore.transaction(some, deadline):
            """There may be more."""

    def _finish(self, uid: str, deadline: Deadline) -> None:
        def work(transaction: Transaction) -> None:
            profile = self._data.profile_in(transaction, uid)
            if profile is None:
                return
            proof = {
                "user": pseudonym(uid),
                "deletedAt": profile.data["deletedAt"],
                "purgedAt": self._clock(),
                "counts": profile.data["purge"]["counts"],
            }
            self._data.finish_in(transaction, uid, pseudonym(uid), proof)

        self._firestore.transaction(work, deadline)


def pseudonym(uid: str) -> str:
    """What stands for a user who was erased: who knows his id can find the proof, nobody finds the id by it.

    An id that Firebase makes has 166 bits, so no search comes to an end. One that another system made may be an address
    or a number, which can be guessed: see docs/privacy.md.
    """
    return sha256(uid.encode()).hexdigest()
