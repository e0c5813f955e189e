"""Who calls, from the `Authorization` header, and whether he may."""

from wattle.adapters import tokens
from wattle.adapters.keys import KeysUnavailable
from wattle.context import Caller, Role
from wattle.errors import Code, Unavailable, WattleError
from wattle.http.exchange import Exchange
from wattle.http.routing import Access


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
        A WattleError for each way in which a token can be wrong; RoleRequired; TokenRevoked; Unavailable when nobody
        can tell.
    """
    if exchange.unidentified is not None:
        raise exchange.unidentified
    access = exchange.route.access
    if exchange.caller is None:
        return
    if access is Access.ADMIN and exchange.caller.role is not Role.ADMIN:
        raise RoleRequired(Role.ADMIN)
    if access in (Access.FRESH_USER, Access.ADMIN):
        exchange.services.accounts.demand_session(exchange.caller)


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
    except tokens.TokenError as error:
        raise TokenInvalid from error
    except KeysUnavailable as error:
        raise Unavailable("Google's certificate service") from error
    return Caller(
        uid=claims.uid,
        role=_role(claims.role),
        auth_time=claims.auth_time,
        email=claims.email,
        email_verified=claims.email_verified,
        name=claims.name,
        picture=claims.picture,
        phone_number=claims.phone_number,
    )


def bearer(header: str | None) -> str:
    """The token of an `Authorization` header."""
    if not header:
        raise TokenMissing
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise TokenMissing
    return token.strip()


def _role(claim: str | None) -> Role | None:
    # A role that this version does not know gives no rights.
    return next((role for role in Role if role == claim), None)
