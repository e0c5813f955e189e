"""Broadcasts over HTTP, from the order to the screen: through the trigger, the task queue and the FCM sink."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest
from tests.backend import eventually

from wattle.adapters.firestore import Update
from wattle.kit.retry import Deadline

PATH = "/v1/admin/push"
TEXTS = {"en": {"title": "Cake", "body": "Today only."}, "de": {"title": "Kuchen", "body": "Nur heute."}}


def code(response):
    body = response.json()
    assert body["success"] is False, body
    return response.status_code, body["code"]


def body(**changes):
    return {"audience": {"topic": "service-status"}, "kind": "account", "texts": TEXTS} | changes


def to(*users, **changes):
    return body(audience={"users": [user.uid for user in users]}, **changes)


def phone(user, name="phone", **changes):
    device = {"fid": f"{name}-{user.uid}", "platform": "android", "appVersion": "1.0.0", "locale": "en-AU"} | changes
    assert user.put(f"/v1/users/me/devices/{name}", device).status_code == 200
    return device["fid"]


def screen(backend, target, platform="android"):
    url = f"http://127.0.0.1:{backend.suite.ports.fcm}/v1/projects/{backend.project_id}/devices/{target}"
    return httpx.get(url, params={"platform": platform}).json()["notifications"]


def ordered(admin, wanted, **options):
    response = admin.post(PATH, wanted, **options)
    assert response.status_code == 202, response.text
    return response.json()["data"]


def statistics(admin, broadcast):
    return admin.get(f"{PATH}/{broadcast['id']}").json()["data"]


def sent(admin, broadcast):
    """The statistics of a broadcast that has come to its end."""
    return eventually(
        lambda: (found := statistics(admin, broadcast))["broadcast"]["state"] not in ("sending", "scheduled") and found
    )


def audit(backend, admin, broadcast):
    entries = admin.get("/v1/admin/audit-log", params={"target": f"broadcasts/{broadcast['id']}"}).json()["data"]
    return [entry["action"] for entry in entries]


class TestWhoMay:
    @pytest.mark.parametrize(
        ("method", "path"),
        [
            ("POST", PATH),
            ("POST", f"{PATH}/preview"),
            ("POST", f"{PATH}/dry-run"),
            ("GET", f"{PATH}/some"),
            ("POST", f"{PATH}/some/cancel"),
        ],
    )
    def test_only_administrators(self, backend, user, method, path):
        assert code(backend.http.request(method, path, json=body())) == (401, "TOKEN_MISSING")
        assert code(user.request(method, path, json=body())) == (403, "ROLE_REQUIRED")


class TestToPeople:
    def test_each_gets_it_in_the_language_of_his_phone(self, backend, admin, user, stranger):
        english = phone(user)
        german = phone(stranger, locale="de-AT", platform="ios")
        broadcast = ordered(admin, to(user, stranger, user, data={"page": "cake"}, link="wattle://cake"))
        assert (broadcast["state"], broadcast["audience"]["users"], broadcast["chunks"]) == ("sending", 2, 1)
        found = sent(admin, broadcast)
        assert found["broadcast"]["state"] == "sent"
        assert found["broadcast"]["chunksDone"] == 1
        assert found["deliveries"] == {"sent": 2}
        (shown,) = screen(backend, english)
        assert (shown["title"], shown["tag"], shown["badge"]) == ("Cake", broadcast["id"], 1)
        assert shown["data"]["page"] == "cake"
        assert shown["data"]["link"] == "wattle://cake"
        (shown,) = screen(backend, german, "ios")
        assert (shown["title"], shown["tag"]) == ("Kuchen", broadcast["id"])
        (entry,) = user.get("/v1/notifications").json()["data"]
        assert (entry["id"], entry["title"], entry["link"]) == (broadcast["id"], "Cake", "wattle://cake")
        assert user.get("/v1/notifications/unread-count").json()["data"] == {"unread": 1}
        assert audit(backend, admin, broadcast) == ["push.create"]

    def test_the_inbox_gets_it_and_the_phone_of_one_who_does_not_want_it_does_not(self, backend, admin, user):
        target = phone(user)
        broadcast = ordered(admin, to(user, kind="promotions"))
        found = sent(admin, broadcast)
        assert (found["deliveries"], found["codes"]) == ({"withheld": 1}, {"KIND_OFF": 1})
        assert [entry["id"] for entry in user.get("/v1/notifications").json()["data"]] == [broadcast["id"]]
        assert screen(backend, target) == []

    def test_phones_that_are_gone_are_forgotten(self, backend, admin, user):
        gone, here = phone(user, "gone"), phone(user, "here")
        backend.script_target(gone, "UNREGISTERED")
        found = sent(admin, ordered(admin, to(user)))
        assert (found["deliveries"], found["codes"]) == ({"pruned": 1, "sent": 1}, {"UNREGISTERED": 1})
        assert [device["id"] for device in user.get("/v1/users/me/devices").json()["data"]] == ["here"]
        assert len(screen(backend, here)) == 1

    def test_ids_of_nobody_leave_nothing(self, backend, admin):
        found = sent(admin, ordered(admin, body(audience={"users": ["nobody"]})))
        assert found["deliveries"] == {}
        assert backend.document(f"users/nobody/notifications/{found['broadcast']['id']}") is None
        assert backend.document("users/nobody/counters/inbox") is None

    def test_several_chunks(self, backend, admin, user):
        target = phone(user)
        users = [f"somebody-{n}" for n in range(120)] + [user.uid]
        found = sent(admin, ordered(admin, body(audience={"users": users})))
        assert (found["broadcast"]["chunks"], found["broadcast"]["chunksDone"]) == (2, 2)
        assert len(screen(backend, target)) == 1


class TestToTopics:
    @pytest.fixture
    def subscriber(self, backend, user):
        target = phone(user)
        user.put("/v1/users/me/topics/service-status", None)
        url = f"http://127.0.0.1:{backend.suite.ports.fcm}/v1/projects/{backend.project_id}/topics"
        eventually(lambda: any(target in entry["targets"] for entry in httpx.get(url).json()["topics"]))
        return target

    def test_fcm_hands_it_out(self, backend, admin, user, subscriber):
        found = sent(admin, ordered(admin, body()))
        assert found["broadcast"]["state"] == "sent"
        assert found["deliveries"] == {"sent": 1}
        assert found["broadcast"]["audience"] == {"users": None, "topic": "service-status", "condition": None}
        shown = eventually(lambda: screen(backend, subscriber))
        assert found["broadcast"]["id"] in [notification["tag"] for notification in shown]
        assert user.get("/v1/notifications").json()["data"] == []

    def test_a_condition(self, backend, admin, subscriber):
        condition = "'service-status' in topics && !('staff' in topics)"
        broadcast = ordered(admin, body(audience={"condition": condition}))
        sent(admin, broadcast)
        assert broadcast["id"] in [notification["tag"] for notification in screen(backend, subscriber)]

    def test_a_preview_counts_the_subscribed(self, admin, user, subscriber):
        found = admin.post(f"{PATH}/preview", body()).json()["data"]
        assert found["recipients"] is None
        assert found["devices"] >= 1
        assert found["byPlatform"]["android"] >= 1
        assert found["byLocale"]["en-AU"] >= 1
        user.patch("/v1/users/me/notification-preferences", {"muted": True})
        muted = admin.post(f"{PATH}/preview", body()).json()["data"]
        assert muted["devices"] == found["devices"] - 1
        assert muted["withheld"]["MUTED"] == found["withheld"].get("MUTED", 0) + 1
        nobody = admin.post(
            f"{PATH}/preview", body(audience={"condition": "'service-status' in topics && 'staff' in topics"})
        ).json()["data"]
        assert nobody["devices"] == 0


class TestBeforeItIsSent:
    def test_a_preview_says_whom_it_would_reach(self, backend, admin, user, stranger):
        phone(user)
        phone(user, "tablet", platform="ios", locale="de-DE")
        phone(stranger)
        stranger.patch("/v1/users/me/notification-preferences", {"muted": True})
        found = admin.post(f"{PATH}/preview", to(user, stranger)).json()["data"]
        assert found == {
            "recipients": 2,
            "devices": 2,
            "byPlatform": {"android": 1, "ios": 1},
            "byLocale": {"en-AU": 1, "de-DE": 1},
            "deferred": 0,
            "withheld": {"MUTED": 1},
            "complete": True,
        }
        assert user.get("/v1/notifications").json()["data"] == []

    def test_a_dry_run_asks_fcm_and_sends_nothing(self, backend, admin, user):
        here, gone = phone(user), phone(user, "gone")
        backend.script_target(gone, "UNREGISTERED")
        found = admin.post(f"{PATH}/dry-run", to(user)).json()["data"]
        assert found == {"accepted": 1, "refused": {"UNREGISTERED": 1}}
        assert screen(backend, here) == []
        assert user.get("/v1/notifications").json()["data"] == []
        assert len(user.get("/v1/users/me/devices").json()["data"]) == 2
        assert admin.post(f"{PATH}/dry-run", body()).json()["data"] == {"accepted": 1, "refused": {}}

    def test_a_repeated_order_is_one_broadcast(self, backend, admin, user):
        target = phone(user)
        key = {"Idempotency-Key": f"k-{user.uid}"}
        first = ordered(admin, to(user), headers=key)
        assert ordered(admin, to(user), headers=key)["id"] == first["id"]
        sent(admin, first)
        assert len(screen(backend, target)) == 1


class TestScheduleAndCancel:
    def later(self):
        return (datetime.now(UTC) + timedelta(hours=1)).isoformat()

    def test_it_waits_for_its_time(self, backend, admin, user):
        target = phone(user)
        broadcast = ordered(admin, to(user, scheduledAt=self.later()))
        assert broadcast["state"] == "scheduled"
        backend.suite.control.run_function("sweepPushes")
        assert backend.suite.control.await_idle()
        assert statistics(admin, broadcast)["broadcast"]["state"] == "scheduled"
        assert screen(backend, target) == []
        due = {"scheduledAt": datetime.now(UTC) - timedelta(seconds=1)}
        backend.firestore.commit([Update(f"broadcasts/{broadcast['id']}", due)], Deadline.after(60))
        backend.suite.control.run_function("sweepPushes")
        assert sent(admin, broadcast)["deliveries"] == {"sent": 1}
        assert len(screen(backend, target)) == 1

    def test_a_cancelled_one_is_never_sent(self, backend, admin, user):
        target = phone(user)
        broadcast = ordered(admin, to(user, scheduledAt=self.later()))
        for _ in range(2):
            assert admin.post(f"{PATH}/{broadcast['id']}/cancel").json()["data"]["state"] == "cancelled"
        due = {"scheduledAt": datetime.now(UTC) - timedelta(seconds=1)}
        backend.firestore.commit([Update(f"broadcasts/{broadcast['id']}", due)], Deadline.after(60))
        backend.suite.control.run_function("sweepPushes")
        assert backend.suite.control.await_idle()
        assert statistics(admin, broadcast)["broadcast"]["state"] == "cancelled"
        assert screen(backend, target) == []
        assert user.get("/v1/notifications").json()["data"] == []
        assert audit(backend, admin, broadcast) == ["push.cancel", "push.create"]

    def test_what_fcm_did_not_take_before_it_was_cancelled_is_withheld(self, backend, admin, user):
        target = phone(user)
        script = {"error": "QUOTA_EXCEEDED", "retryAfter": 3600}
        url = f"http://127.0.0.1:{backend.suite.ports.fcm}/v1/projects/{backend.project_id}/targets/{target}"
        assert httpx.put(url, json=script).status_code == 200
        broadcast = ordered(admin, to(user))
        eventually(lambda: statistics(admin, broadcast)["deliveries"] == {"queued": 1})
        assert admin.post(f"{PATH}/{broadcast['id']}/cancel").status_code == 200
        eventually(lambda: statistics(admin, broadcast)["deliveries"] == {"withheld": 1})
        assert statistics(admin, broadcast)["codes"] == {"CANCELLED": 1}
        assert screen(backend, target) == []

    def test_what_is_sent_cannot_be_cancelled(self, admin, user):
        broadcast = ordered(admin, to(user))
        sent(admin, broadcast)
        assert code(admin.post(f"{PATH}/{broadcast['id']}/cancel")) == (409, "BROADCAST_ENDED")

    def test_there_may_be_none(self, admin):
        assert code(admin.get(f"{PATH}/nosuch")) == (404, "BROADCAST_NOT_FOUND")
        assert code(admin.post(f"{PATH}/nosuch/cancel")) == (404, "BROADCAST_NOT_FOUND")


class TestWhatIsRefused:
    """Named, before anything is sent or kept."""

    @pytest.mark.parametrize(
        ("changes", "expected"),
        [
            ({"audience": {"topic": "nosuch"}}, (422, "UNKNOWN_TOPIC")),
            ({"audience": {"topic": "offers"}}, (422, "TOPIC_OF_ANOTHER_KIND")),
            ({"audience": {"condition": "'nosuch' in topics"}}, (422, "UNKNOWN_TOPIC")),
            ({"audience": {"condition": "'service-status' in topics &&"}}, (422, "INVALID_CONDITION")),
            ({"audience": {"condition": "!('service-status' in topics)"}}, (422, "INVALID_CONDITION")),
            ({"audience": {"condition": "'service-status'\u0085in topics"}}, (422, "INVALID_CONDITION")),
            ({"audience": {"condition": "'service-status' in topics\u001c"}}, (422, "INVALID_CONDITION")),
            ({"data": {"k": "x" * 2048}}, (422, "PAYLOAD_TOO_LARGE")),
            ({"audience": {"users": ["u"]}, "data": {"k": "x" * 4096}}, (422, "PAYLOAD_TOO_LARGE")),
            ({"texts": TEXTS | {"zh": {"title": "蛋糕", "body": "今" * 700}}}, (422, "PAYLOAD_TOO_LARGE")),
        ],
    )
    def test_by_a_code_of_its_own(self, backend, admin, changes, expected):
        for path in (PATH, f"{PATH}/preview", f"{PATH}/dry-run"):
            assert code(admin.post(path, body(**changes))) == expected

    @pytest.mark.parametrize(
        ("changes", "field", "reason"),
        [
            ({"texts": {"en": {"title": "bell\a", "body": "b"}}}, "texts.en.title", "CONTROL_CHARACTERS"),
            ({"texts": {"en": {"title": "t", "body": "abc\u202edef"}}}, "texts.en.body", "CONTROL_CHARACTERS"),
            ({"texts": {"en": {"title": "\u009ft", "body": "b"}}}, "texts.en.title", "CONTROL_CHARACTERS"),
            ({"texts": {"en": {"title": "t", "body": "b\u0085"}}}, "texts.en.body", "CONTROL_CHARACTERS"),
            ({"texts": {"en": {"title": "\tt", "body": "b"}}}, "texts.en.title", "CONTROL_CHARACTERS"),
            ({"texts": {"en": {"title": 3, "body": "b"}}}, "texts.en.title", "STRING_TYPE"),
            ({"texts": {"en": {"title": "t", "body": "b"}}, "data": {"k": "\0"}}, "data.k", "CONTROL_CHARACTERS"),
            ({"data": {"from": "x"}}, "data", "RESERVED_KEY"),
            ({"data": {"message_type": "x"}}, "data", "RESERVED_KEY"),
            ({"data": {"From": "x"}}, "data", "RESERVED_KEY"),
            ({"data": {"collapse_key": "x"}}, "data", "RESERVED_KEY"),
            ({"data": {"aps": "x"}}, "data", "RESERVED_KEY"),
            ({"data": {"fcm_options": "x"}}, "data", "RESERVED_KEY"),
            ({"data": {"google.c.a.e": "x"}}, "data", "RESERVED_KEY"),
            ({"data": {"gcm.n.e": "x"}}, "data", "RESERVED_KEY"),
            ({"data": {"notificationId": "x"}}, "data", "RESERVED_KEY"),
            ({"data": {"k": 3}}, "data.k", "STRING_TYPE"),
            ({"texts": {"de": TEXTS["de"]}}, "texts", "LANGUAGE_MISSING"),
            ({"audience": {}}, "audience", "VALUE_ERROR"),
            ({"audience": {"users": []}}, "audience.users", "TOO_SHORT"),
            ({"audience": {"users": ["a/b"]}}, "audience.users[0]", "STRING_PATTERN_MISMATCH"),
            ({"audience": {"users": ["u"] * 10_001}}, "audience.users", "TOO_LONG"),
            ({"audience": {"users": ["u"], "topic": "offers"}}, "audience", "VALUE_ERROR"),
            ({"kind": "surveys"}, "kind", "ENUM"),
            ({"image": "http://example.com/i.png"}, "image", "STRING_PATTERN_MISMATCH"),
            ({"image": "https://example.com/\u0007.png"}, "image", "CONTROL_CHARACTERS"),
            ({"link": "javascript:alert(1)"}, "link", "STRING_PATTERN_MISMATCH"),
            ({"link": "javascript://%0aalert(1)"}, "link", "SCHEME"),
            ({"link": "http://example.com"}, "link", "SCHEME"),
            ({"link": "intent://scan#Intent;scheme=zxing;end"}, "link", "SCHEME"),
            ({"link": "wattle://cake\u0000"}, "link", "CONTROL_CHARACTERS"),
            ({"scheduledAt": "2027-01-01T00:00:00"}, "scheduledAt", "RFC3339"),
            ({"scheduledAt": 1798761600}, "scheduledAt", "RFC3339"),
            ({"scheduledAt": "9999-12-31T23:59:59-12:00"}, "scheduledAt", "YEAR_OUT_OF_RANGE"),
            ({"scheduledAt": "2899-01-01T00:00:00Z"}, "scheduledAt", "TOO_FAR_AHEAD"),
        ],
    )
    def test_by_the_field(self, admin, changes, field, reason):
        response = admin.post(PATH, body(**changes))
        assert code(response) == (400, "VALIDATION_FAILED")
        assert (field, reason) in {(error["field"], error["code"]) for error in response.json()["errors"]}

    def test_half_a_character(self, admin):
        text = b'{"audience":{"topic":"service-status"},"kind":"account","texts":{"en":{"title":"\\ud83d","body":"b"}}}'
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {admin.token}"}
        assert code(admin.http.post(PATH, content=text, headers=headers)) == (400, "INVALID_JSON")

    def test_a_line_break_is_no_control_character(self, admin):
        text = {"en": {"title": "t", "body": "one\ntwo\n"}}
        assert admin.post(f"{PATH}/preview", body(texts=text)).status_code == 200
