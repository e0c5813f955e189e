"""A user deletes his account: it is closed at once and purged after a grace period, unless he signs in again.

Closed means: his sessions are ended, the claim `accountState` keeps new ones from everything but coming back, and the
profile says when it is going to be purged. The account is not disabled in Firebase Authentication, because he could not
sign in again then; only where the claim has no room it is: see `accounts.control`.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from wattle.accounts.control import AccountControl, Change
from wattle.accounts.errors import AccountDeleted, UserNotFound
from wattle.adapters.firestore import Document, Firestore, Transaction
from wattle.adapters.identity import Account
from wattle.context import AccountState, Context
from wattle.kit.clock import Clock
from wattle.kit.retry import Deadline
from wattle.users.profiles import new_profile
from wattle.users.repository import UserRepository
from wattle.users.schemas import Deletion


class DeletionService:
    def __init__(self, firestore: Firestore, accounts: AccountControl, clock: Clock, grace: timedelta) -> None:
        self._users = UserRepository(firestore)
        self._accounts = accounts
        self._clock = clock
        self._grace = grace

    def close(self, ctx: Context) -> Deletion:
        """Delete the caller's account, to be purged after the grace period. Called again it changes nothing.

        Raises:
            TokenRevoked: his account is gone.
        """
        uid = ctx.user.uid
        closed: dict[str, Any] = {}

        def decide(transaction: Transaction, _account: Account, ended: int) -> Change:
            found = self._users.get_in(transaction, uid)
            deleted_at = found.data["deletedAt"] if found else None
            if deleted_at is None:
                deleted_at = datetime.fromtimestamp(ended, UTC)
                closed.update(deletedAt=deleted_at, purgeAt=deleted_at + self._grace)
                if found is None:
                    self._users.create_in(transaction, uid, {**new_profile(ctx.user, self._clock()), **closed})
                else:
                    self._users.update_in(transaction, uid, {**closed, **self._bumped(found)})
            else:
                closed.update(deletedAt=deleted_at, purgeAt=found.data["purgeAt"] if found else None)
            return Change(state=AccountState.DELETED)

        self._accounts.end_own_sessions(ctx, decide)
        return Deletion.stored(closed)

    def restore(self, uid: str, deadline: Deadline) -> None:
        """Undo the deletion: its owner signed in again.

        Raises:
            AccountDeleted: the purge has begun.
        """

        def decide(transaction: Transaction, _account: Account, _ended: int) -> Change:
            found = self._users.get_in(transaction, uid)
            if found is not None and found.data.get("purge") is not None:
                raise AccountDeleted
            if found is not None and found.data["deletedAt"] is not None:
                self._users.update_in(transaction, uid, {"deletedAt": None, "purgeAt": None, **self._bumped(found)})
            return Change(state=AccountState.ACTIVE)

        try:
            self._accounts.change(uid, decide, deadline)
        except UserNotFound as error:
            raise AccountDeleted from error

    def _bumped(self, found: Document) -> dict[str, Any]:
        return {"updatedAt": self._clock(), "version": found.data["version"] + 1}
