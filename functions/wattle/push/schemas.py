from datetime import datetime
from typing import Final, Literal

from wattle.inbox.schemas import Notification
from wattle.push.sender import State
from wattle.schema import Resource

NO_DEVICE: Final = "The person had no registered device when it came: it is in the inbox only."
_BY_STATE: Final = {
    "sent": "FCM accepted it, and keeps it for a day for a phone that is off. The phone's own settings may hide it.",
    "queued": "It is on its way, or FCM did not take it yet: it is sent again, not before `retryAt`.",
    "deferred": "It waits for the end of the person's quiet hours: `waitsUntil`.",
}
_BY_CODE: Final = {
    ("pruned", "UNREGISTERED"): "FCM says that the app is gone from the device, which was removed.",
    ("pruned", "INVALID_ARGUMENT"): "FCM says that the device's target is malformed; the device was removed.",
    ("pruned", "DEVICE_REMOVED"): "The device was removed, or became somebody else's, before it was sent.",
    ("failed", "INVALID_ARGUMENT"): "FCM refused the message itself: nobody gets it.",
    ("failed", "SENDER_ID_MISMATCH"): "The device's target belongs to another Firebase project.",
    ("failed", "THIRD_PARTY_AUTH_ERROR"): "APNs or the web push service does not accept the project's credentials.",
    ("withheld", "MUTED"): "The person has muted all messages.",
    ("withheld", "KIND_OFF"): "The person does not want messages of this kind pushed.",
    ("withheld", "READ"): "It was read in the app before it was sent.",
    ("withheld", "CANCELLED"): "The broadcast was cancelled before it was sent.",
    ("withheld", "EXPIRED"): "FCM did not take it within a day, and then it was no news any more. The inbox has it.",
}


def meaning(state: State, code: str | None) -> str:
    """What a state of a delivery and its code say, in a sentence."""
    return _BY_STATE.get(state) or _BY_CODE[state, code or ""]


class Delivery(Resource):
    """What became of a notification on a device; since when; FCM's `name` for it; what that means."""

    device_id: str
    state: Literal["queued", "sent", "failed", "pruned", "withheld", "deferred"]
    code: str | None
    name: str | None
    at: datetime
    retry_at: datetime | None
    meaning: str


class Explanation(Resource):
    """A notification, and what became of it on each device that the person had when it came.

    `reason` says why there are no deliveries. `laterDevices` are those that the person has now and had not then: they
    never get it. Of an order's news or a broadcast there is nothing before its event or its task has come.
    """

    notification: Notification
    deliveries: list[Delivery]
    waits_until: datetime | None
    reason: str | None
    later_devices: list[str]
