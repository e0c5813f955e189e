"""Accounts live in Firebase Authentication; this asks it and gives its answers our codes.

Nobody can find out here whether an address has an account: what is asked with an address (register, sign in, reset the
password, change the address) has the same answer for one that has and for one that has not, after as many calls to
Identity Toolkit and after at least the same time. Registering therefore gives no session: it mails a link, and signing
in here needs an address that was proven. (REGISTRATION=immediate gives a session at once; then registering tells that
an address is taken, as Firebase's own sign-up does. REGISTRATION=proven demands the proof of those, too, who signed in
with a password past this API: see `http.authentication`.)

Identity Toolkit itself answers EMAIL_EXISTS to a sign-up, also with "email enumeration protection": whoever calls it
past this API, with the web API key, can ask. It cannot be kept from that by "disable user sign-up": an account is made
here by the same call, which is then refused with ADMIN_ONLY_OPERATION, so that registering is closed. To make accounts
with the server's rights instead would give the function that anybody calls the right to make any account, pass by the
project's blocking functions, and need a sign-in more: only the account's own token has the link mailed.

A blocking function is asked about free addresses only. What it refuses is told, so one that refuses by address says of
those that it would refuse whether they have an account.
"""

import logging
from collections.abc import Callable
from typing import TypeVar

from wattle.accounts import errors
from wattle.accounts.claims import role_in, state_in
from wattle.accounts.control import NOTHING, AccountControl, Change
from wattle.accounts.schemas import ChangeAddress, ChangePassword, Login, Refresh, Register, SessionTokens, SignOut
from wattle.adapters import identity_toolkit as toolkit
from wattle.adapters import tokens
from wattle.adapters.firestore import Transaction
from wattle.adapters.identity import Account, Identity, Session
from wattle.adapters.keys import KeysUnavailable
from wattle.adapters.tokens import IdToken, TokenVerifier
from wattle.context import AccountState, Caller, Context, Role
from wattle.devices.service import DeviceService
from wattle.errors import FieldError, Unavailable, ValidationFailed
from wattle.kit.pace import Pace
from wattle.users.deletion import DeletionService

logger = logging.getLogger(__name__)

T = TypeVar("T")


class AccountService:
    def __init__(  # noqa: PLR0913 (each is a service of its own)
        self,
        identity: Identity,
        verifier: TokenVerifier,
        *,
        control: AccountControl,
        deletion: DeletionService,
        devices: DeviceService,
        pace: Pace,
        confirmed_registration: bool,
    ) -> None:
        self._identity = identity
        self._verifier = verifier
        self._control = control
        self._deletion = deletion
        self._devices = devices
        self._pace = pace
        self._confirmed = confirmed_registration

    def register(self, wanted: Register) -> SessionTokens | None:
        """Make an account, and mail a link that proves its address. The session, where registration is immediate.

        For an address that has an account the link sets a new password: its owner either forgot about the account, or
        learns that somebody tried. Both are two calls to Identity Toolkit.

        Raises:
            EmailExists: only where registration is immediate.
            RegistrationClosed, WeakPassword, ValidationFailed, TooManyAttempts, Unavailable.
        """
        with self._pace.kept():
            try:
                session = self._identity.sign_up(wanted.email, wanted.password, wanted.display_name)
            except toolkit.EmailExists as error:
                if not self._confirmed:
                    raise errors.EmailExists from error
                self._mail(lambda: self._identity.mail_password_reset(wanted.email))
                return None
            except (toolkit.SignUpClosed, toolkit.Blocked) as error:
                raise errors.RegistrationClosed from error
            except (toolkit.IdentityError, toolkit.IdentityUnavailable) as error:
                raise _translated(error) from error
            self._mail(lambda: self._identity.mail_verification(session.id_token))
            return None if self._confirmed else _tokens(session)

    def sign_in(self, ctx: Context, login: Login) -> SessionTokens:
        """Sign in. Somebody who deleted his account gets it back by this.

        Raises:
            InvalidCredentials: also for an account that is disabled, locked or refused by a blocking function, and an
                address that was not proven, because those can only be told of an account that exists; and for whoever
                lacks the role `ctx.only`.
            MultiFactorAuthRequired: address and password are right, and Firebase asks for a second factor. It is for
                accounts of proven addresses only.
            AccountDeleted: the purge has begun.
            UnusableUserId, TooManyAttempts, ValidationFailed, Unavailable.
        """
        wait = self._pace.begin()
        try:
            return self._signed_in(ctx, login)
        except (errors.InvalidCredentials, errors.MultiFactorAuthRequired):
            # Only refusals wait: how long a success takes says nothing that it does not say itself.
            wait()
            raise

    def _signed_in(self, ctx: Context, login: Login) -> SessionTokens:
        try:
            session = self._identity.sign_in(login.email, login.password)
        except (toolkit.InvalidCredentials, toolkit.AccountDisabled, toolkit.TooManyAttempts) as error:
            raise errors.InvalidCredentials from error
        except (toolkit.IdentityError, toolkit.IdentityUnavailable) as error:
            raise _translated(error) from error
        token = self._read(session)
        if self._confirmed and not token.email_verified:
            raise errors.InvalidCredentials
        if not _is_meant(ctx, token):
            raise errors.InvalidCredentials
        if AccountState.of(token.account_state) is AccountState.DELETED:
            self._deletion.restore(session.uid, ctx.deadline)
            # The new token no longer says that the account is deleted.
            session = _asked(lambda: self._identity.refresh(session.refresh_token))
        return _tokens(session)

    def _read(self, session: Session) -> IdToken:
        try:
            return self._verifier.verify(session.id_token)
        except tokens.UnusableUserId as error:
            raise errors.UnusableUserId from error
        except KeysUnavailable as error:
            raise Unavailable("Google's certificate service") from error

    def refresh(self, ctx: Context, refresh: Refresh) -> SessionTokens:
        """A new ID token for a refresh token.

        Raises:
            InvalidRefreshToken: also where it is the token of somebody who lacks the role `ctx.only`.
            UserDisabled, TooManyAttempts, Unavailable.
        """
        try:
            session = self._identity.refresh(refresh.refresh_token)
        except (toolkit.SessionEnded, toolkit.AccountMissing) as error:
            raise errors.InvalidRefreshToken from error
        except (toolkit.IdentityError, toolkit.IdentityUnavailable) as error:
            raise _translated(error) from error
        if ctx.only is not None and not _is_meant(ctx, self._read(session)):
            raise errors.InvalidRefreshToken
        return _tokens(session)

    def sign_out(self, ctx: Context, wanted: SignOut) -> None:
        """Forget this device; with `everywhere` forget all of them, and end every session.

        Raises:
            TokenRevoked, Unavailable.
        """
        uid = ctx.user.uid
        if wanted.everywhere:

            def decide(transaction: Transaction, _account: Account, _ended: int) -> Change:
                # With the sessions or not at all: the caller has none left to repeat it with.
                self._devices.remove_all_in(transaction, uid)
                return NOTHING

            self._control.end_own_sessions(ctx, decide)
        elif wanted.device_id is not None:
            self._devices.remove(uid, wanted.device_id, ctx.deadline)

    def mail_password_reset(self, email: str) -> None:
        """Mail a link that sets a new password, to an address that has an account; the answer is the same without one.

        Raises:
            ValidationFailed, Unavailable.
        """
        with self._pace.kept():
            self._mail(lambda: self._identity.mail_password_reset(email))

    def mail_verification(self, ctx: Context) -> None:
        """Mail a link that proves the caller's address.

        Raises:
            EmailMissing, TooManyAttempts, Unavailable.
        """
        if ctx.user.email is None:
            raise errors.EmailMissing
        _asked(lambda: self._identity.mail_verification(ctx.user.id_token))

    def change_address(self, ctx: Context, wanted: ChangeAddress) -> None:
        """Mail a link to the new address; following it makes it the caller's. Firebase then ends his sessions.

        Raises:
            TokenRevoked: his account is gone, or the token is not accepted any more.
            EmailMissing, ValidationFailed, Unavailable.
        """

        def send() -> None:
            try:
                self._identity.mail_address_change(ctx.user.id_token, wanted.email)
            except (toolkit.SessionEnded, toolkit.AccountMissing, toolkit.EmailMissing) as error:
                # This is about the caller, and says nothing of the address.
                raise _translated(error) from error

        with self._pace.kept():
            self._mail(send)

    def change_password(self, ctx: Context, wanted: ChangePassword) -> SessionTokens:
        """Set a new password, end every session, and begin a new one.

        In this order: who signed in with the old password until it was changed has a session that ends. Where it breaks
        off before the sessions end, the caller still has his, and repeating it does all of it again; after that he is
        told that his session was ended, and signs in with the new password.

        Raises:
            MultiFactorAuthRequired: no session could be begun, and so nothing is changed.
            TokenRevoked: his account is gone.
            InvalidCredentials: somebody else changed it in the same moment.
            EmailMissing, WeakPassword, TooManyAttempts, Unavailable.
        """
        if ctx.user.email is None:
            raise errors.EmailMissing
        email, password = ctx.user.email, wanted.password
        account = _asked(lambda: self._identity.account(ctx.user.uid))
        if account is None:
            raise errors.TokenRevoked
        if account.second_factors:
            raise errors.MultiFactorAuthRequired
        # Nothing that was read is written back, so this needs no lease of the account.
        _asked(lambda: self._identity.change(ctx.user.uid, password=password))
        self._control.end_own_sessions(ctx, lambda *_: NOTHING)
        return _tokens(_asked(lambda: self._identity.sign_in(email, password)))

    def current_role(self, caller: Caller) -> Role | None:
        """The caller's role as Identity Toolkit knows it now.

        Raises:
            TokenRevoked: the account is gone, or its sessions were ended after this sign-in.
            UserDisabled, AccountDeleted, Unavailable.
        """
        account = _asked(lambda: self._identity.account(caller.uid))
        if account is None:
            raise errors.TokenRevoked
        if account.disabled:
            raise errors.UserDisabled
        if state_in(account.claims) is AccountState.DELETED:
            raise errors.AccountDeleted
        if caller.auth_time < account.tokens_valid_after:
            raise errors.TokenRevoked
        return role_in(account.claims)

    @staticmethod
    def _mail(send: Callable[[], None]) -> None:
        """Send mail, and tell nobody whether there was somebody to send it to."""
        try:
            send()
        except toolkit.InvalidEmail as error:
            raise _translated(error) from error
        except toolkit.IdentityError as error:
            logger.info("no mail was sent", extra={"fields": {"reason": type(error).__name__}})
        except toolkit.IdentityUnavailable as error:
            raise _translated(error) from error


def _is_meant(ctx: Context, token: IdToken) -> bool:
    """The token is new: its role is what Identity Toolkit knows now."""
    return ctx.only is None or Role.of(token.role) is ctx.only


def _asked(call: Callable[[], T]) -> T:
    try:
        return call()
    except (toolkit.IdentityError, toolkit.IdentityUnavailable) as error:
        raise _translated(error) from error


def _tokens(session: Session) -> SessionTokens:
    return SessionTokens(
        uid=session.uid,
        id_token=session.id_token,
        refresh_token=session.refresh_token,
        expires_in=session.expires_in,
    )


def _translated(error: toolkit.IdentityError | toolkit.IdentityUnavailable) -> Exception:  # noqa: PLR0911 (one return for each)
    match error:
        case toolkit.WeakPassword():
            return errors.WeakPassword(str(error))
        case toolkit.InvalidEmail():
            return ValidationFailed([FieldError("email", "INVALID_EMAIL", "This is no e-mail address.")])
        case toolkit.AccountDisabled():
            return errors.UserDisabled()
        case toolkit.InvalidCredentials() | toolkit.Blocked():
            return errors.InvalidCredentials()
        case toolkit.SecondFactorPending():
            return errors.MultiFactorAuthRequired()
        case toolkit.InvalidRefreshToken():
            return errors.InvalidRefreshToken()
        case toolkit.EmailMissing():
            return errors.EmailMissing()
        case toolkit.SessionEnded() | toolkit.AccountMissing():
            return errors.TokenRevoked()
        case toolkit.TooManyAttempts():
            return errors.TooManyAttempts()
        case _:
            return Unavailable("Firebase Authentication")
