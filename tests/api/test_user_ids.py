"""Users whose ids come from elsewhere: Firebase takes any 128 characters from whoever imports users or mints tokens."""

import re
import uuid
from datetime import UTC, datetime
from urllib.parse import quote

import pytest
from tests.api.orders import code, placed
from tests.backend import eventually
from tests.people import PASSWORD

from wattle.adapters.firestore import Query, Update
from wattle.kit.ids import is_user_id
from wattle.kit.retry import Deadline
from wattle.privacy.erasure import pseudonym

DEVICE = {"fid": "", "platform": "ios", "appVersion": "1.0.0", "locale": "en-AU"}
FORMS = ["auth0|{}", "kakao:{}", "a.b.{}@x.com", "_{}", "ü{}", "中 {} 'x'", '"%2F{}?a=b#c', "{}+;&", "~" * 96 + "{}"]


@pytest.fixture(params=FORMS)
def person(request, people):
    return people.imported(request.param.format(uuid.uuid4().hex))


def about(person, rest=""):
    return f"/v1/admin/users/{quote(person.uid, safe='')}{rest}"


class TestAdministration:
    def test_such_a_person_is_found_disabled_and_let_in_again(self, admin, people, person):
        assert person.get("/v1/users/me").status_code == 200
        assert admin.get(about(person)).json()["data"]["id"] == person.uid
        (found,) = admin.get("/v1/admin/users", params={"email": person.email}).json()["data"]
        assert (found["id"], found["hasProfile"]) == (person.uid, True)
        assert admin.put(about(person, "/role"), {"role": "admin"}).json()["data"]["role"] == "admin"
        assert admin.put(about(person, "/role"), {"role": None}).json()["data"]["role"] is None
        assert admin.post(about(person, "/disable"), {"reason": "abuse"}).json()["data"]["disabled"] is True
        assert code(person.get("/v1/products")) == (403, "USER_DISABLED")
        assert admin.post(about(person, "/enable")).json()["data"]["disabled"] is False
        assert people.sign_in(person.email).get("/v1/products").status_code == 200
        log = admin.get("/v1/admin/audit-log", params={"target": f"users/{person.uid}"}).json()["data"]
        assert [entry["action"] for entry in log] == ["user.enable", "user.disable", "user.role", "user.role"]

    def test_others_see_his_name(self, stranger, person):
        person.patch("/v1/users/me", {"displayName": "Mia"})
        path = f"/v1/users/{quote(person.uid, safe='')}"
        assert stranger.get(path).json()["data"]["displayName"] == "Mia"
        (answer,) = stranger.post("/v1/batch", {"requests": [{"path": path}]}).json()["data"]
        assert answer["body"]["data"]["id"] == person.uid

    def test_messages_reach_him_and_are_counted(self, backend, admin, person):
        """From the order's event, from a broadcast, and what the triggers make of both."""
        fid = f"f{uuid.uuid4().hex[:21]}"
        assert person.put("/v1/users/me/devices/phone", {**DEVICE, "fid": fid}).status_code == 200
        order = placed(person, (backend.product(), 1))
        moved = admin.post(f"/v1/admin/orders/{order['id']}/status", {"status": "confirmed"})
        assert moved.status_code == 200
        texts = {"en": {"title": "Hello", "body": "There is cake."}}
        news = {"audience": {"users": [person.uid]}, "kind": "account", "texts": texts}
        broadcast = admin.post("/v1/admin/push", news).json()["data"]["id"]
        eventually(lambda: len(backend.pushes(fid)) == 2)
        rows = admin.get(about(person, "/notifications")).json()["data"]
        assert {row["id"] for row in rows} == {broadcast, f"{order['id']}-2"}
        explained = admin.get(about(person, f"/notifications/{broadcast}")).json()["data"]
        assert explained["notification"]["id"] == broadcast
        # Past the API, as an app does directly: the trigger counts.
        read = {"readAt": datetime.now(UTC)}
        backend.firestore.commit([Update(f"users/{person.uid}/notifications/{broadcast}", read)], Deadline.after(60))
        eventually(lambda: person.get("/v1/notifications/unread-count").json()["data"]["unread"] == 1)
        assert person.delete("/v1/users/me/devices/phone").status_code == 200
        assert backend.suite.control.await_idle()
        assert misspelled(backend, person) == set()

    def test_he_leaves_and_nothing_is_left(self, backend, people, person):
        order = placed(person, (backend.product(), 1))
        person.put("/v1/users/me/devices/phone", {**DEVICE, "fid": f"f{uuid.uuid4().hex[:21]}"})
        assert len(person.get("/v1/users/me/export").json()["data"]["orders"]) == 1
        assert person.delete("/v1/users/me").status_code == 200
        past = {"purgeAt": datetime(2026, 1, 1, tzinfo=UTC)}
        backend.firestore.commit([Update(f"users/{person.uid}", past)], Deadline.after(60))
        backend.suite.control.run_function("purgeDaily")
        eventually(lambda: backend.document(f"purges/{pseudonym(person.uid)}"))
        assert people.account(person.uid) is None
        assert backend.document(f"orders/{order['id']}")["userId"] is None
        assert backend.document(f"users/{person.uid}") is None


def misspelled(backend, person):
    """Owners of documents whose ids are nearly his."""
    mark = re.search("[0-9a-f]{32}", person.uid)[0]
    found = {
        row.path.split("/")[1]
        for name in ("devices", "counters", "notifications")
        for row in backend.firestore.query(Query(name, everywhere=True), Deadline.after(60))
    }
    return {uid for uid in found if mark in uid} - {person.uid}


class TestWhatCannotNameADocument:
    @pytest.mark.parametrize("uid", ["a/b", "..", "__x__"])
    def test_it_is_refused_with_the_reason(self, backend, admin, people, uid):
        person = people.imported(uid)
        try:
            for answer in (
                person.get("/v1/users/me"),
                person.post("/v1/orders", {"items": []}),
                backend.http.post("/v1/auth/login", json={"email": person.email, "password": PASSWORD}),
            ):
                assert code(answer) == (401, "TOKEN_INVALID")
                assert "cannot name a document" in answer.json()["message"]
            (found,) = admin.get("/v1/admin/users", params={"email": person.email}).json()["data"]
            assert (found["id"], found["hasProfile"]) == (uid, False)
        finally:
            people.remove(uid)

    @pytest.mark.parametrize("path", ["__x__", "a%00", "%2E%2E", "a%2Fb", "x" * 129])
    def test_nobody_is_called_that(self, admin, path):
        for method, rest in (("GET", ""), ("POST", "/disable"), ("GET", "/notifications")):
            answer = admin.request(method, f"/v1/admin/users/{path}{rest}")
            assert code(answer) in {(400, "VALIDATION_FAILED"), (404, "ROUTE_NOT_FOUND")}
        news = {"audience": {"users": ["a/b"]}, "kind": "account", "texts": {"en": {"title": "a", "body": "b"}}}
        (error,) = admin.post("/v1/admin/push", news).json()["errors"]
        assert (error["field"], error["code"]) == ("audience.users[0]", "STRING_PATTERN_MISMATCH")


@pytest.mark.parametrize(
    ("text", "usable"),
    [
        ("b0cWq8vXh2Tn4KfLrPz7b0cWq8vX", True),
        ("x" * 128, True),
        ("auth0|5f7c8ec7c33c6c004bbafe82", True),
        ("...", True),
        ("__x", True),
        ("", False),
        ("x" * 129, False),
        (".", False),
        ("..", False),
        ("____", False),
        ("a/b", False),
        ("a\x7f", False),
        ("a\x80", False),
        ("\x9f", False),
        ("a\xa0", True),
        ("\ud800", False),
    ],
)
def test_which_ids_can_name_a_document(text, usable):
    assert is_user_id(text) is usable
