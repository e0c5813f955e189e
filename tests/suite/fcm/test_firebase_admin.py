"""The real firebase_admin, its own encoder and its own errors, over HTTP."""

import asyncio
import datetime as dt

import firebase_admin
import pytest
from firebase_admin import exceptions, messaging

from firesuite.fcm.admin import connect


def test_a_full_message(sink, app):
    message = messaging.Message(
        fid="device",
        data={"orderId": "o-1"},
        notification=messaging.Notification("Order", "Shipped", "https://example.com/a.png"),
        android=messaging.AndroidConfig(
            collapse_key="orders",
            priority="high",
            ttl=dt.timedelta(seconds=3.5),
            notification=messaging.AndroidNotification(
                tag="n-1",
                channel_id="orders",
                color="#a0b1c2",
                event_timestamp=dt.datetime.now(dt.UTC),
                priority="high",
                visibility="private",
                proxy="deny",
                vibrate_timings_millis=[100, 200],
                notification_count=3,
                light_settings=messaging.LightSettings("#A0B1C2D3", 100, 200),
            ),
            fcm_options=messaging.AndroidFCMOptions("label"),
        ),
        webpush=messaging.WebpushConfig(
            headers={"TTL": "60"},
            notification=messaging.WebpushNotification(
                title="w", tag="n-1", actions=[messaging.WebpushNotificationAction("a", "b")]
            ),
            fcm_options=messaging.WebpushFCMOptions("https://example.com"),
        ),
        apns=messaging.APNSConfig(
            headers={"apns-priority": "10", "apns-collapse-id": "n-1"},
            payload=messaging.APNSPayload(
                messaging.Aps(
                    alert=messaging.ApsAlert(title="t", body="b"),
                    badge=3,
                    sound=messaging.CriticalSound("default", critical=True, volume=0.5),
                    mutable_content=True,
                ),
                own="x",
            ),
            fcm_options=messaging.APNSFCMOptions("label", "https://example.com/a.png"),
        ),
        fcm_options=messaging.FCMOptions("label"),
    )
    name = messaging.send(message, app=app)
    (listed,) = sink.messages()
    assert listed["name"] == name
    assert listed["message"]["android"]["ttl"] == "3.500000000s"
    assert listed["message"]["apns"]["payload"]["aps"]["badge"] == 3


def test_a_dry_run(sink, app):
    assert messaging.send(messaging.Message(fid="a"), dry_run=True, app=app).endswith("/fake_message_id")
    with pytest.raises(exceptions.InvalidArgumentError, match="Invalid data payload key: from"):
        messaging.send(messaging.Message(fid="a", data={"from": "x"}), dry_run=True, app=app)
    assert sink.messages() == []


def test_send_each_says_who_failed(sink, impatient_app):
    sink.script("b", error="UNREGISTERED")
    messages = [messaging.Message(fid=fid, data={"n": "1"}) for fid in ("a", "b", "c")]
    batch = messaging.send_each(messages, app=impatient_app)
    assert (batch.success_count, batch.failure_count) == (2, 1)
    assert [response.success for response in batch.responses] == [True, False, True]
    assert isinstance(batch.responses[1].exception, messaging.UnregisteredError)
    assert sorted(item["message"]["fid"] for item in sink.messages()) == ["a", "c"]


def test_send_each_of_a_hundred(sink, app):
    batch = messaging.send_each([messaging.Message(fid=f"d{n}") for n in range(100)], app=app)
    assert batch.success_count == 100
    assert {response.message_id for response in batch.responses} == {item["name"] for item in sink.messages()}


def test_send_each_async(sink, app):
    async def send():
        service = app._services["_messaging"]
        batch = await messaging.send_each_async([messaging.Message(fid="a"), messaging.Message(fid="b")], app=app)
        await service._async_client.aclose()
        return batch

    assert asyncio.run(send()).success_count == 2
    assert len(sink.messages()) == 2


@pytest.mark.parametrize(
    ("code", "exception"),
    [
        ("UNREGISTERED", messaging.UnregisteredError),
        ("SENDER_ID_MISMATCH", messaging.SenderIdMismatchError),
        ("QUOTA_EXCEEDED", messaging.QuotaExceededError),
        ("THIRD_PARTY_AUTH_ERROR", messaging.ThirdPartyAuthError),
        ("UNAVAILABLE", exceptions.UnavailableError),
        ("INTERNAL", exceptions.InternalError),
        ("INVALID_ARGUMENT", exceptions.InvalidArgumentError),
    ],
)
def test_a_code_becomes_its_exception(sink, impatient_app, code, exception):
    # 401 makes the credential refresh itself and try again, as it does at Google.
    sink.script("a", error=code)
    with pytest.raises(exception) as raised:
        messaging.send(messaging.Message(fid="a"), app=impatient_app)
    assert type(raised.value) is exception


def test_retry_after_reaches_the_caller(sink, impatient_app):
    sink.script("a", error="QUOTA_EXCEEDED", retryAfter=30)
    with pytest.raises(messaging.QuotaExceededError) as raised:
        messaging.send(messaging.Message(fid="a"), app=impatient_app)
    assert raised.value.http_response.headers["Retry-After"] == "30"


def test_firebase_admin_retries_by_itself_and_so_sends_twice(sink, app):
    """What a sender has to expect of the SDK: an error after the effect is retried, and the message is there twice."""
    sink.faults({"error": "UNAVAILABLE", "retryAfter": 0, "acceptThenError": True})
    messaging.send(messaging.Message(fid="a"), app=app)
    assert len(sink.messages()) == 2


def test_topics_by_the_v1_api(sink, app):
    sink.script("gone", error="UNREGISTERED")
    response = messaging.subscribe_to_topic(["a", "b:c", "gone"], "/topics/news", app=app)
    assert (response.success_count, response.failure_count) == (2, 1)
    assert (response.errors[0].index, response.errors[0].reason) == (2, "UNREGISTERED")
    assert messaging.subscribe_to_topic("a", "news", app=app).success_count == 1, "again is no error"
    messaging.send(messaging.Message(topic="news"), app=app)
    assert messaging.unsubscribe_from_topic(["a", "never"], "news", app=app).success_count == 2
    messaging.send(messaging.Message(topic="news"), app=app)
    assert [sorted(item["deliveredTo"]) for item in sink.messages()] == [["a", "b:c"], ["b:c"]]


def test_topics_by_the_deprecated_instance_id_api(sink, app):
    with pytest.warns(DeprecationWarning, match="subscribe_to_topic_legacy"):
        response = messaging.subscribe_to_topic_legacy(["a", "b"], "news", app=app)
    assert response.success_count == 2
    with pytest.warns(DeprecationWarning, match="unsubscribe_from_topic_legacy"):
        messaging.unsubscribe_from_topic_legacy(["a"], "news", app=app)
    assert sink.get("topics") == {"topics": [{"topic": "news", "targets": ["b"]}]}


def test_connect_takes_the_host_from_the_environment(sink, monkeypatch):
    app = firebase_admin.initialize_app(name="from-environment", options={"projectId": sink.project_id})
    try:
        monkeypatch.delenv("FCM_EMULATOR_HOST", raising=False)
        with pytest.raises(ValueError, match="Say where the FCM sink is"):
            connect(app)
        monkeypatch.setenv("FCM_EMULATOR_HOST", sink.host)
        connect(app)
        messaging.send(messaging.Message(fid="a"), app=app)
        app._services["_messaging"]._client.close()
    finally:
        firebase_admin.delete_app(app)
    assert len(sink.messages()) == 1
