"""Scheduled work: thin, it calls the services. Running twice does no harm."""

import logging
from typing import Any, Final

from wattle.kit.retry import Deadline
from wattle.services import Services

logger = logging.getLogger(__name__)

_DEADLINE: Final = 240.0
_PURGE_DEADLINE: Final = 480.0


def prune(services: Services) -> None:
    """Remove devices that have not been seen for 270 days. What the time does not allow is left for tomorrow."""
    pruned = services.devices.prune(Deadline.after(_DEADLINE))
    logger.info("pruned stale devices", extra={"fields": {"devices": pruned}})


def sweep(services: Services) -> None:
    """Send what waited for the end of quiet hours; begin broadcasts that are due, go on with those that stand still."""
    deadline = Deadline.after(_DEADLINE)
    try:
        services.broadcast_delivery.sweep(deadline)
    finally:
        # Whatever the broadcasts wait for, such as the task queue, nobody else does.
        released = services.push.release_due(deadline, services.broadcast_delivery)
        logger.info("released", extra={"fields": {"messages": released}})


def purge(services: Services) -> None:
    """Erase the users whose grace period is over. What the time does not allow is left for tomorrow."""
    purged = services.erasure.purge_due(Deadline.after(_PURGE_DEADLINE))
    logger.info("purged", extra={"fields": {"users": purged}})


def send_broadcast_chunk(services: Services, data: Any) -> None:
    """Send one chunk of a broadcast. An exception makes Cloud Tasks call again."""
    services.broadcast_delivery.send_chunk(data["broadcastId"], data["chunk"], Deadline.after(_DEADLINE))
