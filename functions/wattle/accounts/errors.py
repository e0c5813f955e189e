from wattle.errors import Code, WattleError


class EmailExists(WattleError):
    code = Code.EMAIL_EXISTS

    def __init__(self) -> None:
        super().__init__("This address has an account. Sign in, or reset the password.")


class RegistrationClosed(WattleError):
    """A setting or a blocking function of the project: see `accounts.service`."""

    code = Code.REGISTRATION_CLOSED

    def __init__(self) -> None:
        super().__init__("New accounts cannot be made here at the moment.")


class EmailMissing(WattleError):
    """Somebody who signs in by phone number or through another provider may have none."""

    code = Code.EMAIL_MISSING

    def __init__(self) -> None:
        super().__init__("This account has no e-mail address.")


class UserNotFound(WattleError):
    code = Code.USER_NOT_FOUND

    def __init__(self) -> None:
        super().__init__("There is no such user.")


class OwnAccount(WattleError):
    """So that a shop does not lock itself out: another administrator has to do it."""

    code = Code.OWN_ACCOUNT

    def __init__(self) -> None:
        super().__init__("Another administrator has to do this: it would take away your own rights.")


class ClaimsTooLong(WattleError):
    """Firebase Authentication takes 1,000 bytes of custom claims, and others set claims, too."""

    code = Code.CLAIMS_TOO_LONG

    def __init__(self) -> None:
        super().__init__(
            "The custom claims that were set on this account past this API leave no room for this. Shorten them first."
        )


class InvalidCredentials(WattleError):
    """Says the same for whatever is wrong, so that nobody can search for addresses."""

    code = Code.INVALID_CREDENTIALS

    def __init__(self) -> None:
        super().__init__("The address or the password is wrong, or the address is not confirmed yet.")


class MultiFactorAuthRequired(WattleError):
    """A second factor is asked for by Firebase's SDKs, which call the same error `auth/multi-factor-auth-required`."""

    code = Code.MULTI_FACTOR_AUTH_REQUIRED

    def __init__(self) -> None:
        super().__init__("This account has a second factor. Sign in, and change the password, with a Firebase SDK.")


class WeakPassword(WattleError):
    """`reason` is the password policy's own sentence, where it gave one."""

    code = Code.WEAK_PASSWORD

    def __init__(self, reason: str) -> None:
        super().__init__(f"The password is too weak: {reason}.")


class UserDisabled(WattleError):
    code = Code.USER_DISABLED

    def __init__(self) -> None:
        super().__init__("This account is disabled.")


class InvalidRefreshToken(WattleError):
    code = Code.INVALID_REFRESH_TOKEN

    def __init__(self) -> None:
        super().__init__("The refresh token is not valid any more. Sign in again.")


class TokenRevoked(WattleError):
    code = Code.TOKEN_REVOKED

    def __init__(self) -> None:
        super().__init__("This session was ended. Sign in again.")


class UnusableUserId(WattleError):
    """Accounts are imported, and custom tokens minted, with ids of any form; that it is one of these is said."""

    code = Code.TOKEN_INVALID

    def __init__(self) -> None:
        super().__init__(
            "The user id of this account cannot name a document: it has a slash or a control character, or is '.', '..'"
            " or '__...__'. Give the user an account with another id."
        )


class AccountDeleted(WattleError):
    """Deleted by its owner, and not purged yet or just now."""

    code = Code.ACCOUNT_DELETED

    def __init__(self) -> None:
        super().__init__("This account is deleted. Signing in again within the grace period brings it back.")


class RecentSignInRequired(WattleError):
    code = Code.RECENT_SIGN_IN_REQUIRED

    def __init__(self) -> None:
        super().__init__("This needs a sign-in of the last five minutes. Sign in again and repeat it.")


class TooManyAttempts(WattleError):
    code = Code.TOO_MANY_ATTEMPTS
    # Identity Toolkit names no time; its per-address lock-out starts at about a minute.
    retry_after = 60

    def __init__(self) -> None:
        super().__init__("Too many attempts. Wait a minute and try again.")
