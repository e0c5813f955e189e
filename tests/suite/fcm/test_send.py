import json
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
import requests

from firesuite.fcm import project

FULL = {
    "fid": "c-FidOfAPhone_22chars0",
    "data": {"orderId": "o-1", "größe": "42"},
    "notification": {"title": "Order", "body": "Shipped", "image": "https://example.com/a.png"},
    "android": {
        "collapse_key": "orders",
        "priority": "high",
        "ttl": "3.5s",
        "restricted_package_name": "com.example",
        "data": {"only": "android"},
        "notification": {
            "title": "t",
            "body": "b",
            "icon": "i",
            "color": "#A0b1C2",
            "sound": "default",
            "tag": "n-1",
            "click_action": "OPEN",
            "body_loc_key": "k",
            "body_loc_args": ["a"],
            "title_loc_key": "k",
            "title_loc_args": ["a", "b"],
            "channel_id": "orders",
            "ticker": "tick",
            "sticky": True,
            "event_time": "2026-11-23T10:00:00.000000Z",
            "local_only": False,
            "notification_priority": "PRIORITY_HIGH",
            "default_sound": True,
            "default_vibrate_timings": True,
            "default_light_settings": False,
            "vibrate_timings": ["0.1s", "1s"],
            "visibility": "private",
            "notification_count": 3,
            "light_settings": {
                "color": {"red": 1, "green": 0.5, "blue": 0, "alpha": 1},
                "light_on_duration": "1s",
                "light_off_duration": "0.5s",
            },
            "image": "https://example.com/b.png",
            "proxy": "DENY",
        },
        "fcm_options": {"analytics_label": "a-1"},
        "direct_boot_ok": True,
        "bandwidth_constrained_ok": True,
        "restricted_satellite_ok": False,
    },
    "webpush": {
        "headers": {"TTL": "60", "Urgency": "high"},
        "data": {"only": "web"},
        "notification": {"title": "w", "actions": [{"action": "a", "title": "b"}], "silent": None},
        "fcm_options": {"link": "https://example.com/o", "analytics_label": "a"},
    },
    "apns": {
        "headers": {"apns-priority": "10", "apns-collapse-id": "n-1"},
        "payload": {"aps": {"alert": {"title": "t"}, "badge": 3, "mutable-content": 1}, "own": [1, {"a": None}]},
        "fcm_options": {"image": "https://example.com/c.png", "analytics_label": "a"},
        "live_activity_token": "abc",
    },
    "fcm_options": {"analytics_label": "a"},
}


def camel(value):
    if isinstance(value, dict):
        return {re.sub(r"_(.)", lambda match: match[1].upper(), key): camel(inner) for key, inner in value.items()}
    return value


@pytest.mark.parametrize(
    "message", [FULL, camel(FULL), {"token": "abc:def", "notification": None}, {"topic": "a%b~c.d-e_f"}]
)
def test_a_valid_message_is_named_and_listed_as_it_was_sent(sink, message):
    before = datetime.now(UTC)
    name = sink.send(**message)
    (listed,) = sink.messages()
    assert name.startswith(f"projects/{sink.project_id}/messages/0:")
    assert listed["name"] == name
    assert listed["message"] == message
    assert before <= datetime.fromisoformat(listed["receivedAt"]) <= datetime.now(UTC)


def test_a_message_to_one_target_is_listed_with_three_keys(sink):
    sink.send(fid="a")
    assert [set(item) for item in sink.messages()] == [{"name", "message", "receivedAt"}]


@pytest.mark.parametrize("spelling", ["validate_only", "validateOnly"])
def test_validation_alone_delivers_nothing(sink, spelling):
    response = sink.post({spelling: True, "message": {"fid": "a"}})
    assert response.status_code == 200
    assert response.json() == {"name": f"projects/{sink.project_id}/messages/fake_message_id"}
    assert sink.post({spelling: True, "message": {}}).status_code == 400
    assert sink.messages() == []


def test_no_credential_is_asked_for(sink):
    response = sink.post({"message": {"fid": "a"}}, headers={})
    assert response.status_code == 200
    assert [item["message"] for item in sink.messages()] == [{"fid": "a"}]


def test_messages_are_cleared_and_projects_are_apart(sink):
    sink.send(fid="a")
    other = requests.get(f"{sink.root}/v1/projects/another/messages", timeout=60)
    assert other.json() == {"messages": []}
    assert requests.delete(f"{sink.base}/messages", timeout=60).status_code == 200
    assert sink.messages() == []
    assert sink.device("a") == []
    name = sink.send(fid="a")
    assert [item["name"] for item in sink.messages()] == [name]


def test_a_cursor_gives_what_came_since(sink):
    first, second, third = (sink.send(fid="a") for _ in range(3))
    page = sink.get("messages", after=1)
    assert [item["name"] for item in page["messages"]] == [second, third]
    assert (page["cursor"], page["oldest"]) == (3, 1)
    assert sink.get("messages", after=3)["messages"] == []
    assert [item["name"] for item in sink.get("messages", after=-2)["messages"]] == [second, third]
    assert [item["name"] for item in sink.get("messages", after=0)["messages"]] == [first, second, third]


def test_a_waiting_reader_gets_the_next_message(sink):
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(sink.get, "messages", after=0, wait=20)
        name = requests.post(
            f"{sink.base}/messages:send", json={"message": {"fid": "a"}}, headers=sink.owner, timeout=60
        ).json()["name"]
        assert [item["name"] for item in waiting.result(60)["messages"]] == [name]


@pytest.mark.parametrize("query", ["after=x", "after=1&wait=999", "after=1&wait=-1", "after=²"])
def test_a_bad_cursor_is_a_clear_400(sink, query):
    response = requests.get(f"{sink.base}/messages?{query}", timeout=60)
    assert response.status_code == 400
    assert "must be a whole number" in response.json()["error"]["message"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/projects/p/messages:send"),
        ("POST", "/v1/projects/p/nothing"),
        ("GET", "/v1/projects//messages"),
        ("GET", "/x"),
    ],
)
def test_an_unknown_path_is_named(sink, method, path):
    response = requests.request(method, sink.root + path, timeout=60)
    assert response.status_code == 404
    assert path in response.json()["error"]["message"]


def test_a_thousand_sends_from_sixteen_threads_are_recorded_once_in_order_of_receipt(sink):
    def send_some(thread):
        with requests.Session() as session:
            url = f"{sink.base}/messages:send"
            bodies = [{"message": {"fid": f"t{thread}", "data": {"n": str(n)}}} for n in range(63)]
            return [session.post(url, json=body, headers=sink.owner, timeout=60).json()["name"] for body in bodies]

    with ThreadPoolExecutor(16) as pool:
        names = list(pool.map(send_some, range(16)))
    listed = sink.messages()
    assert len(listed) == 16 * 63 == len({item["name"] for item in listed})
    assert {item["name"] for item in listed} == {name for own in names for name in own}
    assert [item["receivedAt"] for item in listed] == sorted(item["receivedAt"] for item in listed)
    for thread, own in enumerate(names):
        assert [item["name"] for item in listed if item["message"]["fid"] == f"t{thread}"] == own


def test_the_oldest_messages_are_forgotten(sink, monkeypatch):
    monkeypatch.setattr(project, "MAX_MESSAGES", 3)
    names = [
        sink.send(**{kind: target})
        for kind, target in [("fid", "a"), ("topic", "t"), ("fid", "a"), ("fid", "b"), ("fid", "a")]
    ]
    assert [item["name"] for item in sink.messages()] == names[2:]
    assert sink.get("messages", after=0)["oldest"] == 3
    assert sink.get("devices/a")["received"] == 2


def test_the_least_recently_used_project_is_forgotten(serve_sink, monkeypatch):
    monkeypatch.setattr("firesuite.fcm.app.MAX_PROJECTS", 2)
    projects = f"http://{serve_sink()}/v1/projects"
    for project_id in ("a", "b", "a", "c"):
        assert requests.get(f"{projects}/{project_id}/messages", timeout=60).ok
    assert requests.get(projects, timeout=60).json() == {"projects": ["a", "c"]}


def test_text_outside_ascii_and_escapes_survive(sink):
    body = json.dumps({"message": {"fid": "a", "notification": {"title": "Größe \U0001f4e6  "}}}).encode()
    assert sink.post(body).status_code == 200
    assert sink.messages()[0]["message"]["notification"]["title"] == "Größe \U0001f4e6  "
