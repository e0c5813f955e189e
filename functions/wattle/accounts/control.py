"""Changes of an account, which are in two places: Firebase Authentication and Firestore.

Whoever makes one holds the account's lease (see `accounts.lease`): two changes of one account wait for each other, and
neither loses the other's claims. They are made inside a Firestore transaction: first in Firebase Authentication, then,
by the commit, in Firestore. Whatever fails in between leaves Firestore as it was: the call is answered with an error,
and repeating it does all of it again, which does no harm. Where it is not known what became of a call to Firebase
Authentication, the lease is left to run out, which takes half a minute; until then the account cannot be changed.

The state of an account that is not active is the claim `accountState`. Others set claims, too, and all together have
1,000 bytes. Where ours does not fit, the account is disabled in Firebase Authentication, so that no token without the
claim comes from there; the tokens that there are end with its sessions. What is lost is that somebody who deleted his
account can come back by signing in: an administrator has to let him in again, once there is room for the claim.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final, NamedTuple

from wattle.accounts import errors
from wattle.accounts.claims import state_in, with_state
from wattle.accounts.lease import Lease, LeaseService
from wattle.accounts.revocation import Revocation
from wattle.accounts.sessions import SessionService
from wattle.adapters.firestore import Firestore, Transaction
from wattle.adapters.identity import Account, Identity
from wattle.adapters.identity_toolkit import AccountMissing, ClaimsTooLong, IdentityUnavailable
from wattle.context import AccountState, Context
from wattle.errors import Unavailable
from wattle.kit.retry import Deadline


class Change(NamedTuple):
    """What changes in Firebase Authentication; None stays as it is.

    `claims` are all claims of the account, but for what `state` makes of `accountState`.
    """

    claims: Mapping[str, Any] | None = None
    state: AccountState | None = None
    disabled: bool | None = None


NOTHING: Final = Change()

Decide = Callable[[Transaction, Account, int], Change]
"""Reads and writes documents in the transaction; the number is the second (Unix) from which on new sign-ins count."""


class AccountControl:
    def __init__(
        self, firestore: Firestore, identity: Identity, sessions: SessionService, leases: LeaseService
    ) -> None:
        self._firestore = firestore
        self._identity = identity
        self._sessions = sessions
        self._leases = leases

    def end_sessions(self, uid: str, decide: Decide, deadline: Deadline) -> None:
        """Change an account and end its sessions. It takes up to a second: see `SessionService.next_second`.

        Raises:
            UserNotFound, ClaimsTooLong, Unavailable, and what `decide` raises.
        """
        self._change(uid, decide, deadline, self._sessions.next_second())

    def end_own_sessions(self, ctx: Context, decide: Decide) -> None:
        """Change the caller's account and end his sessions.

        Raises:
            TokenRevoked: his account is gone, and no session with it.
            ClaimsTooLong, Unavailable, and what `decide` raises.
        """
        try:
            self.end_sessions(ctx.user.uid, decide, ctx.deadline)
        except errors.UserNotFound as error:
            raise errors.TokenRevoked from error

    def change(self, uid: str, decide: Decide, deadline: Deadline) -> None:
        """Change an account whose sessions go on. Raises as `end_sessions` does."""
        self._change(uid, decide, deadline, None)

    def _change(self, uid: str, decide: Decide, deadline: Deadline, ended: int | None) -> None:
        lease = self._leases.take(uid, deadline)
        try:
            revocation = self._changed(lease, decide, deadline, ended)
        except AccountMissing as error:
            raise errors.UserNotFound from error
        except ClaimsTooLong as error:
            raise errors.ClaimsTooLong from error
        except IdentityUnavailable as error:
            raise Unavailable("Firebase Authentication") from error
        if revocation is not None:
            self._sessions.know(uid, revocation)

    def _changed(self, lease: Lease, decide: Decide, deadline: Deadline, ended: int | None) -> Revocation | None:
        """Make the change; the revocation, where that is new."""
        # Of the latest attempt: its commit may have taken effect without an answer.
        revocation: Revocation | None = None

        def work(transaction: Transaction) -> None:
            nonlocal revocation
            found = self._leases.get_in(transaction, lease)
            if found is None:
                return
            current = Revocation.stored(found)
            account = self._identity.account(lease.uid)
            if account is None:
                raise errors.UserNotFound
            valid_since = None if ended is None else max(ended, account.tokens_valid_after)
            change = decide(transaction, account, valid_since or account.tokens_valid_after)
            self._apply(lease, account, change, valid_since)
            before = _state(account, current)
            state = change.state or before
            if ended is None and state is (before if current is None else current.state):
                revocation = None
                self._leases.end_in(transaction, found)
            else:
                revocation = self._sessions.revoke_in(
                    transaction, lease.uid, valid_after=valid_since or 0, state=state, current=current
                )

        try:
            self._firestore.transaction(work, deadline)
        except _Unanswered:
            # It may take effect yet: nobody is to look the account up before the lease has run out.
            raise
        except Exception:
            # Whatever else failed has ended: nothing of it is on the way.
            self._leases.give_back(lease)
            raise
        return revocation

    def _apply(self, lease: Lease, account: Account, change: Change, valid_since: int | None) -> None:
        claims = account.claims if change.claims is None else change.claims
        if change.state is not None:
            claims = with_state(claims, change.state)
        changed = None if claims == account.claims else claims
        if changed is None and valid_since is None and change.disabled is None:
            return
        set_ = partial(self._identity.change, account.uid, valid_since=valid_since)
        try:
            try:
                lease.demand_time()
                set_(claims=changed, disabled=change.disabled)
            except ClaimsTooLong:
                if change.state is None or change.disabled is False:
                    raise
                lease.demand_time()
                set_(disabled=True)
        except IdentityUnavailable as error:
            raise _Unanswered(str(error)) from error


class _Unanswered(IdentityUnavailable):
    """Nobody knows whether Firebase Authentication has made the change, or is going to."""


def _state(account: Account, current: Revocation | None) -> AccountState:
    """The state of an account, of which the claim may not tell where it did not fit."""
    claimed = state_in(account.claims)
    if claimed is AccountState.ACTIVE and account.disabled and current is not None:
        return current.state
    return claimed
