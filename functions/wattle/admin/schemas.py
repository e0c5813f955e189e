from datetime import datetime
from typing import Annotated, Any

from pydantic import Field, StringConstraints

from wattle.accounts.schemas import Email
from wattle.context import Role
from wattle.schema import Body, PageParameters, Resource

Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]


class ListUsers(PageParameters):
    email: Annotated[Email | None, Field(description="The one user with this address.")] = None


class SetRole(Body):
    """null takes the role away."""

    # JSON has no enums: strict mode would refuse every text.
    role: Annotated[Role | None, Field(strict=False)]


class DisableUser(Body):
    """`reason` goes to the audit log."""

    reason: Reason | None = None


class UserAccount(Resource):
    """A user as administrators see him: his profile, and his account in Firebase Authentication.

    `hasProfile` is false for one who never used the API; `hasAccount` for one whose account was removed elsewhere.
    """

    id: str
    email: str | None
    email_verified: bool
    display_name: str | None
    phone_number: str | None
    photo_url: str | None
    role: Role | None
    disabled: bool
    has_profile: bool
    has_account: bool
    created_at: datetime | None
    last_sign_in_at: datetime | None
    deleted_at: datetime | None
    purge_at: datetime | None


class ListAuditLog(PageParameters):
    target: Annotated[
        str | None,
        Field(max_length=1024, description="Only what was done to this document, such as `users/abc`."),
    ] = None


class AuditEntry(Resource):
    """`diff` says what changed, as [before, after]."""

    id: str
    actor: str
    action: str
    target: str
    at: datetime
    request_id: str
    diff: dict[str, Any]
