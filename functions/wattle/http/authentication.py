"""Who calls, from the `Authorization` header, and whether he may."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from wattle.accounts.errors import UnusableUserId
from wattle.adapters import tokens
from wattle.adapters.firestore import Condition, guarded
from wattle.adapters.keys import KeysUnavailable
from wattle.context import AccountState, Caller, Role
from wattle.errors import Code, Unavailable, WattleError
from wattle.http.exchange import Exchange
from wattle.http.routing import Access
from wattle.kit.retry import Deadline
from wattle.services import Services

_READING: Final = frozenset({"GET", "HEAD"})
# What these do is not only a commit to Firestore, so it cannot be held back at the last moment.
_CHECKED_FIRST: Final = frozenset({Access.CHECKED_USER, Access.RECENT_USER})


class TokenMissing(WattleError):
    code = Code.TOKEN_MISSING

    def __init__(self) -> None:
        super().__init__("Send a Firebase ID token as `Authorization: Bearer <token>`.")


class TokenMalformed(WattleError):
    code = Code.TOKEN_MALFORMED

    def __init__(self) -> None:
        super().__init__("The bearer token is not a Firebase ID token.")


class TokenExpired(WattleError):
    code = Code.TOKEN_EXPIRED

    def __init__(self) -> None:
        super().__init__("The ID token has expired. Refresh it and try again.")


class TokenWrongProject(WattleError):
    code = Code.TOKEN_WRONG_PROJECT

    def __init__(self) -> None:
        super().__init__("The ID token was issued for another Firebase project.")


class TokenInvalid(WattleError):
    code = Code.TOKEN_INVALID

    def __init__(self) -> None:
        super().__init__("The ID token cannot be trusted: its signature or its claims do not hold.")


class RoleRequired(WattleError):
    code = Code.ROLE_REQUIRED

    def __init__(self, role: Role) -> None:
        super().__init__(f"This needs the role {role}.")


class EmailNotVerified(WattleError):
    code = Code.EMAIL_NOT_VERIFIED

    def __init__(self) -> None:
        super().__init__(
            "Prove your e-mail address first: POST /v1/auth/verify-email mails a link. Then refresh the ID token."
        )


def identify(exchange: Exchange) -> None:
    """The caller, by the ID token alone: this asks nobody."""
    if exchange.route.access is Access.PUBLIC:
        return
    try:
        token = bearer(exchange.request.headers.get("Authorization"))
        exchange.caller = verified(token, exchange.services.verifier)
    except WattleError as error:
        exchange.unidentified = error


def authorise(exchange: Exchange) -> None:
    """What the route demands of its caller.

    Raises:
        A WattleError for each way in which a token can be wrong; EmailNotVerified; RoleRequired; RecentSignInRequired;
        where the route has it checked first, what `SessionService.check` raises; Unavailable when nobody can tell.
    """
    if exchange.unidentified is not None:
        raise exchange.unidentified
    access = exchange.route.access
    if exchange.caller is None:
        return
    if not exchange.route.unproven:
        _demand_proven(exchange.caller, exchange.services)
    if access is Access.ADMIN:
        demand_role(exchange.caller, Role.ADMIN, exchange.services)
        return
    if access is Access.RECENT_USER:
        exchange.services.sessions.demand_recent(exchange.caller)
    exchange.check = exchange.services.sessions.check(
        exchange.caller,
        exchange.deadline,
        at_once=not _reads(exchange) or access in _CHECKED_FIRST,
        returning=access is Access.RETURNING_USER,
    )
    if access in _CHECKED_FIRST:
        exchange.check()


def _reads(exchange: Exchange) -> bool:
    """Whether nothing is changed: by a GET, or by a batch of them."""
    return exchange.request.method in _READING or (exchange.bound is not None and "fetch" in exchange.bound.asks)


def demand_role(caller: Caller, role: Role, services: Services) -> None:
    """Demand a role that the token names and Identity Toolkit confirms. A network call.

    Raises:
        RoleRequired, TokenRevoked, UserDisabled, AccountDeleted, Unavailable.
    """
    if caller.role is not role or services.accounts.current_role(caller) is not role:
        raise RoleRequired(role)


def signed_in(header: str | None, services: Services, deadline: Deadline) -> tuple[Caller, Condition]:
    """The caller of a callable function, and whether his session counts."""
    caller = verified(bearer(header), services.verifier)
    _demand_proven(caller, services)
    return caller, services.sessions.check(caller, deadline, at_once=True)


def _demand_proven(caller: Caller, services: Services) -> None:
    if caller.unproven and services.config.proven_addresses:
        raise EmailNotVerified


@contextmanager
def demanded(session: Callable[[], Condition]) -> Iterator[None]:
    """Let a call be handled while its session is checked: nothing is committed, and nothing told, before that."""
    with guarded(session):
        try:
            yield
        except WattleError:
            session()()  # whose session is revoked learns only that
            raise
        session()()


def verified(token: str, verifier: tokens.TokenVerifier) -> Caller:
    """The caller whose ID token this is."""
    try:
        claims = verifier.verify(token)
    except tokens.MalformedToken as error:
        raise TokenMalformed from error
    except tokens.ExpiredToken as error:
        raise TokenExpired from error
    except tokens.WrongProjectToken as error:
        raise TokenWrongProject from error
    except tokens.UnusableUserId as error:
        raise UnusableUserId from error
    except tokens.TokenError as error:
        raise TokenInvalid from error
    except KeysUnavailable as error:
        raise Unavailable("Google's certificate service") from error
    return Caller(
        uid=claims.uid,
        role=Role.of(claims.role),
        auth_time=claims.auth_time,
        account_state=AccountState.of(claims.account_state),
        email=claims.email,
        # A sign-in by a mailed link is called `password`, too; it proves the address.
        unproven=claims.sign_in_provider == "password" and not claims.email_verified,
        name=claims.name,
        picture=claims.picture,
        phone_number=claims.phone_number,
        id_token=token,
    )


def bearer(header: str | None) -> str:
    """The token of an `Authorization` header."""
    if not header:
        raise TokenMissing
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise TokenMissing
    return token.strip()
