"""Maintenance: the settings say that nobody but administrators is served, and until when."""

import math
from datetime import datetime
from typing import Final

from wattle.context import Role
from wattle.errors import Code, WattleError
from wattle.http.authentication import bearer, verified
from wattle.http.exchange import Exchange
from wattle.services import Services

# Where the end is not known.
_RETRY_AFTER: Final = 300
# An app that was told a far end would not look again when it comes early.
_RETRY_AFTER_MOST: Final = 3600


class UnderMaintenance(WattleError):
    code = Code.MAINTENANCE
    retry_after = _RETRY_AFTER

    def __init__(self, retry_after: int) -> None:
        super().__init__("We are working on it and are back soon.")
        self.retry_after = retry_after


def refuse_during_maintenance(exchange: Exchange) -> None:
    """Serve only administrators, and routes that are not gated. Those that begin sessions decide for themselves.

    Raises:
        UnderMaintenance.
    """
    if exchange.route.gated and not exchange.route.admits:
        demand_open(exchange.services, exchange.request.headers.get("Authorization"))


def admitted(exchange: Exchange) -> Role | None:
    """Whom a route may begin a session for: with None, for everybody."""
    return Role.ADMIN if exchange.route.admits and _retry_after(exchange.services) > 0 else None


def hidden(exchange: Exchange, error: WattleError) -> WattleError:
    """What is told of a failure. Who tries to sign in during maintenance learns nothing but that there is maintenance:
    not whether his password is right, nor whether it is an administrator's."""
    if exchange.bound is None or not exchange.route.admits or error.code is Code.INTERNAL:
        return error
    retry_after = _retry_after(exchange.services)
    return UnderMaintenance(retry_after) if retry_after > 0 else error


def demand_open(services: Services, authorization: str | None) -> None:
    """Return unless there is maintenance now, or for a caller who is an administrator.

    Raises:
        UnderMaintenance.
    """
    retry_after = _retry_after(services)
    if retry_after > 0 and not _is_administrator(services, authorization):
        raise UnderMaintenance(retry_after)


def _retry_after(services: Services) -> int:
    """In seconds; 0 or less where there is no maintenance."""
    maintenance = services.config.maintenance
    return 0 if maintenance is None else _seconds_left(maintenance.until, services.clock())


def _seconds_left(until: datetime | None, now: datetime) -> int:
    if until is None:
        return _RETRY_AFTER
    return min(_RETRY_AFTER_MOST, math.ceil((until - now).total_seconds()))


def _is_administrator(services: Services, authorization: str | None) -> bool:
    try:
        return verified(bearer(authorization), services.verifier).role is Role.ADMIN
    except WattleError:
        return False
