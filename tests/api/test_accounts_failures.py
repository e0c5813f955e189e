"""Accounts are in two places. When one of them fails in the middle, repeating the call completes it."""

import itertools
import json
from datetime import UTC, datetime
from types import MappingProxyType, SimpleNamespace

import pytest
from tests.backend import eventually

from firesuite.faults import AWAY, mentioning
from wattle.accounts.lease import LEASED
from wattle.adapters.firestore import Update, rpc, transaction
from wattle.adapters.identity_toolkit import IdentityUnavailable, SignUpClosed
from wattle.kit.retry import Deadline


class Unsteady:
    """Identity Toolkit that breaks off after `left` more calls with the server's rights; `done` those took effect."""

    def __init__(self, toolkit) -> None:
        self._toolkit = toolkit
        self.left = None
        self.done = True

    def administer(self, method, body):
        if self.left == 0 and not self.done:
            raise IdentityUnavailable("a fault of the test")
        answer = self._toolkit.administer(method, body)
        if self.left == 0:
            raise IdentityUnavailable("a fault of the test")
        if self.left is not None:
            self.left -= 1
        return answer

    def __getattr__(self, name):
        return getattr(self._toolkit, name)


@pytest.fixture
def api(instance):
    api = instance()
    # Nobody signs in anew in the second of a revocation here.
    api.services.sessions._pause = lambda _seconds: None
    identity = api.services.accounts._identity
    api.identity = identity._toolkit = Unsteady(identity._toolkit)
    return api


def claims(people, uid):
    return json.loads(people.account(uid).get("customAttributes") or "{}")


def status(response):
    return response.status_code, response.json().get("code")


# Each call looks the account up first, and then changes it.
IDENTITY = [(0, False), (0, True), (1, False), (1, True)]
FAULTS = [*(("identity", fault) for fault in IDENTITY), ("firestore", None)]


@pytest.fixture(params=FAULTS, ids=str)
def fault(request, api):
    """Breaks one place, and mends it."""
    place, where = request.param

    def begin():
        if place == "firestore":
            api.faults.follow(mentioning("validAfter", "auditLog"))
        else:
            api.identity.left, api.identity.done = where

    def end():
        api.faults.reset()
        api.identity.left = None
        if place == "identity" and where[0] == 1:
            # It may take effect yet: until the lease has run out nobody changes the account.
            api.clock.advance(seconds=LEASED.total_seconds() + 1)

    return begin, end


def broken_then_repeated(fault, call):
    begin, end = fault
    begin()
    response = call()
    end()
    assert status(response) == (503, "UNAVAILABLE")
    assert response.headers["Retry-After"]
    return call()


def test_delete(backend, api, people, member, fault):
    def delete():
        return api.http.delete("/v1/users/me", headers=member.headers)

    assert broken_then_repeated(fault, delete).status_code == 200
    assert claims(people, member.uid) == {"accountState": "deleted"}
    assert backend.document(f"users/{member.uid}")["deletedAt"] is not None
    assert status(delete()) == (403, "ACCOUNT_DELETED")


def test_return(backend, api, people, member, fault):
    member.delete("/v1/users/me")
    login = {"email": member.email, "password": "correct horse"}
    again = people.sign_in(member.email)

    def come_back():
        return api.http.get("/v1/users/me", headers=again.headers)

    assert broken_then_repeated(fault, come_back).status_code == 200
    assert claims(people, member.uid) == {}
    assert backend.document(f"users/{member.uid}")["deletedAt"] is None
    assert api.http.post("/v1/auth/login", json=login).status_code == 200


def test_everywhere(backend, api, people, member, fault):
    def sign_out():
        return api.http.post("/v1/auth/logout", json={"everywhere": True}, headers=member.headers)

    assert broken_then_repeated(fault, sign_out).status_code == 200
    valid_after = backend.document(f"revocations/{member.uid}")["validAfter"]
    assert int(people.account(member.uid)["validSince"]) == valid_after
    assert status(sign_out()) == (401, "TOKEN_REVOKED")


def test_everywhere_forgets_the_devices_or_can_be_repeated(backend, api, people, monkeypatch):
    """Firestore goes away in the middle, at whichever call. (`tests.contract.test_faults` signs out on one device.)"""
    no_wait = SimpleNamespace(sleep=lambda _seconds: None)
    for module in (rpc, transaction):
        monkeypatch.setattr(module, "time", no_wait)
    for number in itertools.count(1):
        member = people.verified()
        device = {"fid": f"one-{member.uid}", "platform": "ios", "appVersion": "1.0.0", "locale": "en-AU"}
        member.put("/v1/users/me/devices/phone", device)

        def sign_out(member=member):
            return api.http.post("/v1/auth/logout", json={"everywhere": True}, headers=member.headers)

        # Without a rollback the locks would stay for a minute.
        api.faults.follow(
            lambda call, number=number: AWAY if call.number >= number and call.method != "Rollback" else None
        )
        response = sign_out()
        enough = len(api.faults.calls) < number
        api.faults.reset()
        if not enough:
            assert status(response) == (503, "UNAVAILABLE")
            # What it left open is over in time.
            api.clock.advance(seconds=LEASED.total_seconds() + 1)
            response = sign_out()
        assert response.status_code == 200
        assert backend.document(f"users/{member.uid}/devices/phone") is None
        if enough:
            break
    assert number > 4


def test_password(api, people, member, fault):
    def change():
        return api.http.post("/v1/auth/password", json={"password": "new horse"}, headers=member.headers)

    assert broken_then_repeated(fault, change).status_code == 200
    assert people.sign_in(member.email, "new horse").uid == member.uid


def test_password_whose_sessions_could_not_be_ended(api, people, member):
    def change():
        return api.http.post("/v1/auth/password", json={"password": "new horse"}, headers=member.headers)

    api.identity.left, api.identity.done = 2, False  # the account is looked up, and the password set
    assert status(change()) == (503, "UNAVAILABLE")
    api.identity.left = None
    assert people.sign_in(member.email, "new horse").uid == member.uid
    api.clock.advance(seconds=LEASED.total_seconds() + 1)
    assert change().status_code == 200
    assert status(change()) == (401, "TOKEN_REVOKED")


def test_password_whose_new_session_could_not_be_made(api, people, member, monkeypatch):
    def change():
        return api.http.post("/v1/auth/password", json={"password": "new horse"}, headers=member.headers)

    def refuse(_method, _body):
        raise IdentityUnavailable("a fault of the test")

    with monkeypatch.context() as patch:
        patch.setattr(api.identity, "call", refuse, raising=False)
        assert status(change()) == (503, "UNAVAILABLE")
    assert status(change()) == (401, "TOKEN_REVOKED")
    assert people.sign_in(member.email, "new horse").uid == member.uid


def test_disable(backend, api, people, admin, member, fault):
    begin, end = fault

    def disable():
        return api.http.post(f"/v1/admin/users/{member.uid}/disable", json={}, headers=admin.headers)

    def begin_after_the_administrator_was_looked_up():
        begin()
        if api.identity.left is not None:
            api.identity.left += 1

    assert broken_then_repeated((begin_after_the_administrator_was_looked_up, end), disable).status_code == 200
    assert claims(people, member.uid) == {"accountState": "disabled"}
    assert people.account(member.uid)["disabled"] is True
    log = admin.get("/v1/admin/audit-log", params={"target": f"users/{member.uid}"}).json()["data"]
    assert [entry["action"] for entry in log] == ["user.disable"]
    assert backend.document(f"revocations/{member.uid}")["state"] == "disabled"


def test_an_administrator_whom_nobody_can_vouch_for_waits(api, admin):
    api.identity.left, api.identity.done = 0, False
    assert status(api.http.get("/v1/admin/users", headers=admin.headers)) == (503, "UNAVAILABLE")
    api.identity.left = None
    assert api.http.get("/v1/admin/users", headers=admin.headers).status_code == 200


def test_a_project_whose_sign_up_is_switched_off_says_so(api, people, monkeypatch):
    def refuse(method, _body):
        assert method == "signUp"
        raise SignUpClosed("ADMIN_ONLY_OPERATION")

    monkeypatch.setattr(api.identity, "call", refuse, raising=False)
    body = {"email": people.address(), "password": "correct horse"}
    response = api.http.post("/v1/auth/register", json=body)
    assert status(response) == (403, "REGISTRATION_CLOSED")
    assert "Retry-After" not in response.headers


def test_a_second_factor_is_final_and_changes_nothing(backend, api, member):
    backend.account(member.uid, mfa={"enrollments": [{"phoneInfo": "+61491570156"}]})

    def login(password):
        return api.http.post("/v1/auth/login", json={"email": member.email, "password": password})

    change = api.http.post("/v1/auth/password", json={"password": "new horse"}, headers=member.headers)
    for response in (login("correct horse"), change):
        assert status(response) == (403, "MULTI_FACTOR_AUTH_REQUIRED")
        assert "Retry-After" not in response.headers
    assert status(login("new horse")) == (401, "INVALID_CREDENTIALS")
    assert backend.document(f"revocations/{member.uid}") is None


def test_users_need_no_identity_toolkit(api, user):
    api.identity.left, api.identity.done = 0, False
    assert api.http.get("/v1/users/me", headers=user.headers).status_code == 200
    assert api.http.patch("/v1/users/me", json={"locale": "en-AU"}, headers=user.headers).status_code == 200


class TestClaimsOfOthersThatLeaveNoRoom:
    """Custom claims have 1,000 bytes, and the shop's other programs may have used them."""

    OTHERS = MappingProxyType({"x": "y" * 980})

    @pytest.fixture
    def laden(self, backend, people, member):
        backend.account(member.uid, customAttributes=json.dumps(dict(self.OTHERS)))
        return people.sign_in(member.email)

    def test_he_is_disabled_all_the_same(self, backend, admin, people, laden):
        path = f"/v1/admin/users/{laden.uid}"
        for _ in range(2):
            assert admin.post(f"{path}/disable", {}).json()["data"]["disabled"] is True
        assert status(laden.get("/v1/users/me")) == (403, "USER_DISABLED")
        assert status(laden.patch("/v1/users/me", {"locale": "en-AU"})) == (403, "USER_DISABLED")
        login = {"email": laden.email, "password": "correct horse"}
        assert status(backend.http.post("/v1/auth/login", json=login)) == (401, "INVALID_CREDENTIALS")
        # What else is changed of him does not let him in.
        admin.put(f"{path}/role", {"role": None})
        assert status(laden.patch("/v1/users/me", {"locale": "en-AU"})) == (403, "USER_DISABLED")
        assert admin.post(f"{path}/enable").json()["data"]["disabled"] is False
        assert status(laden.get("/v1/users/me")) == (401, "TOKEN_REVOKED")
        assert people.sign_in(laden.email).patch("/v1/users/me", {"locale": "en-AU"}).status_code == 200
        assert claims(people, laden.uid) == self.OTHERS

    def test_a_role_is_refused_with_the_reason(self, admin, people, laden):
        path = f"/v1/admin/users/{laden.uid}/role"
        assert status(admin.put(path, {"role": "admin"})) == (409, "CLAIMS_TOO_LONG")
        assert claims(people, laden.uid) == self.OTHERS
        log = admin.get("/v1/admin/audit-log", params={"target": f"users/{laden.uid}"}).json()["data"]
        assert log == []

    def test_he_leaves_all_the_same(self, backend, people, laden):
        laden.get("/v1/users/me")
        assert laden.delete("/v1/users/me").status_code == 200
        assert status(laden.get("/v1/users/me")) == (403, "ACCOUNT_DELETED")
        assert people.account(laden.uid)["disabled"] is True
        past = {"purgeAt": datetime(2026, 1, 1, tzinfo=UTC)}
        backend.firestore.commit([Update(f"users/{laden.uid}", past)], Deadline.after(60))
        backend.suite.control.run_function("purgeDaily")
        eventually(lambda: backend.document(f"users/{laden.uid}") is None)
        assert people.account(laden.uid) is None

    def test_he_comes_back_once_there_is_room(self, backend, admin, people, laden):
        laden.delete("/v1/users/me")
        path = f"/v1/admin/users/{laden.uid}/enable"
        assert status(admin.post(path)) == (409, "CLAIMS_TOO_LONG")
        assert people.account(laden.uid)["disabled"] is True
        backend.account(laden.uid, customAttributes=json.dumps({"x": "y"}))
        assert admin.post(path).status_code == 200
        again = people.sign_in(laden.email)
        assert status(again.get("/v1/products")) == (403, "ACCOUNT_DELETED")
        assert again.get("/v1/users/me").status_code == 200
        assert claims(people, laden.uid) == {"x": "y"}
        assert people.sign_in(laden.email).get("/v1/products").status_code == 200

    def test_one_byte_more_than_deleted(self, backend, admin, people, laden):
        """The claim of a deleted account fits, that of a disabled one does not."""
        backend.account(laden.uid, customAttributes=json.dumps({"x": "y" * 967}, separators=(",", ":")))
        laden.delete("/v1/users/me")
        assert claims(people, laden.uid)["accountState"] == "deleted"
        path = f"/v1/admin/users/{laden.uid}"
        assert admin.post(f"{path}/disable", {}).json()["data"]["disabled"] is True
        assert admin.post(f"{path}/enable").json()["data"]["disabled"] is False
        assert claims(people, laden.uid)["accountState"] == "deleted"
        assert people.sign_in(laden.email).get("/v1/users/me").status_code == 200
