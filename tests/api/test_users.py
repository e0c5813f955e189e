"""A user's own account and profile: deleting it, coming back, what others see, the address."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest


def code(response):
    body = response.json()
    assert body["success"] is False
    return response.status_code, body["code"]


def login(backend, user):
    return backend.http.post("/v1/auth/login", json={"email": user.email, "password": "correct horse"})


def claims(people, user):
    return json.loads(people.account(user.uid).get("customAttributes") or "{}")


class TestDelete:
    def test_it_is_announced_and_nothing_works_any_more(self, backend, people, member):
        member.patch("/v1/users/me", {"displayName": "Mia"})
        response = member.delete("/v1/users/me")
        assert response.status_code == 200
        deletion = response.json()["data"]
        deleted_at = datetime.fromisoformat(deletion["deletedAt"])
        assert abs(deleted_at - datetime.now(UTC)) < timedelta(seconds=30)
        assert datetime.fromisoformat(deletion["purgeAt"]) - deleted_at == timedelta(days=30)
        stored = backend.document(f"users/{member.uid}")
        assert stored["deletedAt"] == deleted_at
        assert stored["displayName"] == "Mia"
        assert claims(people, member) == {"accountState": "deleted"}
        for response in (
            member.get("/v1/users/me"),
            member.get("/v1/products"),
            member.patch("/v1/users/me", {"displayName": "Mallory"}),
            member.delete("/v1/users/me"),
        ):
            assert code(response) == (403, "ACCOUNT_DELETED")
        assert backend.document(f"users/{member.uid}")["displayName"] == "Mia"

    def test_one_without_a_profile_gets_one_to_be_purged(self, backend, member):
        assert member.delete("/v1/users/me").status_code == 200
        assert backend.document(f"users/{member.uid}")["purgeAt"] is not None

    def test_other_claims_stay(self, backend, people, member):
        backend.account(member.uid, customAttributes='{"role":"admin","plan":"gold"}')
        member.delete("/v1/users/me")
        assert claims(people, member) == {"role": "admin", "plan": "gold", "accountState": "deleted"}
        assert login(backend, member).status_code == 200
        assert claims(people, member) == {"role": "admin", "plan": "gold"}

    def test_at_once_ten_times_is_one_deletion(self, backend, member):
        with ThreadPoolExecutor(10) as pool:
            answers = list(pool.map(lambda _: member.delete("/v1/users/me"), range(10)))
        assert {answer.status_code for answer in answers} <= {200, 403}
        told = {answer.json()["data"]["purgeAt"] for answer in answers if answer.status_code == 200}
        assert len(told) == 1
        assert backend.document(f"users/{member.uid}")["version"] == 1

    def test_others_do_not_see_the_profile_any_more(self, member, stranger):
        member.patch("/v1/users/me", {"displayName": "Mia"})
        assert stranger.get(f"/v1/users/{member.uid}").status_code == 200
        member.delete("/v1/users/me")
        assert code(stranger.get(f"/v1/users/{member.uid}")) == (404, "USER_NOT_FOUND")


class TestReturn:
    @pytest.fixture
    def deleted(self, member):
        member.patch("/v1/users/me", {"displayName": "Mia"})
        assert member.delete("/v1/users/me").status_code == 200
        return member

    def test_signing_in_through_the_api_undoes_it(self, backend, people, deleted):
        session = login(backend, deleted).json()["data"]
        headers = {"Authorization": f"Bearer {session['idToken']}"}
        assert backend.http.get("/v1/products", headers=headers).status_code == 200
        assert backend.http.patch("/v1/users/me", headers=headers, json={"locale": "en-AU"}).status_code == 200
        stored = backend.document(f"users/{deleted.uid}")
        assert (stored["deletedAt"], stored["purgeAt"], stored["displayName"]) == (None, None, "Mia")
        assert claims(people, deleted) == {}
        # The session that deleted it stays ended.
        assert code(deleted.get("/v1/products")) == (401, "TOKEN_REVOKED")

    def test_signing_in_with_an_sdk_and_asking_for_oneself_undoes_it(self, backend, people, deleted):
        again = people.sign_in(deleted.email)
        assert people.claims(again)["accountState"] == "deleted"
        assert code(again.get("/v1/products")) == (403, "ACCOUNT_DELETED")
        assert code(again.patch("/v1/users/me", {"locale": "en-AU"})) == (403, "ACCOUNT_DELETED")
        assert backend.document(f"users/{deleted.uid}")["deletedAt"] is not None
        assert again.get("/v1/users/me").json()["data"]["displayName"] == "Mia"
        # The token still says that the account is deleted, and is right no longer.
        assert again.get("/v1/products").status_code == 200
        assert again.patch("/v1/users/me", {"locale": "en-AU"}).status_code == 200
        assert claims(people, deleted) == {}

    def test_an_old_session_brings_nothing_back(self, backend, people, deleted):
        stale = people.with_claims(deleted, accountState="deleted")
        assert code(stale.get("/v1/users/me")) == (403, "ACCOUNT_DELETED")
        assert backend.document(f"users/{deleted.uid}")["deletedAt"] is not None

    def test_it_can_be_done_again(self, backend, people, deleted):
        again = people.sign_in(deleted.email)
        again.get("/v1/users/me")
        assert again.delete("/v1/users/me").status_code == 200
        assert code(again.get("/v1/users/me")) == (403, "ACCOUNT_DELETED")
        assert backend.document(f"users/{deleted.uid}")["deletedAt"] is not None
        assert login(backend, deleted).status_code == 200


class TestPublicProfile:
    def test_others_see_the_name_and_the_picture_only(self, backend, user, stranger):
        user.patch("/v1/users/me", {"displayName": "Mia", "phoneNumber": "+61400000000"})
        path = f"/v1/users/{user.uid}"
        assert code(backend.http.get(path)) == (401, "TOKEN_MISSING")
        assert stranger.get(path).json()["data"] == {"id": user.uid, "displayName": "Mia", "photoUrl": None}

    @pytest.mark.parametrize("user_id", ["nobody", "x" * 128])
    def test_there_may_be_none(self, user, user_id):
        assert code(user.get(f"/v1/users/{user_id}")) == (404, "USER_NOT_FOUND")


class TestAddress:
    def test_the_profile_follows_a_newer_sign_in_and_no_older_one(self, backend, people, member):
        member.get("/v1/users/me")
        signed_in = people.claims(member)["auth_time"]
        older = people.with_claims(member, email="old@example.com", auth_time=signed_in - 9)
        newer = people.with_claims(member, email="new@example.com", auth_time=signed_in + 9)
        assert older.get("/v1/users/me").json()["data"]["email"] == member.email
        assert newer.get("/v1/users/me").json()["data"]["email"] == "new@example.com"
        stored = backend.document(f"users/{member.uid}")
        assert (stored["email"], stored["version"]) == ("new@example.com", 2)
        assert member.get("/v1/users/me").json()["data"]["email"] == "new@example.com"
        assert newer.get("/v1/users/me").headers["X-Firestore-Writes"] == "0"
        assert backend.document(f"users/{member.uid}")["version"] == 2
