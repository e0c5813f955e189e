"""What a service knows of the call it serves, whether it came by HTTP, a callable, a trigger or a schedule."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

from wattle.errors import Code, WattleError
from wattle.kit.retry import Deadline


class Role(StrEnum):
    """Roles that a user can hold: the custom claim `role` of the ID token."""

    ADMIN = "admin"

    @classmethod
    def of(cls, claim: object) -> "Role | None":
        """The role of a claim; one that this version does not know gives no rights."""
        return next((role for role in cls if role == claim), None)


class AccountState(StrEnum):
    """What an account may do: the custom claim `accountState`, absent where it is active. The rules read it too."""

    ACTIVE = "active"
    DISABLED = "disabled"
    DELETED = "deleted"

    @classmethod
    def of(cls, claim: object) -> "AccountState":
        """The state of a claim; as the rules have it, one that this version does not know is not active."""
        return cls.ACTIVE if claim is None else next((state for state in cls if state == claim), cls.DISABLED)


class Caller(NamedTuple):
    """Who calls, from a verified ID token. `auth_time` is the moment of the sign-in, in Unix seconds.

    `unproven` says that he signed in with the password of an address that nobody has proven to be his.
    """

    uid: str
    role: Role | None
    auth_time: int
    account_state: AccountState = AccountState.ACTIVE
    email: str | None = None
    unproven: bool = False
    name: str | None = None
    picture: str | None = None
    phone_number: str | None = None
    id_token: str = ""
    """The token itself, to act for the caller at Identity Toolkit."""

    def __repr__(self) -> str:
        """Without the token, and without what is personal."""
        return f"Caller(uid={self.uid!r}, role={self.role!r})"


class IdempotentCall(NamedTuple):
    """A call that its sender may repeat: `key` says where it is recorded, `fingerprint` what was asked for."""

    key: str
    fingerprint: str


class PreconditionFailed(WattleError):
    code = Code.PRECONDITION_FAILED

    def __init__(self) -> None:
        super().__init__("This was changed since it was read. Read it again, then repeat the change.")


@dataclass(frozen=True, slots=True)
class ExpectedVersion:
    """What a change is conditional on (`If-Match`): one of `versions`; None for any, as long as the resource exists.

    The version of a resource that has no number is the digest of what it represents.
    """

    versions: frozenset[int | str] | None

    def demand(self, present: int | str | None) -> None:
        """Check the version that the transaction read, None where there is no such resource.

        Raises:
            PreconditionFailed.
        """
        if present is None or (self.versions is not None and present not in self.versions):
            raise PreconditionFailed


class _Unconditional(ExpectedVersion):
    """No condition was named."""

    def demand(self, present: int | str | None) -> None:
        pass


UNCONDITIONAL: Final = _Unconditional(None)


class Context(NamedTuple):
    """One call: its id, who makes it, and when its answer is no longer waited for.

    A service that changes a versioned resource calls `expected.demand(version)` in its transaction. One that begins
    sessions begins them for users with the role `only`, where that is not None.
    """

    request_id: str
    deadline: Deadline
    caller: Caller | None = None
    idempotent: IdempotentCall | None = None
    expected: ExpectedVersion = UNCONDITIONAL
    only: Role | None = None

    @property
    def user(self) -> Caller:
        """The caller of a call that only signed-in users can make."""
        if self.caller is None:
            raise LookupError("this call has no caller: its route or function must demand one")
        return self.caller
