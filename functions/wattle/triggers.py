"""Firestore triggers: thin, they call the services. An event arrives at least once, and not always in order."""

import logging
from typing import TYPE_CHECKING, Any, Final

from firebase_functions.core import Change

from wattle.kit.retry import Deadline
from wattle.push.orders import order_message
from wattle.services import Services

if TYPE_CHECKING:
    from firebase_functions.firestore_fn import Event

logger = logging.getLogger(__name__)

_DEADLINE: Final = 50.0


def order_written(services: Services, event: "Event[Change[Any]]") -> None:
    """Tell the customer of a change of his order's status. An exception makes Eventarc deliver the event again."""
    told = order_message(event.params["orderId"], _data(event.data.before), _data(event.data.after))
    if told is None:
        return
    uid, message = told
    services.push.tell(uid, message, Deadline.after(_DEADLINE))
    logger.info("told", extra={"fields": {"event": event.id, "notification": message.id}})


def device_written(services: Services, event: "Event[Change[Any]]") -> None:
    """Have FCM's topic subscriptions follow a device, and give up the installation of one that was removed."""
    before, after = _data(event.data.before), _data(event.data.after)
    deadline = Deadline.after(_DEADLINE)
    if before is not None and after is None:
        services.devices.release(event.params["uid"], event.params["deviceId"], before["installation"], deadline)
    services.subscriptions.device_changed(before, after, deadline)


def user_written(services: Services, event: "Event[Change[Any]]") -> None:
    """Have FCM's topic subscriptions follow what a person wants pushed, and end with his profile."""
    before, after = _data(event.data.before), _data(event.data.after)
    if _wishes(before) != _wishes(after):
        services.subscriptions.preferences_changed(event.params["uid"], Deadline.after(_DEADLINE))


def notification_written(services: Services, event: "Event[Change[Any]]") -> None:
    """Keep the number of unread messages right where an app marks one as read itself, or the TTL policy removes one."""
    before, after = _data(event.data.before), _data(event.data.after)
    services.inbox.changed(event.params["uid"], before, after, Deadline.after(_DEADLINE))


def broadcast_written(services: Services, event: "Event[Change[Any]]") -> None:
    """Enqueue the tasks of a broadcast that begins, and those of what has begun where it is cancelled or fails."""
    before, after = _data(event.data.before), _data(event.data.after)
    was, now = before and before["state"], after and after["state"]
    if now == was:
        return
    if now == "sending":
        services.broadcast_delivery.fan_out(event.params["broadcastId"], Deadline.after(_DEADLINE))
    elif was == "sending" and now in {"cancelled", "failed"}:
        services.broadcast_delivery.wind_up(event.params["broadcastId"], Deadline.after(_DEADLINE))


def _wishes(user: dict[str, Any] | None) -> Any:
    return user and (user.get("notificationPreferences"), user.get("deletedAt"))


def _data(snapshot: Any) -> dict[str, Any] | None:
    return None if snapshot is None else snapshot.to_dict()
