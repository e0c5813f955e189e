"""What FCM demands of a well-formed message: its target, sizes, reserved keys and value formats.

Source: the reference of `Message` and the page "FCM error codes" (message size, data keys, TTL).
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from firesuite.fcm import errors
from firesuite.fcm.condition import TOPIC_NAME, InvalidConditionError, parse_condition
from firesuite.fcm.schema import TARGETS, read_send_request

MAX_PAYLOAD_BYTES = 4096
MAX_TOPIC_PAYLOAD_BYTES = 2048  # "2048 bytes in the case of messages to topics", page "FCM error codes"
# A request this big cannot be within the payload limits of all three platforms together, however it is written.
MAX_REQUEST_BYTES = 65536
MAX_TTL_SECONDS = 2_419_200  # four weeks

# A stand-in in a test ("device-1") is as good a target as a real token; only what no token can be is refused.
_TARGET = re.compile(r"[!-~]{1,4096}")
_COLOR = re.compile(r"#[0-9a-fA-F]{6}")
_ANALYTICS_LABEL = re.compile(r"[a-zA-Z0-9\-_.~%]{1,50}")
_RESERVED_KEYS = ("from", "message_type")
_RESERVED_PREFIXES = ("google.", "gcm.notification.")


@dataclass(frozen=True, slots=True)
class SendRequest:
    """A valid request. `kind` is one of TARGETS, `target` its value; `fields` are canonical, `sent` is as it came."""

    kind: str
    target: str
    fields: Mapping[str, Any]
    sent: Mapping[str, Any]
    validate_only: bool

    @property
    def target_field(self) -> str | None:
        return f"message.{self.kind}" if self.kind in ("fid", "token") else None


def parse_send_request(body: bytes) -> SendRequest:
    """Raises ApiError with the body FCM answers."""
    if len(body) > MAX_REQUEST_BYTES:
        raise errors.message_too_large(MAX_PAYLOAD_BYTES)
    request, sent = read_send_request(body)
    message = request.get("message", {})
    kind = next((name for name in TARGETS if name in message), None)
    if kind is None:
        raise errors.invalid_message("message", "Recipient of the message is not set.")
    target = message[kind]
    _check_target(kind, target)
    _check_data_keys(message)
    limit = MAX_PAYLOAD_BYTES if kind in ("fid", "token") else MAX_TOPIC_PAYLOAD_BYTES
    # Written as JSON a payload only grows, so that a short request needs no counting.
    if len(body) > limit and max(_payload_sizes(message)) > limit:
        raise errors.message_too_large(limit)
    for field, text in _violations(message):
        raise errors.invalid_message(field, text)
    return SendRequest(kind, target, message, sent, request.get("validate_only", False) in (True, "true"))


def _check_target(kind: str, target: str) -> None:
    if kind == "topic":
        if not TOPIC_NAME.fullmatch(target):
            raise errors.invalid_message("message", "Topic name contains invalid characters.")
    elif kind == "condition":
        try:
            parse_condition(target)
        except InvalidConditionError as error:
            raise errors.invalid_condition() from error
    elif not _TARGET.fullmatch(target):
        raise errors.invalid_target(f"message.{kind}")


def _check_data_keys(message: Mapping[str, Any]) -> None:
    for path, holder in (
        ("message.data", message),
        ("message.android.data", message.get("android")),
        ("message.webpush.data", message.get("webpush")),
    ):
        for key in (holder or {}).get("data", ()):
            if key in _RESERVED_KEYS or key.startswith(_RESERVED_PREFIXES):
                raise errors.invalid_message(path, f"Invalid data payload key: {key}")


def _payload_sizes(message: Mapping[str, Any]) -> Iterator[int]:
    """Bytes of the payload as each platform receives it."""
    notification, data = message.get("notification", {}), message.get("data", {})
    android, webpush = message.get("android", {}), message.get("webpush", {})
    yield _size({**notification, **android.get("notification", {})}) + _size(android.get("data", data))
    yield _size({**notification, **webpush.get("notification", {})}) + _size(webpush.get("data", data))
    yield _size(message.get("apns", {}).get("payload", {})) + _size(data)


def _size(payload: Mapping[str, Any]) -> int:
    """Keys and values in UTF-8; a value which is no string counts as its JSON."""
    return sum(
        len(key.encode()) + len((value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)).encode())
        for key, value in payload.items()
    )


def _violations(message: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Field and description; the texts are our wording, but for that of the Web Push TTL."""
    android = message.get("android", {})
    if "ttl" in android and not 0 <= Decimal(android["ttl"][:-1]) <= MAX_TTL_SECONDS:
        yield "message.android.ttl", f"TTL must be between 0 and {MAX_TTL_SECONDS} seconds."
    yield from _notification_violations(android.get("notification", {}))
    webpush = message.get("webpush", {})
    for name, value in webpush.get("headers", {}).items():
        if name.lower() == "ttl" and not (value.isascii() and value.isdigit()):
            yield f"message.webpush.headers.{name}", "TTL must be a non-negative integer."
    link = webpush.get("fcm_options", {}).get("link")
    if link is not None and not link.startswith("https://"):
        yield "message.webpush.fcm_options.link", "The link must be an HTTPS URL."
    for name, value in message.get("apns", {}).get("headers", {}).items():
        if name.lower() == "apns-priority" and value not in ("1", "5", "10"):
            yield f"message.apns.headers.{name}", "apns-priority must be 1, 5 or 10."
    for part in ("", "android", "webpush", "apns"):
        label = (message.get(part, {}) if part else message).get("fcm_options", {}).get("analytics_label")
        if label is not None and not _ANALYTICS_LABEL.fullmatch(label):
            at = f"message.{part}.fcm_options" if part else "message.fcm_options"
            yield f"{at}.analytics_label", "The analytics label must match ^[a-zA-Z0-9-_.~%]{1,50}$."


def _notification_violations(notification: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    at = "message.android.notification"
    if "color" in notification and not _COLOR.fullmatch(notification["color"]):
        yield f"{at}.color", "The color must be in #rrggbb format."
    if notification.get("notification_count") is not None and int(notification["notification_count"]) < 0:
        yield f"{at}.notification_count", "The notification count must not be negative."
    for key, args in (("title_loc_key", "title_loc_args"), ("body_loc_key", "body_loc_args")):
        if notification.get(args) and not notification.get(key):
            yield f"{at}.{args}", f"{args} needs {key}."
    light = notification.get("light_settings")
    if light is not None:
        for required in ("color", "light_on_duration", "light_off_duration"):
            if required not in light:
                yield f"{at}.light_settings.{required}", f"{required} is required."
        for name, value in light.get("color", {}).items():
            if not 0 <= value <= 1:
                yield f"{at}.light_settings.color.{name}", f"{name} must be in the interval [0, 1]."
