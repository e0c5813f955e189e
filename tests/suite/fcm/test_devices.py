"""What a person sees after the messages came in."""

import pytest


def order(version, *, tag=None, key=None, collapse_id=None, web_tag=None, **more):
    return {
        "fid": "phone",
        "notification": {"title": f"v{version}"},
        "data": {"v": str(version)},
        "android": {"collapse_key": key, "notification": {"tag": tag}},
        "apns": {"headers": {"Apns-Collapse-Id": collapse_id} if collapse_id else {}},
        "webpush": {"notification": {"tag": web_tag} if web_tag else None},
        **more,
    }


def titles(shown):
    return [notification["title"] for notification in shown]


@pytest.mark.parametrize(("platform", "mark"), [("android", "tag"), ("ios", "collapse_id"), ("web", "web_tag")])
def test_the_platforms_own_mark_replaces(sink, platform, mark):
    sink.send(**order(1, **{mark: "n"}))
    sink.send(**order(2, **{mark: "other"}))
    sink.send(**order(3, **{mark: "n"}))
    shown = sink.device("phone", platform=platform)
    assert titles(shown) == ["v2", "v3"]
    assert [(one["tag"], one["replaced"]) for one in shown] == [("other", 0), ("n", 1)]
    for stranger in {"android", "ios", "web"} - {platform}:
        assert titles(sink.device("phone", platform=stranger)) == ["v1", "v2", "v3"]


def test_a_collapse_key_replaces_only_while_the_device_is_offline(sink):
    for version in (1, 2):
        sink.send(**order(version, key="orders"))
    assert titles(sink.device("phone")) == ["v1", "v2"]
    assert titles(sink.device("phone", offline="true")) == ["v2"]


def test_an_offline_device_keeps_four_collapse_keys(sink):
    for version in range(6):
        sink.send(**order(version, key=f"k{version}", tag=f"t{version}"))
    assert titles(sink.device("phone", offline="true")) == ["v2", "v3", "v4", "v5"]


def test_an_offline_device_misses_what_was_now_or_never(sink):
    sink.send(fid="phone", notification={"title": "now"}, android={"ttl": "0s"})
    assert titles(sink.device("phone")) == ["now"]
    assert sink.device("phone", offline="true") == []


def test_the_same_message_twice_is_seen_twice_without_a_tag(sink):
    for _ in range(2):
        sink.send(fid="phone", notification={"title": "again"})
    assert titles(sink.device("phone")) == ["again", "again"]


def test_data_messages_show_nothing(sink):
    sink.send(fid="phone", data={"sync": "1"})
    assert sink.get("devices/phone") == {"target": "phone", "platform": "android", "received": 1, "notifications": []}


def test_a_platforms_own_fields_prevail(sink):
    sink.send(
        token="phone",
        notification={"title": "common", "body": "common", "image": "https://example.com/a.png"},
        data={"d": "common"},
        android={"data": {"d": "android"}, "notification": {"title": "A", "channelId": "c", "notificationCount": 2}},
        apns={
            "payload": {"aps": {"alert": {"title": "I"}, "badge": 3}, "deep": "link"},
            "fcmOptions": {"image": "https://example.com/i.png"},
        },
        webpush={"notification": {"title": "W"}, "data": {"d": "web"}, "fcm_options": {"link": "https://example.com"}},
    )
    (android,) = sink.device("phone")
    assert (android["title"], android["body"], android["channel"], android["badge"]) == ("A", "common", "c", 2)
    assert (android["image"], android["data"]) == ("https://example.com/a.png", {"d": "android"})
    (ios,) = sink.device("phone", platform="ios")
    assert (ios["title"], ios["body"], ios["badge"], ios["image"]) == ("I", "common", 3, "https://example.com/i.png")
    assert ios["data"] == {"d": "common", "deep": "link"}
    (web,) = sink.device("phone", platform="web")
    assert (web["title"], web["data"], web["link"]) == ("W", {"d": "web"}, "https://example.com")


def test_a_device_nobody_sent_to_shows_nothing(sink):
    assert sink.device("stranger") == []


def test_an_unknown_platform_is_a_clear_400(sink):
    response = sink.http.get(f"{sink.base}/devices/a?platform=symbian", timeout=60)
    assert response.status_code == 400
    assert response.json()["error"]["message"] == "platform must be one of android, ios, web."
