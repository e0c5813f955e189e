from wattle.accounts.schemas import (
    ChangeAddress,
    ChangePassword,
    Login,
    Refresh,
    Register,
    ResetPassword,
    SessionTokens,
    SignOut,
)
from wattle.context import Context
from wattle.http.envelope import Accepted, Reply
from wattle.services import Services


def register(services: Services, ctx: Context, body: Register) -> Accepted[SessionTokens | None]:
    """Make an account. A link is mailed to the address; signing in is possible once it was followed.

    The answer is the same where the address has an account: the link then sets a new password. A project can be set
    to immediate registration: `data` is then a session at once, and an address that has an account is refused.

    Raises:
        EmailExists, RegistrationClosed, WeakPassword, TooManyAttempts.
    """
    return Accepted(services.accounts.register(body))


def login(services: Services, ctx: Context, body: Login) -> SessionTokens:
    """Sign in with an address and a password. Within the grace period this brings a deleted account back.

    Raises:
        InvalidCredentials, MultiFactorAuthRequired, AccountDeleted, UnusableUserId, TooManyAttempts.
    """
    return services.accounts.sign_in(ctx, body)


def refresh(services: Services, ctx: Context, body: Refresh) -> SessionTokens:
    """Exchange a refresh token for a new ID token.

    Raises:
        InvalidRefreshToken, UserDisabled, TooManyAttempts.
    """
    return services.accounts.refresh(ctx, body)


def logout(services: Services, ctx: Context, body: SignOut) -> Reply[None]:
    """Sign out: forget this device, or end all sessions everywhere. The app throws its tokens away by itself."""
    services.accounts.sign_out(ctx, body)
    return Reply(None)


def reset_password(services: Services, ctx: Context, body: ResetPassword) -> Accepted[None]:
    """Mail a link that sets a new password, if the address has an account; the answer is the same if it has not."""
    services.accounts.mail_password_reset(body.email)
    return Accepted(None)


def verify_email(services: Services, ctx: Context) -> Accepted[None]:
    """Mail a link that proves the caller's address.

    Raises:
        EmailMissing, TooManyAttempts.
    """
    services.accounts.mail_verification(ctx)
    return Accepted(None)


def change_email(services: Services, ctx: Context, body: ChangeAddress) -> Accepted[None]:
    """Mail a link to a new address; following it makes it the caller's and ends his sessions.

    Needs a sign-in of the last five minutes. The answer is the same where somebody else has the address.

    Raises:
        EmailMissing.
    """
    services.accounts.change_address(ctx, body)
    return Accepted(None)


def change_password(services: Services, ctx: Context, body: ChangePassword) -> SessionTokens:
    """Set a new password. All sessions end, on all devices; the answer is a new one.

    Needs a sign-in of the last five minutes.

    Raises:
        EmailMissing, MultiFactorAuthRequired, WeakPassword, InvalidCredentials, TooManyAttempts.
    """
    return services.accounts.change_password(ctx, body)
