import pytest
import requests

from firesuite.fcm.condition import parse_condition


@pytest.fixture
def subscribe(sink):
    def call(target, topic, method="POST", **parameters):
        url = f"{sink.base}/registrations/{target}/topicSubscriptions"
        if method == "POST":
            return requests.post(url, params={"topic_name": topic}, json={}, headers=sink.owner, timeout=60)
        return requests.request(method, f"{url}/{topic}", params=parameters, headers=sink.owner, timeout=60)

    return call


def test_a_subscription_is_a_resource(sink, subscribe):
    created = subscribe("a:b", "news")
    resource = created.json()
    assert created.status_code == 200
    assert resource["name"] == f"projects/{sink.project_id}/registrations/a:b/topicSubscriptions/news"
    assert resource["topic_name"] == "news"
    assert resource["create_time"].endswith("Z")
    assert subscribe("a:b", "news", "GET").json() == resource
    listed = requests.get(f"{sink.base}/registrations/a:b/topicSubscriptions", headers=sink.owner, timeout=60)
    assert listed.json() == {"topic_subscriptions": [resource]}


def test_conflicts_and_absences(sink, subscribe):
    subscribe("a", "news")
    again = subscribe("a", "news")
    assert (again.status_code, again.json()["error"]["status"]) == (409, "ALREADY_EXISTS")
    missing = subscribe("a", "other", "DELETE")
    assert (missing.status_code, missing.json()["error"]["status"]) == (404, "NOT_FOUND")
    assert subscribe("a", "other", "DELETE", allow_missing="true").json() == {}
    assert subscribe("a", "other", "PATCH").status_code == 404
    assert subscribe("a", "other", "PATCH", allow_missing="true").json()["topic_name"] == "other"
    assert subscribe("a", "bad topic").status_code == 400
    url = f"{sink.base}/registrations/a/topicSubscriptions"
    assert requests.delete(url, headers=sink.owner, timeout=60).status_code == 404


def test_a_target_has_at_most_two_thousand_topics(sink, subscribe, monkeypatch):
    monkeypatch.setattr("firesuite.fcm.topics.MAX_TOPICS_PER_TARGET", 1)
    assert subscribe("a", "one").status_code == 200
    assert subscribe("a", "two").status_code == 429
    body = {"to": "/topics/two", "registration_tokens": ["a", ""]}
    headers = {**sink.owner, "x-goog-user-project": sink.project_id}
    answer = requests.post(f"{sink.root}/iid/v1:batchAdd", json=body, headers=headers, timeout=60)
    assert answer.json() == {"results": [{"error": "TOO_MANY_TOPICS"}, {"error": "INVALID_ARGUMENT"}]}


def test_the_instance_id_api_needs_a_project(serve_sink):
    body = {"to": "/topics/news", "registration_tokens": ["a"]}
    owner = {"Authorization": "Bearer owner"}
    refused = requests.post(f"http://{serve_sink()}/iid/v1:batchAdd", json=body, headers=owner, timeout=60)
    assert refused.status_code == 400
    assert "GOOGLE_CLOUD_QUOTA_PROJECT" in refused.json()["error"]["message"]
    host = serve_sink("demo-own")
    assert requests.post(f"http://{host}/iid/v1:batchAdd", json=body, headers=owner, timeout=60).json() == {
        "results": [{}]
    }
    topics = requests.get(f"http://{host}/v1/projects/demo-own/topics", timeout=60).json()
    assert topics == {"topics": [{"topic": "news", "targets": ["a"]}]}


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        ({"to": "/topics/a b", "registration_tokens": ["a"]}, 400, "InvalidTopicName"),
        ({"to": "/topics/a", "registration_tokens": []}, 400, "InvalidParameters"),
        ({"to": "/topics/a", "registration_tokens": ["a"] * 1001}, 400, "InvalidParameters"),
        ([], 400, "InvalidParameters"),
    ],
)
def test_the_instance_id_api_refuses(sink, body, status, error):
    headers = {**sink.owner, "x-goog-user-project": sink.project_id}
    response = requests.post(f"{sink.root}/iid/v1:batchRemove", json=body, headers=headers, timeout=60)
    assert (response.status_code, response.json()) == (status, {"error": error})


@pytest.mark.parametrize(
    ("condition", "reached"),
    [
        ("'a' in topics", ["x", "y"]),
        ("'a' in topics && 'b' in topics", ["y"]),
        ("'a' in topics || 'b' in topics", ["x", "y", "z"]),
        ("!('a' in topics)", ["z"]),
        ("'b' in topics && !('a' in topics)", ["z"]),
        ("'c' in topics", []),
    ],
)
def test_a_condition_reaches_its_subscribers(sink, subscribe, condition, reached):
    for target, topic in (("x", "a"), ("y", "a"), ("y", "b"), ("z", "b")):
        subscribe(target, topic)
    sink.send(condition=condition, notification={"title": "t"})
    assert sink.messages()[0]["deliveredTo"] == reached
    assert [target for target in "xyz" if sink.device(target)] == reached


def test_subscriptions_count_at_the_time_of_the_send(sink, subscribe):
    sink.send(topic="news")
    subscribe("a", "news")
    sink.send(topic="news")
    sink.script("a", error="UNREGISTERED")
    sink.send(topic="news")
    assert [item["deliveredTo"] for item in sink.messages()] == [[], ["a"], []]
    assert sink.get("devices/a")["received"] == 1


@pytest.mark.parametrize(
    ("text", "topics", "holds"),
    [
        # From left to right, without precedence.
        ("'a' in topics || 'b' in topics && 'c' in topics", {"a"}, False),
        ("'a' in topics || ('b' in topics && 'c' in topics)", {"a"}, True),
        ("!!('a' in topics)", {"a"}, True),
        ("('a'in topics)&&!('b'in topics)", {"a"}, True),
        (" 'a' in topics  ", {"a"}, True),
    ],
)
def test_conditions_are_read_from_left_to_right(text, topics, holds):
    assert parse_condition(text).holds(topics) is holds
