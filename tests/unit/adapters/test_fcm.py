"""FCM over HTTP v1: to the sink for what it accepts and refuses, to a scripted server for the rest."""

import json
import time
from datetime import UTC, datetime, timedelta
from email.utils import formatdate

import pytest
import requests
from google.auth.exceptions import RefreshError, TransportError
from tests.scripted import Answer

from firesuite.fcm import create_app
from firesuite.server import Server
from wattle.adapters.fcm import Condition, Fcm, FcmCode, Push, Refused, Sent, Target, TooLarge, Topic, check_size
from wattle.kit.retry import Deadline

PROJECT = "demo-fcm"


def soon():
    """Counted from when it is needed: the whole run of the tests may take longer than any of them."""
    return Deadline.after(600)


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


NOW = datetime(2026, 11, 23, 1, 2, 3, tzinfo=UTC)


def push(target="fid-1", *, legacy=False, **options):
    message = {
        "to": Target(target, legacy),
        "platform": None,
        "title": "Order shipped",
        "body": "It is on its way.",
        "data": {"orderId": "o1"},
        "collapse_id": "o1-3",
        "sent_at": NOW,
        "time_to_live": timedelta(days=1),
        "channel": "orders",
        "urgent": True,
    }
    return Push(**message | options)


def sent_message(moody, scripted, **options):
    """What FCM is sent."""
    scripted.answer = Answer(body={"name": "projects/p/messages/1"})
    moody.send([push(**options)], soon())
    (_, body) = scripted.requests[-1]
    return json.loads(body)["message"]


class TestSend:
    def test_each_message_says_what_became_of_it_in_order(self, fcm, sink):
        import httpx

        httpx.put(f"http://{sink}/v1/projects/{PROJECT}/targets/gone", json={"error": "UNREGISTERED"})
        first, second, third = fcm.send([push("one"), push("gone"), push("old:token", legacy=True)], soon())
        assert isinstance(first, Sent)
        assert first.name.startswith(f"projects/{PROJECT}/messages/")
        assert (second.code, second.retry_after) == (FcmCode.UNREGISTERED, None)
        assert isinstance(third, Sent)
        accepted = httpx.get(f"http://{sink}/v1/projects/{PROJECT}/messages").json()["messages"]
        assert {entry["message"].get("fid") or entry["message"]["token"] for entry in accepted} == {"one", "old:token"}

    def test_nothing_to_send_is_no_request(self, moody, scripted):
        assert moody.send([], soon()) == []
        assert scripted.requests == []

    def test_more_than_the_connections_that_are_open_at_once(self, fcm):
        assert all(isinstance(result, Sent) for result in fcm.send([push(f"fid-{n}") for n in range(70)], soon()))

    def test_more_than_a_chunk_is_refused(self, fcm):
        with pytest.raises(ValueError, match="100"):
            fcm.send([push()] * 101, soon())


class TestMessage:
    def test_each_platform_gets_what_it_understands(self, moody, scripted):
        message = sent_message(
            moody, scripted, badge=3, image="https://example.com/i.png", link="https://example.com/orders/o1"
        )
        assert scripted.requests[-1][0] == f"/v1/projects/{PROJECT}/messages:send"
        assert message == {
            "fid": "fid-1",
            "notification": {
                "title": "Order shipped",
                "body": "It is on its way.",
                "image": "https://example.com/i.png",
            },
            "data": {"orderId": "o1", "link": "https://example.com/orders/o1"},
            "android": {
                "priority": "high",
                "ttl": "86400s",
                "notification": {"tag": "o1-3", "channel_id": "orders", "notification_count": 3},
            },
            "apns": {
                "headers": {
                    "apns-collapse-id": "o1-3",
                    "apns-priority": "10",
                    "apns-push-type": "alert",
                    "apns-expiration": str(int(NOW.timestamp()) + 86400),
                },
                "payload": {"aps": {"sound": "default", "badge": 3, "thread-id": "orders", "mutable-content": 1}},
                "fcm_options": {"image": "https://example.com/i.png"},
            },
            "webpush": {
                "headers": {"TTL": "86400", "Urgency": "high"},
                "notification": {"tag": "o1-3"},
                "fcm_options": {"link": "https://example.com/orders/o1"},
            },
        }

    @pytest.mark.parametrize("platform", ["android", "ios", "web"])
    def test_one_platform_gets_its_own_part(self, moody, scripted, platform):
        message = sent_message(moody, scripted, platform=platform)
        parts = {"android": "android", "apns": "ios", "webpush": "web"}
        assert {parts[name] for name in parts if name in message} == {platform}

    def test_what_can_wait_waits_for_the_battery(self, moody, scripted):
        message = sent_message(moody, scripted, urgent=False)
        assert message["android"]["priority"] == "normal"
        assert message["apns"]["headers"]["apns-priority"] == "5"
        assert message["webpush"]["headers"]["Urgency"] == "normal"

    def test_a_deep_link_of_the_app_is_no_link_of_the_web(self, moody, scripted):
        message = sent_message(moody, scripted, link="wattle://orders/o1")
        assert message["data"]["link"] == "wattle://orders/o1"
        assert "fcm_options" not in message["webpush"]

    def test_collapse_ids_that_are_too_long_for_apple_stay_apart(self, moody, scripted):
        ids = set()
        for end in "ab":
            message = sent_message(moody, scripted, collapse_id="n" * 70 + end)
            assert message["android"]["notification"]["tag"] == "n" * 70 + end
            ids.add(message["apns"]["headers"]["apns-collapse-id"])
        assert len(ids) == 2
        assert {len(id_) for id_ in ids} == {64}

    def test_fcm_keeps_four_collapse_keys_a_phone_so_none_is_used(self, moody, scripted):
        assert "collapse_key" not in sent_message(moody, scripted)["android"]

    def test_topics_and_conditions(self, moody, scripted):
        assert sent_message(moody, scripted, to=Topic("news"))["topic"] == "news"
        condition = "'a' in topics && 'b' in topics"
        assert sent_message(moody, scripted, to=Condition(condition))["condition"] == condition

    def test_what_the_sdk_refuses_is_refused(self, moody, scripted):
        (result,) = moody.send([push(data={"k": 3})], soon())
        assert (result.code, result.on_target) == (FcmCode.INVALID_ARGUMENT, False)
        assert scripted.requests == []

    def test_a_dry_run_leaves_nothing(self, fcm, sink):
        import httpx

        (result,) = fcm.send([push("dry", dry_run=True)], soon())
        assert isinstance(result, Sent)
        shown = httpx.get(f"http://{sink}/v1/projects/{PROJECT}/devices/dry").json()
        assert shown["received"] == 0


class TestSize:
    """FCM counts keys and values; the sink refuses what FCM refuses."""

    @pytest.mark.parametrize("to", [Target("big", legacy=False), Topic("news")])
    @pytest.mark.parametrize("data", [{"k": "x"}, {"k": "é"}])
    def test_whatever_passes_the_check_is_taken(self, fcm, to, data):
        low, high = 1, 5000
        while high - low > 1:
            middle = (low + high) // 2
            try:
                check_size(push(to=to, data={"k": data["k"] * middle}))
                low = middle
            except TooLarge:
                high = middle
        most = 4096 if isinstance(to, Target) else 2048
        assert low * len(data["k"].encode()) > most - 400, "what the message says besides takes little"
        (largest,) = fcm.send([push(to=to, data={"k": data["k"] * low})], soon())
        assert isinstance(largest, Sent)

    def test_the_refusal_says_how_much_is_possible(self):
        with pytest.raises(TooLarge) as refused:
            check_size(push(data={"k": "x" * 5000}))
        assert refused.value.most == 4096
        assert refused.value.size > 5000


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
            # A wrong URL, perhaps: nothing that says that a device is gone.
            (error(404, "NOT_FOUND"), "UNKNOWN", None),
            (error(500, "UNKNOWN", code="UNSPECIFIED_ERROR"), "INTERNAL", None),
            (Answer(429, b""), "QUOTA_EXCEEDED", None),
            (Answer(502, b"<html>"), "INTERNAL", None),
            (error(403, "PERMISSION_DENIED", code="SENDER_ID_MISMATCH"), "SENDER_ID_MISMATCH", None),
            (Answer(500, b"<html>", {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}), "INTERNAL", 0),
            (Answer(500, b"<html>", {"Retry-After": "Wed, 21 Oct 2999 07:28:00 GMT"}), "INTERNAL", 86_400),
            (Answer(500, b"<html>", {"Retry-After": "Wed, 21 Oct 99999 07:28:00 GMT"}), "INTERNAL", None),
            (Answer(429, b"", {"Retry-After": "1" + "0" * 12}), "QUOTA_EXCEEDED", 86_400),
            (Answer(429, b"", {"Retry-After": "9" * 5000}), "QUOTA_EXCEEDED", 86_400),
            (Answer(429, b"", {"Retry-After": "-1"}), "QUOTA_EXCEEDED", None),
            (Answer(429, b"", {"Retry-After": "\xb2"}), "QUOTA_EXCEEDED", None),
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
        (result,) = moody.send([push()], soon())
        assert isinstance(result, Refused)
        assert (result.code.value, result.retry_after) == (code, retry_after)

    def test_retry_after_may_name_a_moment(self, moody, scripted):
        scripted.answer = Answer(503, b"", {"Retry-After": formatdate(time.time() + 90, usegmt=True)})
        (result,) = moody.send([push()], soon())
        assert 80 <= result.retry_after <= 90

    def test_nobody_there(self):
        (result,) = Fcm(PROJECT, "127.0.0.1:1").send([push()], soon())
        assert result.code is FcmCode.UNAVAILABLE
        assert "127.0.0.1" not in result.message

    @pytest.mark.parametrize(
        ("target", "on_target", "blame"), [("malformed", True, True), ("unblamed", True, False), ("fine", False, True)]
    )
    def test_an_invalid_argument_is_the_targets_fault_or_the_messages(self, fcm, sink, target, on_target, blame):
        import httpx

        url = f"http://{sink}/v1/projects/{PROJECT}"
        if on_target:
            httpx.put(f"{url}/targets/{target}", json={"error": "INVALID_ARGUMENT", "blame": blame})
        else:
            httpx.put(f"{url}/faults", json={"faults": [{"error": "INVALID_ARGUMENT"}]})
        (result,) = fcm.send([push(target)], soon())
        assert (result.code, result.on_target) == (FcmCode.INVALID_ARGUMENT, on_target)

    @pytest.mark.parametrize(
        ("message", "fields", "on_target"),
        [
            # The two examples of FCM's page "FCM error codes".
            ("The registration token is not a valid FCM registration token", [], True),
            ("Invalid value at 'message.data[0].value' (TYPE_STRING), 12", ["message.data[0].value"], False),
            ("Request contains an invalid argument.", ["message.token"], True),
            ("Request contains an invalid argument.", ["message.fid"], True),
            ("Request contains an invalid argument.", [], False),
            ("Message is too large.", [], False),
            # Whatever it says besides: the field that it blames counts.
            ("The registration token is fine.", ["message.android.ttl"], False),
        ],
    )
    def test_whom_an_invalid_argument_blames(self, moody, scripted, message, fields, on_target):
        details = [{"errorCode": "INVALID_ARGUMENT"}, {"fieldViolations": [{"field": field} for field in fields]}]
        body = {"error": {"status": "INVALID_ARGUMENT", "message": message, "details": details}}
        scripted.answer = Answer(400, body)
        (result,) = moody.send([push()], soon())
        assert (result.code, result.on_target) == (FcmCode.INVALID_ARGUMENT, on_target)

    @pytest.mark.parametrize(
        ("error", "code"),
        [
            (RefreshError("no access token"), FcmCode.UNKNOWN),
            (TransportError("the metadata server is away"), FcmCode.UNAVAILABLE),
            (requests.ReadTimeout("late"), FcmCode.UNAVAILABLE),
        ],
    )
    def test_without_an_access_token_nothing_is_sent_and_nothing_raised(self, moody, monkeypatch, error, code):
        def fail(*_, **__):
            raise error

        monkeypatch.setattr(moody._http, "request", fail)
        (result,) = moody.send([push()], soon())
        assert (result.code, result.message) == (code, type(error).__name__)
        assert moody.set_subscribed(Target("t", legacy=False), "news", subscribed=True).code is code

    def test_what_is_not_begun_by_the_deadline_is_not_sent(self, moody, scripted):
        first, second = moody.send([push(), push()], Deadline.after(0))
        assert first == second == Refused(FcmCode.UNAVAILABLE, "no time was left", retry_after=0)
        assert scripted.requests == []


class TestSubscriptions:
    def topics(self, sink, target):
        import httpx

        found = httpx.get(f"http://{sink}/v1/projects/{PROJECT}/topics").json()["topics"]
        return [entry["topic"] for entry in found if target in entry["targets"]]

    def test_each_call_may_be_repeated(self, fcm, sink):
        target = Target("subscriber", legacy=False)
        for subscribed, expected in ((True, ["news"]), (False, [])):
            for _ in range(2):
                assert fcm.set_subscribed(target, "news", subscribed=subscribed) is None
                assert self.topics(sink, "subscriber") == expected

    def test_a_token_is_sent_whole(self, fcm, sink):
        target = Target("fid:APA91b_x-y", legacy=True)
        assert fcm.set_subscribed(target, "news", subscribed=True) is None
        assert self.topics(sink, "fid:APA91b_x-y") == ["news"]

    @pytest.mark.parametrize(
        ("answer", "code"),
        [
            (Answer(404, b""), FcmCode.UNREGISTERED),
            (error(503, "UNAVAILABLE"), FcmCode.UNAVAILABLE),
            (Answer(hang_up=True), FcmCode.UNAVAILABLE),
        ],
    )
    def test_a_refusal_is_told(self, moody, scripted, answer, code):
        scripted.answer = answer
        assert moody.set_subscribed(Target("t", legacy=False), "news", subscribed=True).code is code
