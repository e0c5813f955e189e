from typing import Annotated

from pydantic import Field, StringConstraints

from wattle.schema import Body, PathId, Resource

# RFC 5321 allows 254 characters; Identity Toolkit judges the rest. It has every address in lower case, whoever made the
# account (firebase-tools, src/emulator/auth/operations.ts, canonicalizeEmailAddress); not all emulators do.
Email = Annotated[
    str,
    StringConstraints(strip_whitespace=True, to_lower=True, max_length=254, pattern=r"^[^@\s]+@[^@\s]+$"),
    Field(examples=["alice@example.com"]),
]
Password = Annotated[str, StringConstraints(min_length=8, max_length=256)]
DisplayName = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]


class Register(Body):
    email: Email
    password: Password
    display_name: DisplayName | None = None


class Login(Body):
    email: Email
    # No rule of today may lock out a password of yesterday.
    password: Annotated[str, StringConstraints(min_length=1, max_length=256)]


class Refresh(Body):
    refresh_token: Annotated[str, StringConstraints(min_length=1, max_length=4096)]


class SignOut(Body):
    """`deviceId` is the device that the app signs out on; `everywhere` ends all sessions on all devices."""

    device_id: PathId | None = None
    everywhere: bool = False


class ResetPassword(Body):
    email: Email


class ChangeAddress(Body):
    """The new address."""

    email: Email


class ChangePassword(Body):
    """The new password."""

    password: Password


class SessionTokens(Resource):
    """Firebase's own tokens; `expires_in` is in seconds."""

    uid: str
    id_token: str
    refresh_token: str
    expires_in: int
