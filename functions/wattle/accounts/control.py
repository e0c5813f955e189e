"""Changes of an account, which are in two places: Firebase Authentication and Firestore.

They are made inside a Firestore transaction that holds the account's revocation: first in Firebase Authentication,
then, by the commit, in Firestore. Two changes of one account thus wait for each other, and neither loses the other's
claims. Whatever fails in between leaves Firestore as it was: the call is answered with an error, and repeating it does
all of it again, which does no harm.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from wattle.accounts import errors
from wattle.accounts.claims import state_in
from wattle.accounts.sessions import SessionService
from wattle.adapters.firestore import Firestore, Transaction
from wattle.adapters.identity import Account, Identity
from wattle.adapters.identity_toolkit import AccountMissing, IdentityUnavailable, WeakPassword
from wattle.errors import Unavailable
from wattle.kit.retry import Deadline


class Change(NamedTuple):
    """What changes in Firebase Authentication; None stays as it is. `claims` are all claims of the account."""

    claims: Mapping[str, Any] | None = None
    disabled: bool | None = None
    password: str | None = None


NOTHING: Final = Change()

Decide = Callable[[Transaction, Account, int], Change]
"""Reads and writes documents in the transaction; the number is the second (Unix) from which on new sign-ins count."""


class AccountControl:
    def __init__(self, firestore: Firestore, identity: Identity, sessions: SessionService) -> None:
        self._firestore = firestore
        self._identity = identity
        self._sessions = sessions

    def end_sessions(self, uid: str, decide: Decide, deadline: Deadline) -> None:
        """Change an account and end its sessions. It takes up to a second: see `SessionService.next_second`.

        Raises:
            UserNotFound, WeakPassword, Unavailable, and what `decide` raises.
        """
        self._change(uid, decide, deadline, self._sessions.next_second())

    def change(self, uid: str, decide: Decide, deadline: Deadline) -> None:
        """Change an account whose sessions go on. Raises as `end_sessions` does."""
        self._change(uid, decide, deadline, None)

    def _change(self, uid: str, decide: Decide, deadline: Deadline, ended: int | None) -> None:
        def work(transaction: Transaction) -> Any:
            current = self._sessions.current_in(transaction, uid)
            account = self._identity.account(uid)
            if account is None:
                raise errors.UserNotFound
            valid_since = None if ended is None else max(ended, account.tokens_valid_after)
            change = decide(transaction, account, valid_since or account.tokens_valid_after)
            if ended is not None or change != NOTHING:
                self._identity.change(
                    uid,
                    claims=change.claims,
                    valid_since=valid_since,
                    disabled=change.disabled,
                    password=change.password,
                )
            state = state_in(account.claims if change.claims is None else change.claims)
            if ended is None and state is (state_in(account.claims) if current is None else current.state):
                return None
            return self._sessions.revoke_in(
                transaction, uid, valid_after=valid_since or 0, state=state, current=current
            )

        try:
            revocation = self._firestore.transaction(work, deadline)
        except AccountMissing as error:
            raise errors.UserNotFound from error
        except WeakPassword as error:
            raise errors.WeakPassword(str(error)) from error
        except IdentityUnavailable as error:
            raise Unavailable("Firebase Authentication") from error
        if revocation is not None:
            self._sessions.know(uid, revocation)
