"""Registering, signing in and out, and changes of address and password, through the running backend."""

import time
from concurrent.futures import ThreadPoolExecutor
from unittest import mock

import pytest
from tests.people import PASSWORD

PRODUCTS = "/v1/products"


def code(response):
    body = response.json()
    assert body["success"] is False
    return response.status_code, body["code"]


def told(response):
    """What an answer says, without what differs between any two."""
    body = response.json()
    return response.status_code, {name: body.get(name) for name in ("success", "data", "code", "message", "errors")}


def login(backend, email, password=PASSWORD):
    return backend.http.post("/v1/auth/login", json={"email": email, "password": password})


@pytest.fixture
def confirmed(instance):
    """The API as it is deployed by default: an address is proven before its account is used."""
    return instance(REGISTRATION="confirmed")


class TestImmediateRegistration:
    """As the demo has it."""

    def test_a_session_at_once_and_a_link_that_proves_the_address(self, backend, people):
        email = people.address()
        response = backend.http.post("/v1/auth/register", json={"email": email, "password": PASSWORD})
        assert response.status_code == 202
        headers = {"Authorization": f"Bearer {response.json()['data']['idToken']}"}
        assert backend.http.get("/v1/users/me", headers=headers).json()["data"]["email"] == email
        assert login(backend, email).status_code == 200
        (mail,) = people.mails(email)
        assert mail["requestType"] == "VERIFY_EMAIL"

    def test_a_taken_address_is_refused_and_its_account_untouched(self, backend, people, member):
        body = {"email": member.email, "password": "another horse"}
        assert code(backend.http.post("/v1/auth/register", json=body)) == (409, "EMAIL_EXISTS")
        assert people.mails(member.email, "PASSWORD_RESET") == []
        assert login(backend, member.email).status_code == 200


class TestRegister:
    def test_a_link_is_mailed_and_then_one_can_sign_in(self, confirmed, people):
        email = people.address()
        body = {"email": email, "password": PASSWORD, "displayName": "Mia"}
        response = confirmed.http.post("/v1/auth/register", json=body)
        assert (response.status_code, response.json()["data"]) == (202, None)
        assert code(login(confirmed, email)) == (401, "INVALID_CREDENTIALS")
        (mail,) = people.mails(email)
        assert mail["requestType"] == "VERIFY_EMAIL"
        people.follow(mail)
        session = login(confirmed, email)
        assert session.status_code == 200
        headers = {"Authorization": f"Bearer {session.json()['data']['idToken']}"}
        profile = confirmed.http.get("/v1/users/me", headers=headers).json()["data"]
        assert (profile["email"], profile["displayName"]) == (email, "Mia")

    def test_the_answers_do_not_tell_whether_an_address_has_an_account(self, confirmed, people, member):
        free = people.address()
        answers = [
            confirmed.http.post("/v1/auth/register", json={"email": email, "password": "another horse"})
            for email in (free, member.email)
        ]
        assert told(answers[0]) == told(answers[1])
        # Neither does the second step: nobody signs in without the mail.
        refused = [login(confirmed, email, "another horse") for email in (free, member.email, people.address())]
        assert told(refused[0]) == told(refused[1]) == told(refused[2])
        assert login(confirmed, member.email).status_code == 200

    def test_its_owner_learns_of_a_second_try_and_can_get_in(self, confirmed, people, member):
        confirmed.http.post("/v1/auth/register", json={"email": member.email, "password": "another horse"})
        (mail,) = people.mails(member.email, "PASSWORD_RESET")
        people.reset_password(mail, "a third horse")
        assert login(confirmed, member.email, "a third horse").status_code == 200

    @pytest.mark.parametrize("body", [{}, {"email": "x", "password": "12345678"}, {"email": "a@b.co", "password": "1"}])
    def test_what_is_wrong_is_named(self, confirmed, body):
        assert code(confirmed.http.post("/v1/auth/register", json=body)) == (400, "VALIDATION_FAILED")


class TestProvenAddresses:
    """Whoever signs in with a password has to prove his address, also where he signed up past this API."""

    @pytest.fixture
    def strict(self, instance):
        return instance(REGISTRATION="proven")

    def test_nothing_is_served_before_the_link_was_followed(self, strict, backend, people, user):
        early = strict.as_user(user)
        device = {"platform": "ios", "appVersion": "1.0.0", "locale": "en-AU", "fid": f"one-{user.uid}"}
        for response in (
            early.get("/v1/users/me"),
            early.get(PRODUCTS),
            early.post("/v1/orders", {"items": []}),
            early.put("/v1/users/me/devices/d1", device),
            early.post("/v1/batch", {"requests": [{"path": PRODUCTS}]}),
        ):
            assert code(response) == (403, "EMAIL_NOT_VERIFIED")
        assert backend.document(f"users/{user.uid}") is None
        assert early.post("/v1/auth/verify-email").status_code == 202
        (mail,) = people.mails(user.email, "VERIFY_EMAIL")
        people.follow(mail)
        assert code(early.get("/v1/users/me")) == (403, "EMAIL_NOT_VERIFIED")
        assert strict.as_user(people.sign_in(user.email)).get("/v1/users/me").status_code == 200

    def test_an_address_that_was_mistyped_can_be_changed_and_an_account_left(self, strict, people, user):
        early = strict.as_user(user)
        address = people.address()
        assert early.post("/v1/auth/email", {"email": address}).status_code == 202
        (mail,) = people.mails(user.email, "VERIFY_AND_CHANGE_EMAIL")
        people.follow(mail)
        assert strict.as_user(people.sign_in(address)).delete("/v1/users/me").status_code == 200

    @pytest.mark.parametrize("provider", ["custom", "anonymous", "phone", "google.com"])
    def test_other_ways_to_sign_in_prove_no_address(self, strict, people, user, provider):
        other = people.with_claims(user, firebase={"sign_in_provider": provider, "identities": {}})
        assert strict.as_user(other).get("/v1/users/me").status_code == 200

    def test_registering_is_as_by_default(self, strict, people):
        body = {"email": people.address(), "password": PASSWORD}
        response = strict.http.post("/v1/auth/register", json=body)
        assert (response.status_code, response.json()["data"]) == (202, None)
        assert code(login(strict, body["email"])) == (401, "INVALID_CREDENTIALS")

    def test_by_default_it_is_this_apis_own_sign_in_that_asks(self, confirmed, user):
        assert confirmed.as_user(user).get("/v1/users/me").status_code == 200


class TestLogin:
    def test_wrong_unknown_disabled_and_unproven_are_one_answer(self, backend, confirmed, people, member):
        disabled, unproven = people.verified(), backend.user()
        backend.account(disabled.uid, disableUser=True)
        answers = [
            login(confirmed, member.email, "wrong horse"),
            login(confirmed, people.address()),
            login(confirmed, disabled.email),
            login(confirmed, unproven.email),
        ]
        assert {told(answer)[0] for answer in answers} == {401}
        assert [told(answer) for answer in answers] == [told(answers[0])] * 4

    def test_a_session_can_be_renewed(self, backend, member):
        session = login(backend, member.email).json()["data"]
        renewed = backend.http.post("/v1/auth/refresh", json={"refreshToken": session["refreshToken"]})
        assert renewed.json()["data"]["uid"] == member.uid
        assert code(backend.http.post("/v1/auth/refresh", json={"refreshToken": "made-up"})) == (
            401,
            "INVALID_REFRESH_TOKEN",
        )


class TestCase:
    """Identity Toolkit has each address in lower case; the local one keeps what it is given."""

    def test_an_address_is_the_same_in_capitals(self, backend, admin, people):
        email = people.address()
        shouted = email.upper()
        made = backend.http.post("/v1/auth/register", json={"email": shouted, "password": PASSWORD})
        assert people.account(made.json()["data"]["uid"])["email"] == email
        for written in (email, shouted, email.replace("@e", "@E"), f" {shouted} "):
            assert login(backend, written).json()["data"]["uid"] == made.json()["data"]["uid"]
            again = {"email": written, "password": PASSWORD}
            assert code(backend.http.post("/v1/auth/register", json=again)) == (409, "EMAIL_EXISTS")
            (found,) = admin.get("/v1/admin/users", params={"email": written}).json()["data"]
            assert found["id"] == made.json()["data"]["uid"]
        backend.http.post("/v1/auth/password-reset", json={"email": shouted})
        assert len(people.mails(email, "PASSWORD_RESET")) == 1

    def test_so_is_a_new_one(self, people, member):
        address = people.address()
        assert member.post("/v1/auth/email", {"email": address.upper()}).status_code == 202
        (mail,) = people.mails(member.email, "VERIFY_AND_CHANGE_EMAIL")
        people.follow(mail)
        assert people.account(member.uid)["email"] == address


class TestPasswordReset:
    def test_it_mails_whom_it_concerns_and_tells_nobody_else(self, backend, people, member):
        unknown = people.address()
        answers = [
            backend.http.post("/v1/auth/password-reset", json={"email": email}) for email in (member.email, unknown)
        ]
        assert told(answers[0]) == told(answers[1])
        assert answers[0].status_code == 202
        assert people.mails(unknown) == []
        (mail,) = people.mails(member.email, "PASSWORD_RESET")
        people.reset_password(mail, "new horse")
        assert login(backend, member.email, "new horse").status_code == 200


class TestLogout:
    def test_nobody_signs_out_without_signing_in(self, backend):
        assert code(backend.http.post("/v1/auth/logout", json={})) == (401, "TOKEN_MISSING")

    def test_this_device_is_forgotten_and_the_session_goes_on(self, backend, user, stranger):
        device = {"platform": "ios", "appVersion": "1.0.0", "locale": "en-AU"}
        user.put("/v1/users/me/devices/d1", {**device, "fid": f"one-{user.uid}"})
        user.put("/v1/users/me/devices/d2", {**device, "fid": f"two-{user.uid}"})
        stranger.post("/v1/auth/logout", {"deviceId": "d1"})
        assert backend.document(f"users/{user.uid}/devices/d1")
        assert user.post("/v1/auth/logout", {"deviceId": "d1"}).status_code == 200
        assert user.post("/v1/auth/logout", {"deviceId": "d1"}).status_code == 200
        assert backend.document(f"users/{user.uid}/devices/d1") is None
        assert backend.document(f"users/{user.uid}/devices/d2")
        assert user.get("/v1/users/me").status_code == 200
        assert backend.document(f"revocations/{user.uid}") is None

    def test_everywhere_ends_every_session_at_once(self, backend, people, member):
        refresh = login(backend, member.email).json()["data"]["refreshToken"]
        other = people.sign_in(member.email)
        device = {"platform": "ios", "appVersion": "1.0.0", "locale": "en-AU", "fid": f"one-{member.uid}"}
        other.put("/v1/users/me/devices/d1", device)
        assert member.post("/v1/auth/logout", {"everywhere": True}).status_code == 200
        for ended in (member, other):
            assert code(ended.patch("/v1/users/me", {"displayName": "Mallory"})) == (401, "TOKEN_REVOKED")
            assert code(ended.post("/v1/orders", {"items": []})) == (401, "TOKEN_REVOKED")
            assert code(ended.get(PRODUCTS)) == (401, "TOKEN_REVOKED")
        assert code(backend.http.post("/v1/auth/refresh", json={"refreshToken": refresh}))[0] == 401
        assert backend.document(f"users/{member.uid}/devices/d1") is None
        assert (backend.document(f"users/{member.uid}") or {}).get("displayName") != "Mallory"
        again = people.sign_in(member.email)
        assert again.get(PRODUCTS).status_code == 200
        assert again.patch("/v1/users/me", {"displayName": "Mia"}).status_code == 200

    def test_a_new_session_that_is_made_at_once_counts(self, people, member):
        for _ in range(3):
            assert member.post("/v1/auth/logout", {"everywhere": True}).status_code == 200
            member = people.sign_in(member.email)
            assert member.patch("/v1/users/me", {"locale": "en-AU"}).status_code == 200

    def test_a_read_costs_nothing_more_and_a_write_one_read(self, user):
        user.get("/v1/users/me")
        assert user.get("/v1/users/me").headers["X-Firestore-Reads"] == "1"
        assert user.patch("/v1/users/me", {"locale": "en-AU"}).headers["X-Firestore-Reads"] == "2"

    def test_at_once_ten_times(self, people, member):
        with ThreadPoolExecutor(10) as pool:
            answers = list(pool.map(lambda _: member.post("/v1/auth/logout", {"everywhere": True}), range(10)))
        assert {answer.status_code for answer in answers} <= {200, 401}
        assert code(member.get(PRODUCTS)) == (401, "TOKEN_REVOKED")
        assert people.sign_in(member.email).get(PRODUCTS).status_code == 200


class TestVerifyEmail:
    def test_a_link_is_mailed(self, backend, people, user):
        assert code(backend.http.post("/v1/auth/verify-email")) == (401, "TOKEN_MISSING")
        assert user.post("/v1/auth/verify-email").status_code == 202
        (mail,) = people.mails(user.email, "VERIFY_EMAIL")
        people.follow(mail)
        assert people.account(user.uid)["emailVerified"] is True
        assert login(backend, user.email).status_code == 200


def long_ago(people, user):
    """The same user with a sign-in of six minutes ago."""
    return people.with_claims(user, auth_time=people.claims(user)["auth_time"] - 360)


@pytest.mark.parametrize(
    "call",
    [
        ("POST", "/v1/auth/email", {"email": "new@example.com"}),
        ("POST", "/v1/auth/password", {"password": "new horse"}),
        ("DELETE", "/v1/users/me", None),
    ],
)
def test_what_cannot_be_undone_needs_a_recent_sign_in(backend, people, member, call):
    method, path, body = call
    assert code(backend.http.request(method, path, json=body)) == (401, "TOKEN_MISSING")
    response = long_ago(people, member).request(method, path, json=body)
    assert code(response) == (401, "RECENT_SIGN_IN_REQUIRED")
    # RFC 9470
    assert response.headers["WWW-Authenticate"] == 'Bearer error="insufficient_user_authentication", max_age=300'
    assert login(backend, member.email).status_code == 200
    assert people.mails(member.email) == []
    assert backend.document(f"revocations/{member.uid}") is None


@pytest.mark.parametrize(
    "call",
    [
        ("POST", "/v1/auth/logout", {"everywhere": True}),
        ("POST", "/v1/auth/verify-email", None),
        ("POST", "/v1/auth/email", {"email": "new@example.com"}),
        ("POST", "/v1/auth/password", {"password": "new horse"}),
        ("DELETE", "/v1/users/me", None),
        ("GET", "/v1/users/me/export", None),
    ],
)
def test_who_was_removed_in_the_console_has_no_session(backend, people, member, call):
    people.remove(member.uid)
    method, path, body = call
    assert code(member.request(method, path, json=body)) == (401, "TOKEN_REVOKED")
    assert backend.document(f"users/{member.uid}") is None
    assert backend.document(f"revocations/{member.uid}") is None


class TestChangeEmail:
    def test_the_new_address_proves_itself_first(self, backend, people, member):
        address = people.address()
        assert member.post("/v1/auth/email", {"email": address}).status_code == 202
        assert people.account(member.uid)["email"] == member.email
        (mail,) = people.mails(member.email, "VERIFY_AND_CHANGE_EMAIL")
        people.follow(mail)
        assert people.account(member.uid)["email"] == address
        assert login(backend, address).status_code == 200
        assert code(login(backend, member.email)) == (401, "INVALID_CREDENTIALS")

    def test_an_address_that_somebody_has_is_not_told_from_a_free_one(self, people, member):
        taken = people.verified()
        answers = [member.post("/v1/auth/email", {"email": email}) for email in (taken.email, people.address())]
        assert told(answers[0]) == told(answers[1])
        assert answers[0].status_code == 202
        assert people.account(member.uid)["email"] == member.email


class TestChangePassword:
    def test_so_does_one_that_the_old_password_made_just_before_it_was_changed(self, instance, people, member):
        """Identity Toolkit hashes passwords slowly, and may be slow otherwise."""
        api, others = instance(), []
        toolkit = api.services.accounts._identity._toolkit
        administer = toolkit.administer

        def slow(method, body):
            if "password" in body:
                time.sleep(1.1)
                others.append(people.sign_in(member.email))
            return administer(method, body)

        with mock.patch.object(toolkit, "administer", slow):
            changed = api.http.post("/v1/auth/password", json={"password": "new horse"}, headers=member.headers)
        assert changed.status_code == 200
        (other,) = others
        assert code(other.patch("/v1/users/me", {"locale": "en-AU"})) == (401, "TOKEN_REVOKED")
        fresh = {"Authorization": f"Bearer {changed.json()['data']['idToken']}"}
        assert api.http.patch("/v1/users/me", headers=fresh, json={"locale": "en-AU"}).status_code == 200

    def test_every_session_but_the_new_one_ends(self, backend, people, member):
        other = people.sign_in(member.email)
        response = member.post("/v1/auth/password", {"password": "new horse"})
        assert response.status_code == 200
        for ended in (member, other):
            assert code(ended.get(PRODUCTS)) == (401, "TOKEN_REVOKED")
            assert code(ended.post("/v1/auth/password", {"password": "my horse"})) == (401, "TOKEN_REVOKED")
        fresh = {"Authorization": f"Bearer {response.json()['data']['idToken']}"}
        assert backend.http.get(PRODUCTS, headers=fresh).status_code == 200
        assert backend.http.patch("/v1/users/me", headers=fresh, json={"locale": "en-AU"}).status_code == 200
        assert login(backend, member.email, "new horse").status_code == 200
        assert code(login(backend, member.email)) == (401, "INVALID_CREDENTIALS")
