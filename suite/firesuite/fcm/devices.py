"""What a device shows of the messages that reached it.

Which notification replaces which, by platform (FCM's `AndroidNotification.tag` and "Non-collapsible and collapsible
messages", Apple's "Sending notification requests to APNs", the Notifications API standard):

- Android: one with the same `android.notification.tag` replaces it. `android.collapse_key` replaces only messages that
  were not delivered yet, so that it counts for a device that was offline: FCM then keeps the last message of each key,
  of four keys, and notifications that name none share one.
- iOS: the header `apns-collapse-id`.
- web: `webpush.notification.tag`.

Messages without a notification (data messages) are the app's affair and show nothing.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from firesuite.fcm.schema import canonical_message

PLATFORMS = ("android", "ios", "web")
MAX_COLLAPSE_KEYS = 4

Accepted = Mapping[str, Any]


def visible_notifications(accepted: Iterable[Accepted], platform: str, *, offline: bool) -> list[dict[str, Any]]:
    """The notifications on the screen after all of `accepted` came in: {"name", "message", "receivedAt"}, oldest first.

    platform: one of PLATFORMS. offline: the device was unreachable until the last message was sent (Android only).
    """
    read = [(item, canonical_message(item["message"])) for item in accepted]
    if offline and platform == "android":
        read = _kept_while_offline(read)
    shown: dict[str, dict[str, Any]] = {}
    for item, message in read:
        notification = _SHOW[platform](message)
        if notification is None:
            continue
        # Nothing replaces a notification without a tag: its own name keeps it apart.
        key = notification["tag"] or item["name"]
        replaced = shown.pop(key, None)
        shown[key] = {
            "name": item["name"],
            "receivedAt": item["receivedAt"],
            **notification,
            "replaced": replaced["replaced"] + 1 if replaced else 0,
        }
    return list(shown.values())


def _kept_while_offline(read: list[tuple[Accepted, dict[str, Any]]]) -> list[tuple[Accepted, dict[str, Any]]]:
    last: dict[str | None, tuple[Accepted, dict[str, Any]]] = {}
    kept_all: list[tuple[Accepted, dict[str, Any]]] = []
    for item, message in read:
        android = message.get("android", {})
        key = android.get("collapse_key")
        if android.get("ttl") in ("0s", "0.0s"):
            continue  # "now or never"
        if key is None and _show_android(message) is None:
            kept_all.append((item, message))
            continue
        last.pop(key, None)
        last[key] = (item, message)
    return kept_all + list(last.values())[-MAX_COLLAPSE_KEYS:]


def _show_android(message: Mapping[str, Any]) -> dict[str, Any] | None:
    android = message.get("android", {})
    notification = {**message.get("notification", {}), **android.get("notification", {})}
    if not notification:
        return None
    return {
        "title": notification.get("title", notification.get("title_loc_key")),
        "body": notification.get("body", notification.get("body_loc_key")),
        "image": notification.get("image"),
        "tag": notification.get("tag"),
        "channel": notification.get("channel_id"),
        "badge": notification.get("notification_count"),
        "link": notification.get("click_action"),
        "data": android.get("data", message.get("data", {})),
    }


def _show_ios(message: Mapping[str, Any]) -> dict[str, Any] | None:
    apns = message.get("apns", {})
    payload = apns.get("payload", {})
    aps = payload.get("aps") if isinstance(payload.get("aps"), dict) else {}
    alert = aps.get("alert")
    own = {"body": alert} if isinstance(alert, str) else alert if isinstance(alert, dict) else {}
    notification = {**message.get("notification", {}), **own}
    if not notification:
        return None
    headers = {name.lower(): value for name, value in apns.get("headers", {}).items()}
    custom = {name: value for name, value in payload.items() if name != "aps"}
    return {
        "title": notification.get("title", notification.get("title-loc-key")),
        "body": notification.get("body", notification.get("loc-key")),
        "image": apns.get("fcm_options", {}).get("image", notification.get("image")),
        "tag": headers.get("apns-collapse-id"),
        "channel": aps.get("thread-id"),
        "badge": aps.get("badge"),
        "link": aps.get("category"),
        "data": {**message.get("data", {}), **custom},
    }


def _show_web(message: Mapping[str, Any]) -> dict[str, Any] | None:
    webpush = message.get("webpush", {})
    notification = {**message.get("notification", {}), **webpush.get("notification", {})}
    if not notification:
        return None
    return {
        "title": notification.get("title"),
        "body": notification.get("body"),
        "image": notification.get("image"),
        "tag": notification.get("tag"),
        "channel": None,
        "badge": None,
        "link": webpush.get("fcm_options", {}).get("link"),
        "data": webpush.get("data", message.get("data", {})),
    }


_SHOW = {"android": _show_android, "ios": _show_ios, "web": _show_web}
