"""Calls to Identity Toolkit, and what it refuses.

Source: Identity Platform, REST reference; Firebase Auth REST API, "Common error codes".
"""

import re
from collections.abc import Mapping
from typing import Any, Final

import google.auth
import google.auth.exceptions
import google.auth.transport.requests
import requests

# Seconds to connect and to read. Identity Toolkit hashes passwords on purpose slowly; p99 is below 2 s.
_TIMEOUT: Final = (3.0, 8.0)
_POOL: Final = 80
_SCOPES: Final = ("https://www.googleapis.com/auth/identitytoolkit",)


class IdentityError(Exception):
    """Identity Toolkit refused; its class says why, the message is for the log."""


class EmailExists(IdentityError):
    """An account has this address."""


class SignUpClosed(IdentityError):
    """Sign-up for end users is switched off: only an administrator of the project makes accounts."""


class InvalidCredentials(IdentityError):
    """No such account, or another password. Which of them is not told, and we do not tell it either."""


class SecondFactorPending(IdentityError):
    """The password is right, and the account has a second factor, which is still to be asked for."""


class WeakPassword(IdentityError):
    """The password policy refuses it; the message says why."""


class Blocked(IdentityError):
    """A blocking function of the project (Identity Platform, "Customizing the authentication flow") refuses it."""


class EmailMissing(IdentityError):
    """The account of the ID token has no address."""


class InvalidEmail(IdentityError):
    """No address that mail could be sent to."""


class AccountDisabled(IdentityError):
    """An administrator disabled the account."""


class AccountMissing(IdentityError):
    """There is no such account, or not any more."""


class ClaimsTooLong(IdentityError):
    """Together with the custom claims that others set, ours do not fit."""


class InvalidRefreshToken(IdentityError):
    """Unknown, revoked, of another project, or of an account that is gone."""


class SessionEnded(IdentityError):
    """The ID token is not accepted any more for what is asked."""


class TooManyAttempts(IdentityError):
    """Identity Toolkit slows this client down, or has locked the account for a while."""


class IdentityUnavailable(Exception):
    """No answer in time, or one that makes no sense."""


# What a call can cause. What only the project's settings can (OPERATION_NOT_ALLOWED, PASSWORD_LOGIN_DISABLED, an API
# key that is not valid) is left out, and so unavailable: no caller can mend it, and it passes once an administrator
# has, whom the alert on 5xx tells.
_ERRORS: Final[Mapping[str, type[IdentityError]]] = {
    "EMAIL_EXISTS": EmailExists,
    "ADMIN_ONLY_OPERATION": SignUpClosed,
    "EMAIL_NOT_FOUND": InvalidCredentials,
    "INVALID_PASSWORD": InvalidCredentials,
    "INVALID_LOGIN_CREDENTIALS": InvalidCredentials,
    "MISSING_PASSWORD": WeakPassword,
    "WEAK_PASSWORD": WeakPassword,
    "PASSWORD_DOES_NOT_MEET_REQUIREMENTS": WeakPassword,
    "INVALID_EMAIL": InvalidEmail,
    "INVALID_NEW_EMAIL": InvalidEmail,
    "INVALID_RECIPIENT_EMAIL": InvalidEmail,
    "MISSING_EMAIL": EmailMissing,
    "USER_DISABLED": AccountDisabled,
    "USER_NOT_FOUND": AccountMissing,
    "CLAIMS_TOO_LARGE": ClaimsTooLong,
    "INVALID_REFRESH_TOKEN": InvalidRefreshToken,
    "MISSING_REFRESH_TOKEN": InvalidRefreshToken,
    "INVALID_GRANT_TYPE": InvalidRefreshToken,
    "PROJECT_NUMBER_MISMATCH": InvalidRefreshToken,
    "TOKEN_EXPIRED": SessionEnded,
    "INVALID_ID_TOKEN": SessionEnded,
    "TENANT_ID_MISMATCH": SessionEnded,
    "CREDENTIAL_TOO_OLD_LOGIN_AGAIN": SessionEnded,
    "TOO_MANY_ATTEMPTS_TRY_LATER": TooManyAttempts,
    "RESET_PASSWORD_EXCEED_LIMIT": TooManyAttempts,
    "QUOTA_EXCEEDED": TooManyAttempts,
}
# A blocking function refuses by an HttpsError, whose status is in the text. One that crashed, or is not there, has
# INTERNAL or none: that is no refusal.
_BLOCKED: Final = re.compile(
    r'BLOCKING_FUNCTION_ERROR_RESPONSE .*[Ss]tatus"?: ?"(INVALID_ARGUMENT|FAILED_PRECONDITION|OUT_OF_RANGE|NOT_FOUND'
    r"|ALREADY_EXISTS|UNAUTHENTICATED|PERMISSION_DENIED|RESOURCE_EXHAUSTED|ABORTED|CANCELLED)",
    re.DOTALL,
)


class IdentityToolkit:
    """One for a process; safe to use from many threads. Each call is made once, and given up after 11 seconds."""

    def __init__(self, project_id: str, api_key: str, emulator: str | None) -> None:
        prefix = f"http://{emulator}/" if emulator else "https://"
        self._accounts = f"{prefix}identitytoolkit.googleapis.com/v1/accounts:"
        self._administered = f"{prefix}identitytoolkit.googleapis.com/v1/projects/{project_id}/accounts:"
        self._token = f"{prefix}securetoken.googleapis.com/v1/token"
        self._key = {"key": api_key}
        self._apps = _pooled(requests.Session(), prefix)
        self._server = _pooled(_server_session(emulated=emulator is not None), prefix)

    def call(self, method: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """`accounts:method`, as an app calls it.

        Raises:
            IdentityError: one of its kinds.
            IdentityUnavailable.
        """
        return _answer(self._apps, self._accounts + method, params=self._key, json=dict(body))

    def administer(self, method: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """`projects/{project}/accounts:method`, with the rights of the server. Raises as `call` does."""
        return _answer(self._server, self._administered + method, json=dict(body))

    def exchange(self, refresh_token: str) -> dict[str, Any]:
        """New tokens for a refresh token. Raises as `call` does."""
        form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
        return _answer(self._apps, self._token, params=self._key, data=form)


def _pooled(session: requests.Session, prefix: str) -> requests.Session:
    session.mount(prefix, requests.adapters.HTTPAdapter(pool_maxsize=_POOL))
    return session


def _server_session(*, emulated: bool) -> requests.Session:
    if emulated:
        session = requests.Session()
        session.headers["Authorization"] = "Bearer owner"
        return session
    credentials, _ = google.auth.default(scopes=_SCOPES)
    return google.auth.transport.requests.AuthorizedSession(credentials)


def _answer(session: requests.Session, url: str, **request: Any) -> dict[str, Any]:
    try:
        response = session.post(url, timeout=_TIMEOUT, **request)
        answer = response.json()
    except (requests.RequestException, google.auth.exceptions.GoogleAuthError, ValueError) as error:
        # The exception's text may hold the URL with the key: its class says enough.
        raise IdentityUnavailable(f"{url}: {type(error).__name__}") from None
    if response.ok and isinstance(answer, dict):
        return answer
    text = _error_text(answer)
    kind = Blocked if _BLOCKED.match(text) else _ERRORS.get(text.split(" ", 1)[0])
    if kind is None:
        raise IdentityUnavailable(f"{url}: {response.status_code} {text}")
    raise kind(text.partition(" : ")[2] or text)


def _error_text(answer: object) -> str:
    error = answer.get("error") if isinstance(answer, dict) else None
    message = error.get("message") if isinstance(error, dict) else None
    return message if isinstance(message, str) else "no error message"
