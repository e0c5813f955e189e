"""What a service knows of the call it serves, whether it came by HTTP, a callable, a trigger or a schedule."""

from dataclasses import dataclass
from enum import StrEnum

from wattle.kit.retry import Deadline


class Role(StrEnum):
    """Roles that a user can hold: the custom claim `role` of the ID token."""

    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls, from a verified ID token. `auth_time` is the moment of the sign-in, in Unix seconds."""

    uid: str
    role: Role | None
    auth_time: int
    email: str | None = None
    email_verified: bool = False
    name: str | None = None
    picture: str | None = None
    phone_number: str | None = None


@dataclass(frozen=True, slots=True)
class IdempotentCall:
    """A call that its sender may repeat: `key` says where it is recorded, `fingerprint` what was asked for."""

    key: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Context:
    """One call: its id, who makes it, and when its answer is no longer waited for."""

    request_id: str
    deadline: Deadline
    caller: Caller | None = None
    idempotent: IdempotentCall | None = None

    @property
    def user(self) -> Caller:
        """The caller of a call that only signed-in users can make."""
        if self.caller is None:
            raise LookupError("this call has no caller: its route or function must demand one")
        return self.caller
