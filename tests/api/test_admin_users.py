"""Users and the audit log as administrators see them."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest


def code(response):
    body = response.json()
    assert body["success"] is False
    return response.status_code, body["code"]


def claims(people, uid):
    return json.loads(people.account(uid).get("customAttributes") or "{}")


def audited(admin, uid):
    """What the audit log says of a user, the newest first."""
    return admin.get("/v1/admin/audit-log", params={"target": f"users/{uid}"}).json()["data"]


def subscribed(backend, *topics):
    """An administrator with a phone that has these topics."""
    other = backend.user(role="admin")
    device = {"fid": f"one-{other.uid}", "platform": "ios", "appVersion": "1.0.0", "locale": "en-AU"}
    other.put("/v1/users/me/devices/phone", device)
    for topic in topics:
        assert other.put(f"/v1/users/me/topics/{topic}", None).status_code == 200
    return other


@pytest.mark.parametrize(
    "call",
    [
        ("GET", "/v1/admin/users", None),
        ("GET", "/v1/admin/users/u", None),
        ("PUT", "/v1/admin/users/u/role", {"role": "admin"}),
        ("POST", "/v1/admin/users/u/disable", {}),
        ("POST", "/v1/admin/users/u/enable", None),
        ("GET", "/v1/admin/audit-log", None),
    ],
)
class TestAccess:
    def test_nobody_without_the_role(self, backend, user, people, call):
        method, path, body = call
        path = path.replace("/u/", f"/{user.uid}/")
        assert code(backend.http.request(method, path, json=body)) == (401, "TOKEN_MISSING")
        assert code(user.request(method, path, json=body)) == (403, "ROLE_REQUIRED")
        # A token that claims the role is believed only as far as Identity Toolkit confirms it.
        forged = people.with_claims(user, role="admin")
        assert code(forged.request(method, path, json=body)) == (403, "ROLE_REQUIRED")
        assert claims(people, user.uid) == {}
        assert people.account(user.uid).get("disabled", False) is False


class TestList:
    def test_page_after_page_and_everybody_once(self, backend, admin):
        users = [backend.user() for _ in range(5)]
        for user in users:
            user.get("/v1/users/me")
        seen, parameters = [], {"limit": 4}
        while True:
            page = admin.get("/v1/admin/users", params=parameters).json()
            seen += [row["id"] for row in page["data"]]
            if not page["pagination"]["hasNext"]:
                break
            parameters["cursor"] = page["pagination"]["nextCursor"]
        assert len(seen) == len(set(seen))
        assert {user.uid for user in users} <= set(seen)

    def test_it_costs_one_read_a_row(self, admin, user):
        user.get("/v1/users/me")
        response = admin.get("/v1/admin/users", params={"limit": 1})
        assert response.headers["X-Firestore-Reads"] == "1"

    def test_a_total_is_counted(self, admin, user):
        user.get("/v1/users/me")
        page = admin.get("/v1/admin/users", params={"limit": 1, "includeTotal": "true"}).json()
        assert page["pagination"]["total"] >= 1

    def test_one_is_found_by_his_address(self, admin, people, member):
        (row,) = admin.get("/v1/admin/users", params={"email": member.email}).json()["data"]
        assert (row["id"], row["email"], row["emailVerified"]) == (member.uid, member.email, True)
        assert (row["hasProfile"], row["hasAccount"], row["role"], row["disabled"]) == (False, True, None, False)
        assert admin.get("/v1/admin/users", params={"email": people.address()}).json()["data"] == []
        assert code(admin.get("/v1/admin/users", params={"email": "x"})) == (400, "VALIDATION_FAILED")

    def test_one_is_read_by_his_id(self, admin, member):
        member.patch("/v1/users/me", {"displayName": "Mia"})
        member.delete("/v1/users/me")
        row = admin.get(f"/v1/admin/users/{member.uid}").json()["data"]
        assert (row["displayName"], row["hasProfile"]) == ("Mia", True)
        assert row["deletedAt"] is not None
        assert row["purgeAt"] is not None
        assert code(admin.get("/v1/admin/users/nobody")) == (404, "USER_NOT_FOUND")


class TestRole:
    def test_given_and_taken_away(self, backend, admin, people, member):
        path = f"/v1/admin/users/{member.uid}/role"
        assert admin.put(path, {"role": "admin"}).json()["data"]["role"] == "admin"
        other = people.sign_in(member.email)
        assert other.get("/v1/admin/audit-log").status_code == 200
        assert admin.put(path, {"role": None}).json()["data"]["role"] is None
        # At once, although the token says admin for an hour yet.
        assert code(other.get("/v1/admin/audit-log")) == (403, "ROLE_REQUIRED")
        assert other.get("/v1/products").status_code == 200
        taken, given = audited(admin, member.uid)
        assert (given["action"], given["actor"], given["diff"]) == ("user.role", admin.uid, {"role": [None, "admin"]})
        assert taken["diff"] == {"role": ["admin", None]}
        assert taken["requestId"]

    def test_who_loses_it_leaves_the_topics_that_need_it(self, backend, admin):
        other = subscribed(backend, "staff", "service-status")
        admin.put(f"/v1/admin/users/{other.uid}/role", {"role": None})
        assert backend.document(f"users/{other.uid}/devices/phone")["topics"] == ["service-status"]

    def test_not_ones_own(self, admin, people):
        path = f"/v1/admin/users/{admin.uid}/role"
        before = len(audited(admin, admin.uid))
        assert code(admin.put(path, {"role": None})) == (409, "OWN_ACCOUNT")
        assert claims(people, admin.uid) == {"role": "admin"}
        assert len(audited(admin, admin.uid)) == before

    @pytest.mark.parametrize("body", [{}, {"role": "root"}, {"role": 3}, {"role": "admin", "x": 1}])
    def test_only_roles_that_there_are(self, admin, people, user, body):
        assert code(admin.put(f"/v1/admin/users/{user.uid}/role", body)) == (400, "VALIDATION_FAILED")
        assert claims(people, user.uid) == {}

    def test_nobody_is_not_found(self, admin):
        assert code(admin.put("/v1/admin/users/nobody/role", {"role": "admin"})) == (404, "USER_NOT_FOUND")
        assert audited(admin, "nobody") == []

    def test_a_role_and_a_lock_at_once_are_both_kept(self, admin, people, member):
        path = f"/v1/admin/users/{member.uid}"
        with ThreadPoolExecutor(2) as pool:
            done = list(
                pool.map(lambda call: call(), [
                    lambda: admin.put(f"{path}/role", {"role": "admin"}),
                    lambda: admin.post(f"{path}/disable"),
                ])
            )  # fmt: skip
        assert {answer.status_code for answer in done} == {200}
        assert claims(people, member.uid) == {"role": "admin", "accountState": "disabled"}


class TestDisable:
    def test_he_is_out_at_once_and_may_come_back(self, backend, admin, people, member):
        path = f"/v1/admin/users/{member.uid}"
        assert admin.post(f"{path}/disable", {"reason": "abuse"}).json()["data"]["disabled"] is True
        for response in (member.get("/v1/products"), member.patch("/v1/users/me", {"displayName": "M"})):
            assert code(response) == (403, "USER_DISABLED")
        assert claims(people, member.uid) == {"accountState": "disabled"}
        signed = backend.http.post("/v1/auth/login", json={"email": member.email, "password": "correct horse"})
        assert code(signed) == (401, "INVALID_CREDENTIALS")
        assert admin.post(f"{path}/enable").json()["data"]["disabled"] is False
        assert code(member.get("/v1/products")) == (401, "TOKEN_REVOKED")
        again = people.sign_in(member.email)
        assert again.get("/v1/products").status_code == 200
        assert again.patch("/v1/users/me", {"displayName": "M"}).status_code == 200
        assert claims(people, member.uid) == {}
        enabled, disabled = audited(admin, member.uid)
        assert disabled["diff"] == {"disabled": [False, True], "reason": [None, "abuse"]}
        assert (enabled["action"], enabled["diff"]) == ("user.enable", {"disabled": [True, False]})

    def test_he_leaves_the_topics_that_need_a_role(self, backend, admin):
        """FCM asks nobody whether he is let in, and he is not to have them back before he asks for them himself."""
        other = subscribed(backend, "staff", "service-status")
        path = f"/v1/admin/users/{other.uid}"
        for deed in ("disable", "disable", "enable"):
            assert admin.post(f"{path}/{deed}").status_code == 200
            assert backend.document(f"users/{other.uid}/devices/phone")["topics"] == ["service-status"]

    def test_not_oneself(self, admin, people):
        assert code(admin.post(f"/v1/admin/users/{admin.uid}/disable")) == (409, "OWN_ACCOUNT")
        assert people.account(admin.uid).get("disabled", False) is False

    def test_twice_does_no_harm(self, admin, people, member):
        for _ in range(2):
            assert admin.post(f"/v1/admin/users/{member.uid}/disable").status_code == 200
        for _ in range(2):
            assert admin.post(f"/v1/admin/users/{member.uid}/enable").status_code == 200
        assert people.sign_in(member.email).get("/v1/products").status_code == 200

    def test_who_deleted_his_account_stays_deleted(self, admin, people, member):
        member.delete("/v1/users/me")
        admin.post(f"/v1/admin/users/{member.uid}/disable")
        assert code(member.get("/v1/products")) == (403, "USER_DISABLED")
        admin.post(f"/v1/admin/users/{member.uid}/enable")
        assert claims(people, member.uid) == {"accountState": "deleted"}
        again = people.sign_in(member.email)
        assert code(again.get("/v1/products")) == (403, "ACCOUNT_DELETED")
        assert again.get("/v1/users/me").status_code == 200


class TestAuditLog:
    def test_the_newest_first_page_after_page(self, admin, member):
        path = f"/v1/admin/users/{member.uid}/role"
        for role in ("admin", None, "admin"):
            admin.put(path, {"role": role})
        everything = audited(admin, member.uid)
        assert [entry["diff"]["role"][1] for entry in everything] == ["admin", None, "admin"]
        # Of one target: other tests move the clock, so that their entries may be the newest of all for a while.
        page = {"limit": 2, "target": f"users/{member.uid}"}
        first = admin.get("/v1/admin/audit-log", params=page).json()
        assert first["data"] == everything[:2]
        cursor = first["pagination"]["nextCursor"]
        second = admin.get("/v1/admin/audit-log", params={**page, "cursor": cursor}).json()
        assert second["data"] == everything[2:]
        total = admin.get("/v1/admin/audit-log", params={"target": f"users/{member.uid}", "includeTotal": "true"})
        assert total.json()["pagination"]["total"] == 3
