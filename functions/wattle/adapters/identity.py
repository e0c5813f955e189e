"""Accounts in Firebase Authentication: sign-in for apps without a Firebase SDK, and what an administrator does to them.

Source: Identity Platform, REST reference: `accounts.signUp`, `signInWithPassword`, `sendOobCode`, `lookup`, `update`,
`delete`, and their forms below `projects.accounts`; Firebase Auth REST API, "Exchange a refresh token for an ID token".
"""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from wattle.adapters.identity_toolkit import (
    AccountMissing,
    ClaimsTooLong,
    IdentityToolkit,
    IdentityUnavailable,
    SecondFactorPending,
)

CLAIMS_LONGEST: Final = 1000
"""Bytes of JSON that the custom claims of an account may have (Firebase, "Control access with custom claims")."""
LOOKUP_MOST: Final = 100
"""Accounts that one call looks up."""


class Session(NamedTuple):
    """Firebase's own tokens. `expires_in` is in seconds."""

    uid: str
    id_token: str
    refresh_token: str
    expires_in: int


class SignInProvider(NamedTuple):
    """A way to sign in, and who its owner is there: `raw_id` and `federated_id` are the provider's own ids of him."""

    id: str
    raw_id: str | None
    federated_id: str | None
    email: str | None
    phone_number: str | None
    display_name: str | None
    photo_url: str | None
    screen_name: str | None


class SecondFactor(NamedTuple):
    """What is asked for besides. `phone_number` is None where it is no text message."""

    display_name: str | None
    phone_number: str | None
    enrolled_at: str | None


class Account(NamedTuple):
    """The state of an account. Tokens of sign-ins before `tokens_valid_after` (Unix seconds) are revoked.

    `initial_email` is the first address that it had.
    """

    uid: str
    email: str | None
    email_verified: bool
    display_name: str | None
    phone_number: str | None
    photo_url: str | None
    disabled: bool
    tokens_valid_after: int
    claims: Mapping[str, Any]
    initial_email: str | None
    providers: Sequence[SignInProvider]
    second_factors: Sequence[SecondFactor]
    created_at: datetime | None
    last_sign_in_at: datetime | None


class Identity:
    """One for a process; safe to use from many threads.

    Every method raises IdentityUnavailable where there is no answer in time.
    """

    def __init__(self, toolkit: IdentityToolkit) -> None:
        self._toolkit = toolkit

    def sign_up(self, email: str, password: str, display_name: str | None) -> Session:
        """Make an account and sign it in.

        Raises:
            EmailExists, SignUpClosed, Blocked, WeakPassword, InvalidEmail, TooManyAttempts.
        """
        body = {"email": email, "password": password, "returnSecureToken": True}
        if display_name:
            body["displayName"] = display_name
        return _session(self._toolkit.call("signUp", body))

    def sign_in(self, email: str, password: str) -> Session:
        """Sign in.

        Raises:
            InvalidCredentials, SecondFactorPending, Blocked, AccountDisabled, InvalidEmail, TooManyAttempts.
        """
        body = {"email": email, "password": password, "returnSecureToken": True}
        answer = self._toolkit.call("signInWithPassword", body)
        if "mfaPendingCredential" in answer:
            # 200 without tokens: they are what `accounts.mfaSignIn:finalize` gives for it.
            raise SecondFactorPending("the account has a second factor")
        return _session(answer)

    def refresh(self, refresh_token: str) -> Session:
        """A new ID token.

        Raises:
            InvalidRefreshToken, SessionEnded, AccountMissing, AccountDisabled.
        """
        return _session(self._toolkit.exchange(refresh_token), _RENEWED)

    def mail_password_reset(self, email: str) -> None:
        """Mail a link that sets a new password.

        Raises:
            InvalidCredentials: no account has this address, where the project lets Identity Toolkit say so.
            Blocked, InvalidEmail, AccountDisabled, TooManyAttempts.
        """
        self._toolkit.call("sendOobCode", {"requestType": "PASSWORD_RESET", "email": email})

    def mail_verification(self, id_token: str) -> None:
        """Mail a link that proves the address of the token's account.

        Raises:
            EmailMissing, SessionEnded, AccountMissing, Blocked, TooManyAttempts.
        """
        self._toolkit.call("sendOobCode", {"requestType": "VERIFY_EMAIL", "idToken": id_token})

    def mail_address_change(self, id_token: str, new_email: str) -> None:
        """Mail a link to the new address; following it makes it the address of the token's account.

        Raises:
            EmailExists: where the project lets Identity Toolkit say so; otherwise no mail is sent.
            EmailMissing, InvalidEmail, SessionEnded, AccountMissing, Blocked, TooManyAttempts.
        """
        body = {"requestType": "VERIFY_AND_CHANGE_EMAIL", "idToken": id_token, "newEmail": new_email}
        self._toolkit.call("sendOobCode", body)

    def account(self, uid: str) -> Account | None:
        """The account as it is now, None where there is none."""
        return self.accounts([uid]).get(uid)

    def accounts(self, uids: Sequence[str]) -> dict[str, Account]:
        """The accounts of at most 100 users, by id; those that are missing are left out. One call."""
        return {account.uid: account for account in self._lookup({"localId": list(uids)})} if uids else {}

    def account_of(self, email: str) -> Account | None:
        """The account with this address, None where there is none."""
        return next(iter(self._lookup({"email": [email]})), None)

    def change(
        self,
        uid: str,
        *,
        claims: Mapping[str, Any] | None = None,
        valid_since: int | None = None,
        disabled: bool | None = None,
        password: str | None = None,
    ) -> None:
        """Change an account, all at once. `claims` replaces all custom claims; `valid_since` (Unix seconds) revokes.

        Raises:
            AccountMissing, WeakPassword, ClaimsTooLong.
        """
        body: dict[str, Any] = {"localId": uid}
        if claims is not None:
            body["customAttributes"] = _claims_text(claims)
        if valid_since is not None:
            body["validSince"] = str(valid_since)
        if disabled is not None:
            body["disableUser"] = disabled
        if password is not None:
            body["password"] = password
        self._toolkit.administer("update", body)

    def delete(self, uid: str) -> None:
        """Remove an account. It is no error if it is gone."""
        try:
            self._toolkit.administer("delete", {"localId": uid})
        except AccountMissing:
            return

    def _lookup(self, body: Mapping[str, Any]) -> list[Account]:
        try:
            answer = self._toolkit.administer("lookup", body)
        except AccountMissing:
            return []
        return [_account(user) for user in answer.get("users", ())]


def _claims_text(claims: Mapping[str, Any]) -> str:
    text = json.dumps(claims, separators=(",", ":"), ensure_ascii=False)
    if len(text.encode()) > CLAIMS_LONGEST:
        raise ClaimsTooLong(f"the custom claims would have {len(text.encode())} bytes of {CLAIMS_LONGEST}")
    return text


# The members that make a session: Identity Toolkit writes JSON in camelCase, the token endpoint follows OAuth 2.
_SIGNED_IN: Final = ("localId", "idToken", "refreshToken", "expiresIn")
_RENEWED: Final = ("user_id", "id_token", "refresh_token", "expires_in")


def _session(answer: Mapping[str, Any], members: tuple[str, str, str, str] = _SIGNED_IN) -> Session:
    try:
        uid, id_token, refresh_token, expires_in = (str(answer[member]) for member in members)
        return Session(uid, id_token, refresh_token, int(expires_in))
    except (KeyError, ValueError) as error:
        raise IdentityUnavailable(f"the answer holds no session: {type(error).__name__}") from error


def _account(user: Mapping[str, Any]) -> Account:
    return Account(
        uid=user["localId"],
        email=user.get("email"),
        email_verified=user.get("emailVerified") is True,
        display_name=user.get("displayName"),
        phone_number=user.get("phoneNumber"),
        photo_url=user.get("photoUrl"),
        disabled=user.get("disabled") is True,
        tokens_valid_after=int(user.get("validSince", 0)),
        claims=json.loads(user.get("customAttributes") or "{}"),
        initial_email=user.get("initialEmail"),
        providers=[
            SignInProvider(
                id=provider["providerId"],
                raw_id=provider.get("rawId"),
                federated_id=provider.get("federatedId"),
                email=provider.get("email"),
                phone_number=provider.get("phoneNumber"),
                display_name=provider.get("displayName"),
                photo_url=provider.get("photoUrl"),
                screen_name=provider.get("screenName"),
            )
            for provider in user.get("providerUserInfo", ())
        ],
        second_factors=[
            SecondFactor(factor.get("displayName"), factor.get("phoneInfo"), factor.get("enrolledAt"))
            for factor in user.get("mfaInfo", ())
        ],
        created_at=_moment(user.get("createdAt")),
        last_sign_in_at=_moment(user.get("lastLoginAt")),
    )


def _moment(milliseconds: str | None) -> datetime | None:
    return None if milliseconds is None else datetime.fromtimestamp(int(milliseconds) / 1000, UTC)
