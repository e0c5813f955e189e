"""A message, and its JSON as firebase_admin encodes it.

Sources: FCM REST reference, `Message`; "About FCM messages" (payload limits); Apple, "Sending notification requests to
APNs" (headers).
"""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, Final, Literal, NamedTuple

from firebase_admin import messaging

PAYLOAD_MOST: Final = 4096
"""Bytes, to a device."""
TOPIC_PAYLOAD_MOST: Final = 2048
"""Bytes, to a topic or a condition."""


class Target(NamedTuple):
    """A device: its Firebase Installation ID, or the registration token of an app that has none."""

    value: str
    legacy: bool


class Topic(NamedTuple):
    """All devices that are subscribed to it."""

    name: str


class Condition(NamedTuple):
    """All devices for whose topics it holds, such as `'a' in topics && 'b' in topics`."""

    expression: str


class Push(NamedTuple):
    """A message.

    `collapse_id` makes a later copy replace an earlier one on the screen: Android's and the web's tag, APNs' collapse
    id. (FCM's own collapse key only concerns phones that are off, and FCM keeps four of them a phone: with one for each
    notification the fifth would be lost.) For `time_to_live` FCM keeps it for a phone that is off. `platform` None is
    for all platforms. `link` is opened by a tap: the app finds it in the data; on the web only https is possible.
    `badge` is the number on the app's icon. With `dry_run` FCM checks the message and sends nothing.
    """

    to: Target | Topic | Condition
    platform: Literal["android", "ios", "web"] | None
    title: str
    body: str
    data: Mapping[str, str]
    collapse_id: str
    sent_at: datetime
    time_to_live: timedelta
    channel: str
    urgent: bool
    image: str | None = None
    link: str | None = None
    badge: int | None = None
    dry_run: bool = False


class TooLarge(ValueError):
    """The payload has `size` bytes; `most` are possible."""

    def __init__(self, size: int, most: int) -> None:
        super().__init__(f"a payload of {size} bytes, {most} are possible")
        self.size = size
        self.most = most


def encode(push: Push) -> bytes:
    """The body of a request to FCM. The SDK's encoder makes it, and validates it."""
    validate_only = ',"validate_only":true' if push.dry_run else ""
    # str() of a Message is its JSON.
    return f'{{"message":{_message(push)}{validate_only}}}'.encode()


def check_size(push: Push) -> None:
    """See that FCM will take a message of this size: keys and values, on the platform where they are the most.

    Raises:
        TooLarge.
    """
    message = json.loads(str(_message(push)))
    platforms = (
        message.get("android", {}).get("notification", {}),
        message.get("webpush", {}).get("notification", {}),
        message.get("apns", {}).get("payload", {}),
    )
    size = _size(message["notification"]) + _size(message.get("data", {})) + max(map(_size, platforms))
    most = PAYLOAD_MOST if isinstance(push.to, Target) else TOPIC_PAYLOAD_MOST
    if size > most:
        raise TooLarge(size, most)


def _size(payload: Mapping[str, Any]) -> int:
    return sum(
        len(key.encode()) + len((value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)).encode())
        for key, value in payload.items()
    )


def _message(push: Push) -> Any:
    data = dict(push.data)
    if push.link is not None:
        data["link"] = push.link
    message = messaging.Message(
        notification=messaging.Notification(title=push.title, body=push.body, image=push.image),
        data=data,
        android=_android(push) if push.platform in (None, "android") else None,
        apns=_apns(push) if push.platform in (None, "ios") else None,
        webpush=_webpush(push) if push.platform in (None, "web") else None,
    )
    match push.to:
        case Target(value, legacy=True):
            # Set here, because the constructor warns that tokens are deprecated: we mean to send to older apps.
            message.token = value
        case Target(value):
            message.fid = value
        case Topic(name):
            message.topic = name
        case Condition(expression):
            message.condition = expression
    return message


def _android(push: Push) -> Any:
    return messaging.AndroidConfig(
        priority="high" if push.urgent else "normal",
        ttl=push.time_to_live,
        notification=messaging.AndroidNotification(
            tag=push.collapse_id, channel_id=push.channel, notification_count=push.badge
        ),
    )


def _apns(push: Push) -> Any:
    headers = {
        "apns-collapse-id": _apns_collapse_id(push.collapse_id),
        # 5 lets the phone choose a moment that suits its battery.
        "apns-priority": "10" if push.urgent else "5",
        "apns-push-type": "alert",
        "apns-expiration": str(int((push.sent_at + push.time_to_live).timestamp())),
    }
    # An image is fetched by the app's notification service extension, which iOS starts only for mutable content.
    aps = messaging.Aps(
        sound="default", badge=push.badge, thread_id=push.channel, mutable_content=True if push.image else None
    )
    options = messaging.APNSFCMOptions(image=push.image) if push.image else None
    return messaging.APNSConfig(headers=headers, payload=messaging.APNSPayload(aps=aps), fcm_options=options)


def _apns_collapse_id(collapse_id: str) -> str:
    """Apple takes 64 bytes. A longer one is hashed, not cut: two that differ at the end stay apart."""
    return collapse_id if len(collapse_id.encode()) <= 64 else sha256(collapse_id.encode()).hexdigest()


def _webpush(push: Push) -> Any:
    headers = {
        "TTL": str(int(push.time_to_live.total_seconds())),
        "Urgency": "high" if push.urgent else "normal",
    }
    link = push.link if push.link is not None and push.link.startswith("https://") else None
    return messaging.WebpushConfig(
        headers=headers,
        notification=messaging.WebpushNotification(tag=push.collapse_id),
        fcm_options=messaging.WebpushFCMOptions(link=link) if link else None,
    )
