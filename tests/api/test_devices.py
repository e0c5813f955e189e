"""Devices and topics over HTTP, and what FCM knows of them."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from tests.backend import eventually

from wattle.adapters.firestore import Query, Update
from wattle.devices.service import SEEN_FOR
from wattle.kit.retry import Deadline

DEVICES = "/v1/users/me/devices"
TOPICS = "/v1/users/me/topics"
PREFERENCES = "/v1/users/me/notification-preferences"


def code(response):
    body = response.json()
    assert body["success"] is False
    return response.status_code, body["code"]


def register(user, device_id, target=None, **changes):
    body = {"fid": target or f"{device_id}-{user.uid}", "platform": "ios", "appVersion": "1.0.0", "locale": "en-AU"}
    return user.put(f"{DEVICES}/{device_id}", {k: v for k, v in (body | changes).items() if v is not None})


def devices(user):
    response = user.get(DEVICES)
    assert response.status_code == 200, response.text
    return {device["id"]: device["fid"] or device["token"] for device in response.json()["data"]}


def owners(backend, target):
    """Everybody who has a device with this target."""
    found = backend.firestore.query(Query("devices", where=[("userId", ">", "")], everywhere=True), Deadline.after(60))
    return [(d.data["userId"], d.id) for d in found if target in d.data["target"].values()]


def subscribed(backend, target):
    """The topics that a target is subscribed to at FCM."""
    url = f"http://127.0.0.1:{backend.suite.ports.fcm}/v1/projects/{backend.project_id}/topics"
    return {entry["topic"] for entry in httpx.get(url).json()["topics"] if target in entry["targets"]}


class TestRegistration:
    def test_nobody_registers_without_signing_in(self, backend):
        assert code(backend.http.put(f"{DEVICES}/d", json={})) == (401, "TOKEN_MISSING")
        assert code(backend.http.get(DEVICES)) == (401, "TOKEN_MISSING")
        assert code(backend.http.delete(f"{DEVICES}/d")) == (401, "TOKEN_MISSING")

    def test_a_device_is_its_owners(self, user, stranger):
        device = register(user, "phone").json()["data"]
        assert (device["id"], device["topics"], device["token"]) == ("phone", [], None)
        assert "installation" not in device
        assert devices(user) == {"phone": f"phone-{user.uid}"}
        assert devices(stranger) == {}
        assert stranger.delete(f"{DEVICES}/phone").status_code == 200
        assert devices(user) == {"phone": f"phone-{user.uid}"}

    def test_renewing_keeps_when_it_was_made(self, user):
        first = register(user, "phone").json()["data"]
        again = register(user, "phone", appVersion="1.1.0").json()["data"]
        assert again["createdAt"] == first["createdAt"]
        assert again["lastSeenAt"] > first["lastSeenAt"]
        assert again["appVersion"] == "1.1.0"

    def test_renewing_costs_two_reads_and_the_check_of_the_session(self, user):
        register(user, "phone")
        assert register(user, "phone", appVersion="1.1.0").headers["X-Firestore-Reads"] == "3"

    def test_with_nothing_new_it_is_written_once_a_day(self, backend, user):
        first = register(user, "phone").json()["data"]
        again = register(user, "phone")
        assert again.headers["X-Firestore-Writes"] == "0"
        assert again.json()["data"] == first
        path = f"users/{user.uid}/devices/phone"
        a_day_ago = backend.document(path)["lastSeenAt"] - SEEN_FOR
        backend.firestore.commit([Update(path, {"lastSeenAt": a_day_ago})], Deadline.after(60))
        assert register(user, "phone").json()["data"]["lastSeenAt"] >= first["lastSeenAt"]

    def test_a_device_moves_to_whoever_registers_it(self, backend, user, stranger):
        target = f"shared-{user.uid}"
        register(user, "phone", target)
        register(stranger, "tablet", target)
        assert devices(user) == {}
        assert owners(backend, target) == [(stranger.uid, "tablet")]
        register(user, "phone", target)
        assert owners(backend, target) == [(user.uid, "phone")]

    def test_a_reinstalled_app_replaces_its_former_target(self, backend, user, stranger):
        register(user, "phone", f"old-{user.uid}")
        register(user, "phone", f"new-{user.uid}")
        assert devices(user) == {"phone": f"new-{user.uid}"}
        # Nobody holds the old one: who gets it next does not take the phone from its owner.
        register(stranger, "other", f"old-{user.uid}")
        assert devices(user) == {"phone": f"new-{user.uid}"}

    def test_an_app_that_lost_its_device_id_has_one_device(self, backend, user):
        register(user, "first", f"same-{user.uid}")
        register(user, "second", f"same-{user.uid}")
        assert devices(user) == {"second": f"same-{user.uid}"}

    def test_a_fid_replaces_the_token_of_its_installation(self, backend, user):
        fid = f"f{user.uid}"
        register(user, "old-app", fid=None, token=f"{fid}:APA91b-legacy_token")
        register(user, "new-app", fid)
        assert devices(user) == {"new-app": fid}
        register(user, "old-app", fid=None, token=f"{fid}:APA91b-other_token")
        assert devices(user) == {"old-app": f"{fid}:APA91b-other_token"}

    def test_registrations_at_once_leave_one_live_target(self, backend, user, stranger):
        target = f"contested-{user.uid}"
        with ThreadPoolExecutor(12) as pool:
            answers = list(pool.map(lambda n: register((user, stranger)[n % 2], f"d{n % 4}", target), range(12)))
        assert {answer.status_code for answer in answers} <= {200, 503}
        assert len(owners(backend, target)) == 1

    def test_the_one_longest_unseen_makes_room_for_the_twenty_first(self, user):
        for n in range(21):
            assert register(user, f"d{n}").status_code == 200
        left = devices(user)
        assert len(left) == 20
        assert "d0" not in left
        register(user, "d1", appVersion="1.1.0")
        register(user, "d21")
        assert "d1" in devices(user)
        assert "d2" not in devices(user)

    def test_the_limit_holds_for_registrations_at_once(self, user):
        for n in range(18):
            register(user, f"d{n}")
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda n: register(user, f"new{n}"), range(8)))
        assert len(devices(user)) == 20

    def test_a_dropped_device_can_be_registered_by_somebody_else(self, backend, user, stranger):
        register(user, "phone", f"left-{user.uid}")
        assert user.delete(f"{DEVICES}/phone").json()["data"] is None
        assert user.delete(f"{DEVICES}/phone").status_code == 200
        assert devices(user) == {}
        register(stranger, "phone", f"left-{user.uid}")
        assert owners(backend, f"left-{user.uid}") == [(stranger.uid, "phone")]

    @pytest.mark.parametrize(
        ("changes", "field"),
        [
            ({"token": "a:b"}, "body"),
            ({"fid": None}, "body"),
            ({"fid": "not/base64"}, "fid"),
            ({"fid": ""}, "fid"),
            ({"fid": None, "token": ":a"}, "token"),
            ({"platform": "windows"}, "platform"),
            ({"appVersion": "latest"}, "appVersion"),
            ({"locale": "english"}, "locale"),
            ({"topics": []}, "topics"),
        ],
    )
    def test_what_is_wrong_is_named(self, user, changes, field):
        response = register(user, "phone", **changes)
        assert code(response) == (400, "VALIDATION_FAILED")
        assert [error["field"] for error in response.json()["errors"]] == [field]
        assert devices(user) == {}

    @pytest.mark.parametrize(
        ("locale", "kept"),
        [
            ("en-AU-u-fw-mon-mu-celsius", "en-AU"),
            ("zh-Hant-TW-x-private", "zh-Hant-TW"),
            ("en_AU", "en-AU"),
            ("th_TH@calendar=buddhist", "th-TH"),
        ],
    )
    def test_what_phones_add_to_their_locale_is_left_out(self, user, locale, kept):
        assert register(user, "phone", locale=locale).json()["data"]["locale"] == kept
        assert user.patch("/v1/users/me", {"locale": locale}).json()["data"]["locale"] == kept


class TestPruning:
    def test_devices_unseen_for_270_days_are_pruned_by_the_schedule(self, backend, user):
        for name, days in (("stale", 271), ("quiet", 269)):
            register(user, name)
            seen = datetime.now(UTC) - timedelta(days=days)
            path = f"users/{user.uid}/devices/{name}"
            backend.firestore.commit([Update(path, {"lastSeenAt": seen})], Deadline.after(60))
        key = backend.document(f"users/{user.uid}/devices/stale")["installation"]
        backend.suite.control.run_function("pruneDaily")
        eventually(lambda: "stale" not in devices(user))
        assert "quiet" in devices(user)
        assert backend.document(f"installations/{key}") is None


class TestTopics:
    def test_nobody_subscribes_without_signing_in(self, backend):
        for method in ("GET", "PUT", "DELETE"):
            path = TOPICS if method == "GET" else f"{TOPICS}/service-status"
            assert code(backend.http.request(method, path)) == (401, "TOKEN_MISSING")

    def test_all_devices_are_subscribed_and_unsubscribed(self, backend, user, stranger):
        for name in ("one", "two"):
            register(user, name)
        assert user.put(f"{TOPICS}/service-status", None).json()["data"] == {
            "topic": "service-status",
            "kind": "account",
        }
        assert user.put(f"{TOPICS}/service-status", None).status_code == 200
        assert user.get(TOPICS).json()["data"] == [{"topic": "service-status", "kind": "account"}]
        assert stranger.get(TOPICS).json()["data"] == []
        for name in ("one", "two"):
            eventually(lambda name=name: subscribed(backend, f"{name}-{user.uid}") == {"service-status"})
        user.delete(f"{TOPICS}/service-status")
        assert user.delete(f"{TOPICS}/service-status").status_code == 200
        assert user.get(TOPICS).json()["data"] == []
        for name in ("one", "two"):
            eventually(lambda name=name: subscribed(backend, f"{name}-{user.uid}") == set())

    def test_a_new_device_joins_and_a_new_target_is_subscribed_anew(self, backend, user):
        register(user, "one")
        user.put(f"{TOPICS}/service-status", None)
        assert register(user, "two").json()["data"]["topics"] == ["service-status"]
        eventually(lambda: subscribed(backend, f"two-{user.uid}") == {"service-status"})
        register(user, "two", f"again-{user.uid}")
        eventually(lambda: subscribed(backend, f"again-{user.uid}") == {"service-status"})
        eventually(lambda: subscribed(backend, f"two-{user.uid}") == set())

    def test_a_device_that_moves_takes_no_topics_along(self, backend, user, stranger):
        target = f"moving-{user.uid}"
        register(user, "phone", target)
        user.put(f"{TOPICS}/service-status", None)
        eventually(lambda: subscribed(backend, target) == {"service-status"})
        register(stranger, "phone", target)
        eventually(lambda: subscribed(backend, target) == set())

    def test_a_removed_device_is_unsubscribed(self, backend, user):
        register(user, "phone")
        user.put(f"{TOPICS}/service-status", None)
        eventually(lambda: subscribed(backend, f"phone-{user.uid}") == {"service-status"})
        user.delete(f"{DEVICES}/phone")
        eventually(lambda: subscribed(backend, f"phone-{user.uid}") == set())

    def test_only_topics_of_the_list_exist(self, user):
        register(user, "phone")
        for topic in ("nosuch", "news2", "product-", "offers-all"):
            assert code(user.put(f"{TOPICS}/{topic}", None)) == (404, "TOPIC_NOT_FOUND")
            assert code(user.delete(f"{TOPICS}/{topic}")) == (404, "TOPIC_NOT_FOUND")
        assert user.get(TOPICS).json()["data"] == []

    def test_some_topics_need_a_role(self, backend, user):
        register(user, "phone")
        assert code(user.put(f"{TOPICS}/staff", None)) == (403, "ROLE_REQUIRED")
        boss = backend.user(role="admin")
        register(boss, "phone")
        assert boss.put(f"{TOPICS}/staff", None).status_code == 200

    def test_who_loses_the_role_leaves_its_topics_and_cannot_come_back(self, backend, admin):
        boss = backend.user(role="admin")
        register(boss, "phone")
        boss.put(f"{TOPICS}/staff", None)
        boss.put(f"{TOPICS}/service-status", None)
        target = f"phone-{boss.uid}"
        eventually(lambda: subscribed(backend, target) == {"staff", "service-status"})
        assert admin.put(f"/v1/admin/users/{boss.uid}/role", {"role": None}).status_code == 200
        eventually(lambda: subscribed(backend, target) == {"service-status"})
        # His token names the role for an hour.
        assert code(boss.put(f"{TOPICS}/staff", None)) == (403, "ROLE_REQUIRED")
        assert [topic["topic"] for topic in boss.get(TOPICS).json()["data"]] == ["service-status"]

    def test_promotional_topics_need_consent_and_end_with_it(self, backend, user):
        register(user, "phone")
        target = f"phone-{user.uid}"
        assert code(user.put(f"{TOPICS}/offers", None)) == (409, "CONSENT_REQUIRED")
        user.patch(PREFERENCES, {"promotions": True, "consentSource": "settings"})
        assert user.put(f"{TOPICS}/offers", None).status_code == 200
        eventually(lambda: subscribed(backend, target) == {"offers"})
        user.patch(PREFERENCES, {"promotions": False})
        eventually(lambda: subscribed(backend, target) == set())

    def test_one_who_is_muted_hears_no_topic_until_he_listens_again(self, backend, user):
        register(user, "phone")
        target = f"phone-{user.uid}"
        user.patch(PREFERENCES, {"muted": True})
        assert user.put(f"{TOPICS}/service-status", None).status_code == 200
        user.patch(PREFERENCES, {"muted": False})
        eventually(lambda: subscribed(backend, target) == {"service-status"})
        user.patch(PREFERENCES, {"muted": True})
        eventually(lambda: subscribed(backend, target) == set())

    def test_topics_are_kept_with_devices(self, user):
        assert code(user.put(f"{TOPICS}/service-status", None)) == (409, "NO_DEVICE")

    def test_there_is_a_limit(self, user):
        register(user, "phone")
        user.patch(PREFERENCES, {"promotions": True, "consentSource": "settings"})
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda n: user.put(f"{TOPICS}/product-p{n}", None), range(100)))
        full = user.get(TOPICS).json()["data"]
        while len(full) < 100:
            user.put(f"{TOPICS}/product-q{len(full)}", None)
            full = user.get(TOPICS).json()["data"]
        assert code(user.put(f"{TOPICS}/service-status", None)) == (409, "TOO_MANY_TOPICS")
