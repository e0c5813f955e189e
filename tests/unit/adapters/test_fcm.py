"""FCM over HTTP v1: to the sink for what it accepts and refuses, to a scripted server for the rest."""

import json
from datetime import timedelta

import pytest
from tests.scripted import Answer

from firesuite.fcm import create_app
from firesuite.server import Server
from wattle.adapters.fcm import Fcm, FcmCode, Push, Refused, Sent, Target

PROJECT = "demo-fcm"


@pytest.fixture(scope="module")
def sink():
    server = Server(create_app(), service="FCM")
    server.start()
    yield f"127.0.0.1:{server.port}"
    server.stop()


@pytest.fixture
def fcm(sink):
    return Fcm(PROJECT, sink)


@pytest.fixture
def moody(scripted):
    """FCM as the scripted server plays it."""
    return Fcm(PROJECT, scripted.host)


def push(target="fid-1", *, legacy=False, **options):
    return Push(
        target=Target(target, legacy),
        title="Order shipped",
        body="It is on its way.",
        data={"orderId": "o1"},
        collapse_id=options.pop("collapse_id", "o1-3"),
        time_to_live=timedelta(days=1),
    )


class TestSend:
    @pytest.mark.filterwarnings("ignore:Message.token is deprecated")
    def test_each_message_says_what_became_of_it_in_order(self, fcm, sink):
        import httpx

        httpx.put(f"http://{sink}/v1/projects/{PROJECT}/targets/gone", json={"error": "UNREGISTERED"})
        first, second, third = fcm.send([push("one"), push("gone"), push("old:token", legacy=True)])
        assert isinstance(first, Sent)
        assert first.name.startswith(f"projects/{PROJECT}/messages/")
        assert (second.code, second.retry_after) == (FcmCode.UNREGISTERED, None)
        assert isinstance(third, Sent)
        accepted = httpx.get(f"http://{sink}/v1/projects/{PROJECT}/messages").json()["messages"]
        assert {entry["message"].get("fid") or entry["message"]["token"] for entry in accepted} == {"one", "old:token"}

    def test_nothing_to_send_is_no_request(self, moody, scripted):
        assert moody.send([]) == []
        assert scripted.requests == []

    def test_more_than_the_connections_that_are_open_at_once(self, fcm):
        assert all(isinstance(result, Sent) for result in fcm.send([push(f"fid-{n}") for n in range(70)]))

    def test_a_later_copy_replaces_an_earlier_one(self, moody, scripted):
        scripted.answer = Answer(body={"name": "projects/p/messages/1"})
        moody.send([push(collapse_id="n" * 70)])
        ((path, body),) = scripted.requests
        message = json.loads(body)["message"]
        assert path == f"/v1/projects/{PROJECT}/messages:send"
        assert message["android"] == {"priority": "high", "ttl": "86400s", "notification": {"tag": "n" * 70}}
        assert message["apns"]["headers"]["apns-collapse-id"] == "n" * 64, "APNs allows 64 bytes"
        assert message["data"] == {"orderId": "o1"}
        assert "collapse_key" not in message["android"], "FCM keeps four of them a phone"


def error(status, name=None, *, code=None, **headers):
    """FCM's answer: google.rpc's status by name, FCM's own code in the details."""
    details = [{"@type": "type.googleapis.com/x"}, *([{"errorCode": code}] if code else [])]
    return Answer(status, {"error": {"status": name, "message": "m", "details": details}}, headers)


class TestRefusals:
    @pytest.mark.parametrize(
        ("answer", "code", "retry_after"),
        [
            (error(503, "UNAVAILABLE", **{"Retry-After": "7"}), "UNAVAILABLE", 7),
            (error(429, "RESOURCE_EXHAUSTED", code="QUOTA_EXCEEDED"), "QUOTA_EXCEEDED", None),
            (error(404, "NOT_FOUND", code="UNREGISTERED"), "UNREGISTERED", None),
            (error(404, "NOT_FOUND"), "UNKNOWN", None),
            (error(403, "PERMISSION_DENIED", code="SENDER_ID_MISMATCH"), "SENDER_ID_MISMATCH", None),
            (Answer(500, b"<html>", {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}), "UNKNOWN", None),
            (Answer(400, []), "UNKNOWN", None),
            (Answer(400, {"error": "text"}), "UNKNOWN", None),
            (Answer(400, {"error": {"details": [3, {"errorCode": 4}], "status": 5}}), "UNKNOWN", None),
            (Answer(200, {}), "UNKNOWN", None),
            (Answer(200, b""), "UNKNOWN", None),
            (Answer(hang_up=True), "UNAVAILABLE", None),
        ],
    )
    def test_every_answer_is_told_by_fcms_own_code(self, moody, scripted, answer, code, retry_after):
        scripted.answer = answer
        (result,) = moody.send([push()])
        assert isinstance(result, Refused)
        assert (result.code.value, result.retry_after) == (code, retry_after)

    def test_nobody_there(self):
        (result,) = Fcm(PROJECT, "127.0.0.1:1").send([push()])
        assert result.code is FcmCode.UNAVAILABLE
        assert "127.0.0.1" not in result.message
