"""Which sign-ins count.

Firebase's own revocation is seen by whoever asks Identity Toolkit, which is a network call a request, or when the ID
token is refreshed, which is up to an hour later. So each revocation is also a document:

| who asks | how | costs |
|---|---|---|
| GET of a user | the list that the process keeps (see `revocation`), at most a minute old | nothing |
| any other method | `revocations/{uid}`, read with the request's own reads and before any commit | one read |
| an administrator | Identity Toolkit, which also says whether he still is one | a call of 30 to 100 ms |

Accounts that are disabled past this API (in the console, or with another SDK) have no such document: they are
refused to administrators' routes at once, elsewhere when the ID token runs out.
"""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from wattle.accounts import errors
from wattle.accounts.lease import demand_free
from wattle.accounts.repository import RevocationRepository
from wattle.accounts.revocation import LIVES, Revocation, RevocationList
from wattle.adapters.firestore import Condition, Document, Firestore, Transaction
from wattle.context import AccountState, Caller
from wattle.errors import WattleError
from wattle.kit.clock import Clock
from wattle.kit.retry import Deadline

RECENT: Final = timedelta(minutes=5)
"""Firebase itself demands a sign-in of the last five minutes for changes of address and password."""


class SessionService:
    def __init__(
        self,
        firestore: Firestore,
        clock: Clock,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._revocations = RevocationRepository(firestore)
        self._list = RevocationList(self._revocations, clock, monotonic=monotonic)
        self._clock = clock
        self._pause = pause

    def check(self, caller: Caller, deadline: Deadline, *, at_once: bool, returning: bool = False) -> Condition:
        """Whether the caller's sign-in counts, for whoever asks what is returned. Asked again it says the same.

        `at_once` goes by his revocation as it is stored now; otherwise what was revoked in the last minute may be
        missed. `returning` lets somebody in who deleted his account and signed in again, which undoes it.

        The condition raises TokenRevoked, UserDisabled, AccountDeleted, or, where `at_once` and Firestore is away, a
        FirestoreError.
        """
        if not at_once and caller.account_state is AccountState.ACTIVE:
            return _Listed(caller, self._list, returning=returning)
        # A token that calls its account deleted may be older than the undoing: what is stored decides.
        return _Stored(caller, self._revocations, deadline, returning=returning)

    def demand_recent(self, caller: Caller) -> None:
        """Demand a sign-in of the last five minutes.

        Raises:
            RecentSignInRequired.
        """
        if self._clock() - datetime.fromtimestamp(caller.auth_time, UTC) > RECENT:
            raise errors.RecentSignInRequired

    def next_second(self) -> int:
        """Wait for the next whole second and return it: no sign-in so far can be of it or later.

        ID tokens say their sign-in in whole seconds. Without the wait a sign-in in the second of its revocation would
        outlive it, or one made directly after it would be refused.
        """
        now = self._clock().timestamp()
        second = int(now) + 1
        self._pause(second - now)
        return second

    def current_in(self, transaction: Transaction, uid: str) -> Revocation | None:
        """The user's revocation, if there is one. Until the commit nobody begins to change his account.

        Raises:
            FirestoreContention: somebody does already: see `accounts.lease`.
        """
        found = self._revocations.get_in(transaction, uid)
        demand_free(found, self._clock())
        return Revocation.stored(found)

    def revoke_in(
        self, transaction: Transaction, uid: str, *, valid_after: int, state: AccountState, current: Revocation | None
    ) -> Revocation:
        """Write that sign-ins before `valid_after` do not count. Tell `know` after the commit."""
        if current is not None:
            valid_after = max(valid_after, current.valid_after)
        revocation = Revocation(valid_after, state, self._clock() + LIVES)
        data = {"validAfter": valid_after, "state": state.value, "expiresAt": revocation.expires_at}
        self._revocations.put_in(transaction, uid, data)
        return revocation

    def know(self, uid: str, revocation: Revocation) -> None:
        """Have this process honour a revocation that was committed at once; the others follow within a minute."""
        self._list.add(uid, revocation)


class _Listed(Condition):
    """By the list that the process keeps."""

    def __init__(self, caller: Caller, known: RevocationList, *, returning: bool) -> None:
        self._caller = caller
        self._list = known
        self._returning = returning
        self._wait = known.renew()

    def __call__(self) -> None:
        self._wait()
        _demand(self._caller, self._list.find(self._caller.uid), returning=self._returning)


class _Stored(Condition):
    """By the stored revocation, which is read once, unless there was no answer."""

    def __init__(
        self, caller: Caller, revocations: RevocationRepository, deadline: Deadline, *, returning: bool
    ) -> None:
        self._caller = caller
        self._revocations = revocations
        self._deadline = deadline
        self._returning = returning
        # A request may read in several threads.
        self._lock = threading.Lock()
        self._pending: Callable[[], Document | None] | None = None
        self._answered = False
        self._refusal: WattleError | None = None

    @property
    def wanted(self) -> str | None:
        return None if self._answered or self._pending is not None else self._revocations.path(self._caller.uid)

    def begin(self) -> None:
        with self._lock:
            if not self._answered and self._pending is None:
                self._pending = self._send()

    def _send(self) -> Callable[[], Document | None]:
        return self._revocations.get_later(self._caller.uid, self._deadline)

    def learn(self, found: Document | None) -> None:
        try:
            _demand(self._caller, Revocation.stored(found), returning=self._returning)
        except WattleError as refusal:
            self._refusal = refusal
        self._answered = True

    def __call__(self) -> None:
        with self._lock:
            if not self._answered:
                pending = self._pending or self._send()
                # Where it fails, another attempt sends again.
                self._pending = None
                self.learn(pending())
        if self._refusal is not None:
            raise self._refusal


def _demand(caller: Caller, revocation: Revocation | None, *, returning: bool) -> None:
    state = caller.account_state if revocation is None else revocation.state
    before = revocation is not None and caller.auth_time < revocation.valid_after
    if state is AccountState.DISABLED:
        raise errors.UserDisabled
    if state is AccountState.DELETED and (before or not returning):
        raise errors.AccountDeleted
    if before:
        raise errors.TokenRevoked
