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
    """Serve only administrators, and routes that are not gated.

    Raises:
        UnderMaintenance.
    """
    if exchange.route.gated:
        demand_open(exchange.services, exchange.request.headers.get("Authorization"))


def demand_open(services: Services, authorization: str | None) -> None:
    """Return unless there is maintenance now, or for a caller who is an administrator.

    Raises:
        UnderMaintenance.
    """
    maintenance = services.config.maintenance
    if maintenance is None:
        return
    retry_after = _seconds_left(maintenance.until, services.clock())
    if retry_after > 0 and not _is_administrator(services, authorization):
        raise UnderMaintenance(retry_after)


def _seconds_left(until: datetime | None, now: datetime) -> int:
    if until is None:
        return _RETRY_AFTER
    return min(_RETRY_AFTER_MOST, math.ceil((until - now).total_seconds()))


def _is_administrator(services: Services, authorization: str | None) -> bool:
    try:
        return verified(bearer(authorization), services.verifier).role is Role.ADMIN
    except WattleError:
        return False
