"""Accounts live in Firebase Authentication; this asks it and gives its answers our codes."""

from collections.abc import Callable
from typing import TypeVar

from wattle.accounts import errors
from wattle.accounts.schemas import Login, Refresh, Register, SessionTokens
from wattle.adapters import identity
from wattle.context import Caller
from wattle.errors import FieldError, Unavailable, ValidationFailed

T = TypeVar("T")


class AccountService:
    def __init__(self, provider: identity.Identity) -> None:
        self._provider = provider

    def register(self, wanted: Register) -> SessionTokens:
        """Make an account and sign it in.

        Raises:
            EmailExists, WeakPassword, ValidationFailed, TooManyAttempts, Unavailable.
        """
        return _tokens(lambda: self._provider.sign_up(wanted.email, wanted.password, wanted.display_name))

    def sign_in(self, login: Login) -> SessionTokens:
        """Sign in.

        Raises:
            InvalidCredentials, UserDisabled, TooManyAttempts, Unavailable.
        """
        return _tokens(lambda: self._provider.sign_in(login.email, login.password))

    def refresh(self, refresh: Refresh) -> SessionTokens:
        """A new ID token for a refresh token.

        Raises:
            InvalidRefreshToken, UserDisabled, Unavailable.
        """
        return _tokens(lambda: self._provider.refresh(refresh.refresh_token))

    def demand_session(self, caller: Caller) -> None:
        """Ask whether the caller's sign-in still counts.

        Raises:
            TokenRevoked: the account is gone, or its sessions were ended after this sign-in.
            UserDisabled, Unavailable.
        """
        account = _translated(lambda: self._provider.account(caller.uid))
        if account is None or caller.auth_time < account.tokens_valid_after:
            raise errors.TokenRevoked
        if account.disabled:
            raise errors.UserDisabled


def _tokens(call: Callable[[], identity.Session]) -> SessionTokens:
    session = _translated(call)
    return SessionTokens(
        uid=session.uid,
        id_token=session.id_token,
        refresh_token=session.refresh_token,
        expires_in=session.expires_in,
    )


def _translated(call: Callable[[], T]) -> T:
    try:
        return call()
    except identity.EmailExists as error:
        raise errors.EmailExists from error
    except identity.InvalidCredentials as error:
        raise errors.InvalidCredentials from error
    except identity.WeakPassword as error:
        raise errors.WeakPassword(str(error)) from error
    except identity.InvalidEmail as error:
        raise ValidationFailed([FieldError("email", "INVALID_EMAIL", "This is no e-mail address.")]) from error
    except identity.AccountDisabled as error:
        raise errors.UserDisabled from error
    except identity.InvalidRefreshToken as error:
        raise errors.InvalidRefreshToken from error
    except identity.TooManyAttempts as error:
        raise errors.TooManyAttempts from error
    except identity.IdentityUnavailable as error:
        raise Unavailable("Sign-in") from error
