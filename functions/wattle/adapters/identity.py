"""Identity Toolkit: sign-up and sign-in for apps without a Firebase SDK, and the state of an account.

Source: Identity Platform, REST reference `accounts.signUp`, `accounts.signInWithPassword`, `accounts.lookup`; Firebase
Auth REST API, "Exchange a refresh token for an ID token".
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import firebase_admin
import requests
from firebase_admin import auth, exceptions

# Seconds to connect and to read. Identity Toolkit hashes passwords on purpose slowly; p99 is below 2 s.
_TIMEOUT: Final = (3.0, 8.0)
_POOL: Final = 80


class IdentityError(Exception):
    """Identity Toolkit refused; its class says why, the message is for the log."""


class EmailExists(IdentityError):
    """An account has this address."""


class InvalidCredentials(IdentityError):
    """No such account, or another password. Which of them is not told, and we do not tell it either."""


class WeakPassword(IdentityError):
    """The password policy refuses it; the message says why."""


class InvalidEmail(IdentityError):
    """No address that mail could be sent to."""


class AccountDisabled(IdentityError):
    """An administrator disabled the account."""


class InvalidRefreshToken(IdentityError):
    """Unknown, revoked, or of an account that is gone."""


class TooManyAttempts(IdentityError):
    """Identity Toolkit slows this client down."""


class IdentityUnavailable(Exception):
    """No answer in time, or one that makes no sense."""


_ERRORS: Final[Mapping[str, type[IdentityError]]] = {
    "EMAIL_EXISTS": EmailExists,
    "EMAIL_NOT_FOUND": InvalidCredentials,
    "INVALID_PASSWORD": InvalidCredentials,
    "INVALID_LOGIN_CREDENTIALS": InvalidCredentials,
    "MISSING_PASSWORD": WeakPassword,
    "WEAK_PASSWORD": WeakPassword,
    "PASSWORD_DOES_NOT_MEET_REQUIREMENTS": WeakPassword,
    "INVALID_EMAIL": InvalidEmail,
    "USER_DISABLED": AccountDisabled,
    "USER_NOT_FOUND": InvalidRefreshToken,
    "INVALID_REFRESH_TOKEN": InvalidRefreshToken,
    "TOKEN_EXPIRED": InvalidRefreshToken,
    "MISSING_REFRESH_TOKEN": InvalidRefreshToken,
    "INVALID_GRANT_TYPE": InvalidRefreshToken,
    "TOO_MANY_ATTEMPTS_TRY_LATER": TooManyAttempts,
}


@dataclass(frozen=True, slots=True)
class Session:
    """Firebase's own tokens. `expires_in` is in seconds."""

    uid: str
    id_token: str
    refresh_token: str
    expires_in: int


@dataclass(frozen=True, slots=True)
class Account:
    """The state of an account. Tokens of sign-ins before `tokens_valid_after` (Unix seconds) are revoked."""

    uid: str
    disabled: bool
    tokens_valid_after: float


class Identity:
    """One for a process; safe to use from many threads."""

    def __init__(self, app: firebase_admin.App, api_key: str, emulator: str | None) -> None:
        prefix = f"http://{emulator}/" if emulator else "https://"
        self._accounts = f"{prefix}identitytoolkit.googleapis.com/v1/accounts:"
        self._token = f"{prefix}securetoken.googleapis.com/v1/token"
        self._app = app
        self._key = api_key
        self._http = requests.Session()
        self._http.mount(prefix, requests.adapters.HTTPAdapter(pool_maxsize=_POOL))

    def sign_up(self, email: str, password: str, display_name: str | None) -> Session:
        """Make an account and sign it in.

        Raises:
            EmailExists, WeakPassword, InvalidEmail, TooManyAttempts, IdentityUnavailable.
        """
        body = {"email": email, "password": password, "returnSecureToken": True}
        if display_name:
            body["displayName"] = display_name
        return _session(self._post(self._accounts + "signUp", json=body))

    def sign_in(self, email: str, password: str) -> Session:
        """Sign in.

        Raises:
            InvalidCredentials, AccountDisabled, InvalidEmail, TooManyAttempts, IdentityUnavailable.
        """
        body = {"email": email, "password": password, "returnSecureToken": True}
        return _session(self._post(self._accounts + "signInWithPassword", json=body))

    def refresh(self, refresh_token: str) -> Session:
        """A new ID token.

        Raises:
            InvalidRefreshToken, AccountDisabled, IdentityUnavailable.
        """
        form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
        return _session(self._post(self._token, data=form), _RENEWED)

    def account(self, uid: str) -> Account | None:
        """The account as it is now, None where there is none. A network call.

        Raises:
            IdentityUnavailable.
        """
        try:
            record = auth.get_user(uid, app=self._app)
        except auth.UserNotFoundError:
            return None
        except exceptions.FirebaseError as error:
            raise IdentityUnavailable(str(error)) from error
        return Account(uid=uid, disabled=record.disabled, tokens_valid_after=record.tokens_valid_after_timestamp / 1000)

    def _post(self, url: str, **body: Any) -> dict[str, Any]:
        try:
            response = self._http.post(url, params={"key": self._key}, timeout=_TIMEOUT, **body)
            answer = response.json()
        except (requests.RequestException, ValueError) as error:
            # The exception's text may hold the URL with the key: its class says enough.
            raise IdentityUnavailable(f"{url}: {type(error).__name__}") from None
        if response.ok and isinstance(answer, dict):
            return answer
        text = _error_text(answer)
        kind = _ERRORS.get(text.split(" ", 1)[0])
        if kind is None:
            raise IdentityUnavailable(f"{url}: {response.status_code} {text}")
        raise kind(text.partition(" : ")[2] or text)


def _error_text(answer: object) -> str:
    error = answer.get("error") if isinstance(answer, dict) else None
    message = error.get("message") if isinstance(error, dict) else None
    return message if isinstance(message, str) else "no error message"


# The members that make a session: Identity Toolkit writes JSON in camelCase, the token endpoint follows OAuth 2.
_SIGNED_IN: Final = ("localId", "idToken", "refreshToken", "expiresIn")
_RENEWED: Final = ("user_id", "id_token", "refresh_token", "expires_in")


def _session(answer: Mapping[str, Any], members: tuple[str, str, str, str] = _SIGNED_IN) -> Session:
    try:
        uid, id_token, refresh_token, expires_in = (str(answer[member]) for member in members)
        return Session(uid, id_token, refresh_token, int(expires_in))
    except (KeyError, ValueError) as error:
        raise IdentityUnavailable(f"the answer holds no session: {type(error).__name__}") from error
