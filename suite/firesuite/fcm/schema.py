"""The request of `projects.messages.send` and the rules by which Google reads it from JSON.

Fields and types follow the FCM REST reference (`SendMessageRequest`, `Message`, with `fid`). Reading follows ProtoJSON:
a field is named in snake_case or in lowerCamelCase, `null` is absence, an integer may come as a string, an enum as its
name or number. A violation is worded as Google's parser words it, for example
`Invalid JSON payload received. Unknown name "toen" at 'message': Cannot find field.`
"""

import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from firesuite.fcm.errors import invalid_json

Violations = list[tuple[str, str]]


class Scalar(Enum):
    STRING = "TYPE_STRING"
    BOOL = "TYPE_BOOL"
    INT32 = "TYPE_INT32"
    FLOAT = "TYPE_FLOAT"
    DURATION = "type.googleapis.com/google.protobuf.Duration"
    TIMESTAMP = "type.googleapis.com/google.protobuf.Timestamp"
    STRUCT = "type.googleapis.com/google.protobuf.Struct"
    STRING_MAP = "map<string, string>"


@dataclass(frozen=True, slots=True)
class EnumType:
    name: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Repeated:
    of: Scalar


class MessageType:
    """A protobuf message: `fields` by snake_case name, `oneof` the names of the one union it may have."""

    def __init__(self, name: str, fields: Mapping[str, "FieldType"], oneof: tuple[str, ...] = ()) -> None:
        self.name = f"type.googleapis.com/google.firebase.fcm.v1.{name}" if "." not in name else name
        self.oneof = frozenset(oneof)
        self.by_json_name = {json_name: (field, kind) for field, kind in fields.items() for json_name in _names(field)}


FieldType = Scalar | EnumType | Repeated | MessageType


def _names(field: str) -> tuple[str, str]:
    head, *tail = field.split("_")
    return field, head + "".join(part.capitalize() for part in tail)


_ANALYTICS = {"analytics_label": Scalar.STRING}

_COLOR = MessageType(
    "type.googleapis.com/google.type.Color",
    {"red": Scalar.FLOAT, "green": Scalar.FLOAT, "blue": Scalar.FLOAT, "alpha": Scalar.FLOAT},
)

_LIGHT_SETTINGS = MessageType(
    "LightSettings",
    {"color": _COLOR, "light_on_duration": Scalar.DURATION, "light_off_duration": Scalar.DURATION},
)

_ANDROID_NOTIFICATION = MessageType(
    "AndroidNotification",
    {
        "title": Scalar.STRING,
        "body": Scalar.STRING,
        "icon": Scalar.STRING,
        "color": Scalar.STRING,
        "sound": Scalar.STRING,
        "tag": Scalar.STRING,
        "click_action": Scalar.STRING,
        "body_loc_key": Scalar.STRING,
        "body_loc_args": Repeated(Scalar.STRING),
        "title_loc_key": Scalar.STRING,
        "title_loc_args": Repeated(Scalar.STRING),
        "channel_id": Scalar.STRING,
        "ticker": Scalar.STRING,
        "sticky": Scalar.BOOL,
        "event_time": Scalar.TIMESTAMP,
        "local_only": Scalar.BOOL,
        "notification_priority": EnumType(
            "AndroidNotification.NotificationPriority",
            (
                "PRIORITY_UNSPECIFIED",
                "PRIORITY_MIN",
                "PRIORITY_LOW",
                "PRIORITY_DEFAULT",
                "PRIORITY_HIGH",
                "PRIORITY_MAX",
            ),
        ),
        "default_sound": Scalar.BOOL,
        "default_vibrate_timings": Scalar.BOOL,
        "default_light_settings": Scalar.BOOL,
        "vibrate_timings": Repeated(Scalar.DURATION),
        "visibility": EnumType(
            "AndroidNotification.Visibility", ("VISIBILITY_UNSPECIFIED", "PRIVATE", "PUBLIC", "SECRET")
        ),
        "notification_count": Scalar.INT32,
        "light_settings": _LIGHT_SETTINGS,
        "image": Scalar.STRING,
        "bypass_proxy_notification": Scalar.BOOL,
        "proxy": EnumType("AndroidNotification.Proxy", ("PROXY_UNSPECIFIED", "ALLOW", "DENY", "IF_PRIORITY_LOWERED")),
    },
)

_ANDROID = MessageType(
    "AndroidConfig",
    {
        "collapse_key": Scalar.STRING,
        "priority": EnumType("AndroidMessagePriority", ("NORMAL", "HIGH")),
        "ttl": Scalar.DURATION,
        "restricted_package_name": Scalar.STRING,
        "data": Scalar.STRING_MAP,
        "notification": _ANDROID_NOTIFICATION,
        "fcm_options": MessageType("AndroidFcmOptions", _ANALYTICS),
        "direct_boot_ok": Scalar.BOOL,
        "bandwidth_constrained_ok": Scalar.BOOL,
        "restricted_satellite_ok": Scalar.BOOL,
    },
)

_WEBPUSH = MessageType(
    "WebpushConfig",
    {
        "headers": Scalar.STRING_MAP,
        "data": Scalar.STRING_MAP,
        "notification": Scalar.STRUCT,
        "fcm_options": MessageType("WebpushFcmOptions", {"link": Scalar.STRING, **_ANALYTICS}),
    },
)

_APNS = MessageType(
    "ApnsConfig",
    {
        "headers": Scalar.STRING_MAP,
        "payload": Scalar.STRUCT,
        "fcm_options": MessageType("ApnsFcmOptions", {"image": Scalar.STRING, **_ANALYTICS}),
        "live_activity_token": Scalar.STRING,
    },
)

TARGETS = ("fid", "token", "topic", "condition")

_MESSAGE = MessageType(
    "Message",
    {
        "name": Scalar.STRING,
        "data": Scalar.STRING_MAP,
        "notification": MessageType(
            "Notification", {"title": Scalar.STRING, "body": Scalar.STRING, "image": Scalar.STRING}
        ),
        "android": _ANDROID,
        "webpush": _WEBPUSH,
        "apns": _APNS,
        "fcm_options": MessageType("FcmOptions", _ANALYTICS),
        **dict.fromkeys(TARGETS, Scalar.STRING),
    },
    oneof=TARGETS,
)

_SEND_REQUEST = MessageType("SendMessageRequest", {"validate_only": Scalar.BOOL, "message": _MESSAGE})

MAX_DEPTH = 100  # protobuf's limit of nested messages

_DURATION = re.compile(r"-?\d{1,12}(\.\d{1,9})?s")
_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)")
_INT32 = re.compile(r"-?\d{1,10}")


def read_send_request(body: bytes) -> tuple[dict[str, Any], dict[str, Any]]:
    """The request as its canonical fields (snake_case, nulls gone), and `message` exactly as it was sent.

    Raises ApiError (INVALID_ARGUMENT) that names every field which the parser refuses.
    """
    try:
        sent = json.loads(body, parse_constant=_refuse_constant, parse_float=_finite)
        if b"\\u" in body:
            json.dumps(sent, ensure_ascii=False).encode()  # half of a surrogate pair is no text
        if body.count(b"{") + body.count(b"[") > MAX_DEPTH:
            _check_depth(sent)
    except (ValueError, RecursionError) as error:
        text = f"Invalid JSON payload received. {error}"
        raise invalid_json([("", text)]) from error
    violations: Violations = []
    request = _read_message(sent, _SEND_REQUEST, "", violations)
    if violations:
        raise invalid_json(violations)
    return request, sent.get("message") or {}


def canonical_message(sent: Any) -> dict[str, Any]:
    """The canonical fields of a message that was accepted before."""
    return _read_message(sent, _MESSAGE, "message", [])


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"Unexpected token. {name}")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"Number too large: {text}")
    return number


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [inner for outer in level for inner in _inside(outer)]
        if not level:
            return
    raise ValueError("Message too deep. Max recursion depth reached.")


def _inside(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _read_message(value: Any, kind: MessageType, path: str, violations: Violations) -> dict[str, Any]:
    if not isinstance(value, dict):
        if path:
            violations.append(_wrong_value(value, kind.name, path))
        else:
            violations.append(("", "Invalid JSON payload received. Root element must be a message."))
        return {}
    result: dict[str, Any] = {}
    chosen = None
    for name, sent in value.items():
        known = kind.by_json_name.get(name)
        if known is None:
            violations.append(_unknown_name(name, path, "Cannot find field."))
            continue
        if sent is None:
            continue
        field, field_kind = known
        if field in kind.oneof:
            if chosen is not None:
                text = f"Invalid value at '{path}' (oneof), oneof field 'target' is already set. Cannot set '{name}'"
                violations.append((path, text))
                continue
            chosen = field
        result[field] = _read_field(sent, field_kind, name, path, violations)
    return result


def _read_field(sent: Any, kind: FieldType, name: str, path: str, violations: Violations) -> Any:
    at = f"{path}.{name}" if path else name
    if isinstance(kind, Repeated):
        items = sent if isinstance(sent, list) else [sent]
        return [_read_scalar(item, kind.of, f"{at}[{index}]", violations) for index, item in enumerate(items)]
    if isinstance(sent, list):
        violations.append(_unknown_name(name, path, "Proto field is not repeating, cannot start list."))
        return None
    if isinstance(kind, MessageType):
        return _read_message(sent, kind, at, violations)
    if isinstance(kind, EnumType):
        return _read_enum(sent, kind, at, violations)
    if kind is Scalar.STRING_MAP:
        return _read_string_map(sent, at, violations)
    return _read_scalar(sent, kind, at, violations)


def _read_string_map(sent: Any, at: str, violations: Violations) -> dict[str, str]:
    if not isinstance(sent, dict):
        violations.append(_wrong_value(sent, Scalar.STRING_MAP.value, at))
        return {}
    for index, value in enumerate(sent.values()):
        if not isinstance(value, str):
            _read_scalar(value, Scalar.STRING, f"{at}[{index}].value", violations)
    return sent


def _read_enum(sent: Any, kind: EnumType, at: str, violations: Violations) -> str | None:
    if isinstance(sent, str) and sent.upper() in kind.values:
        return sent.upper()
    if isinstance(sent, int) and not isinstance(sent, bool) and 0 <= sent < len(kind.values):
        return kind.values[sent]
    violations.append(_wrong_value(sent, f"type.googleapis.com/google.firebase.fcm.v1.{kind.name}", at))
    return None


def _read_scalar(sent: Any, kind: Scalar, at: str, violations: Violations) -> Any:
    if _fits(sent, kind):
        return sent
    field, text = _wrong_value(sent, kind.value, at)
    if kind is Scalar.DURATION and isinstance(sent, str):
        # The reason which Google's parser appends for its well-known types.
        reason = (
            "Illegal duration format; duration must end with 's'"
            if not sent.endswith("s")
            else "Illegal duration format"
        )
        text = f"Invalid value at '{at}' ({kind.value}), Field '{at.rpartition('.')[2]}', {reason}"
    violations.append((field, text))
    return None


def _fits(sent: Any, kind: Scalar) -> bool:  # noqa: PLR0911 - one line per protobuf type reads best
    match kind:
        case Scalar.STRING:
            return isinstance(sent, str)
        case Scalar.BOOL:
            return isinstance(sent, bool) or sent in ("true", "false")
        case Scalar.INT32:
            if isinstance(sent, bool) or not _INT32.fullmatch(str(sent).removesuffix(".0")):
                return False
            return -(2**31) <= int(float(sent)) < 2**31
        case Scalar.FLOAT:
            return isinstance(sent, int | float) and not isinstance(sent, bool)
        case Scalar.DURATION:
            return isinstance(sent, str) and _DURATION.fullmatch(sent) is not None
        case Scalar.TIMESTAMP:
            return isinstance(sent, str) and _TIMESTAMP.fullmatch(sent) is not None
        case _:
            return isinstance(sent, dict)


def _unknown_name(name: str, path: str, reason: str) -> tuple[str, str]:
    where = f" at '{path}'" if path else ""
    return path, f'Invalid JSON payload received. Unknown name "{name}"{where}: {reason}'


def _wrong_value(sent: Any, type_name: str, at: str) -> tuple[str, str]:
    return at, f"Invalid value at '{at}' ({type_name}), {json.dumps(sent)}"
