"""What is asked of the app before anything is asked of its user: its version, App Check, and no maintenance."""

import time
from datetime import UTC, datetime, timedelta

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm
from tests.people import PASSWORD
from tests.scripted import ScriptedServer

from wattle.adapters.app_check import AppCheckVerifier
from wattle.adapters.keys import KeyStore, jwk_set

NUMBER = "123456789012"


def code(response):
    return response.status_code, response.json()["code"]


class TestAppVersion:
    @pytest.mark.parametrize("version", ["2.3", "2.3.0", "2.3.0.0", "2.3.1", "2.10", "3", "2.3.0-beta.1", "2.3+7"])
    def test_a_version_that_is_new_enough(self, instance, user, version):
        api = instance(MIN_APP_VERSION="2.3.0")
        assert api.http.get("/v1/users/me", headers={**user.headers, "X-App-Version": version}).status_code == 200

    @pytest.mark.parametrize("version", ["2.2.9", "2.2.99", "2", "1.9.9.9", "0"])
    def test_an_older_one_is_asked_to_update(self, instance, backend, user, version):
        api = instance(MIN_APP_VERSION="2.3.0")
        response = api.http.get("/v1/users/me", headers={**user.headers, "X-App-Version": version})
        assert code(response) == (426, "APP_UPGRADE_REQUIRED")
        assert "2.3.0" in response.json()["message"]
        assert backend.document(f"users/{user.uid}") is None
        assert api.http.get("/health", headers={"X-App-Version": version}).status_code == 200

    @pytest.mark.parametrize("version", ["", "v1", "1.", "1.2.3.4.5", "1.2 beta", "1_0", "9999999999", "\u0661.2"])
    def test_what_is_no_version(self, user, version):
        response = user.get("/v1/users/me", headers={"X-App-Version": version.encode()})
        assert code(response) == (400, "VALIDATION_FAILED")
        assert response.json()["errors"][0]["field"] == "X-App-Version"

    def test_who_says_none_is_let_in(self, instance, user):
        assert instance(MIN_APP_VERSION="9").http.get("/v1/users/me", headers=user.headers).status_code == 200


class TestMaintenance:
    def test_nobody_is_served_but_probes_and_administrators(self, instance, backend, user, admin):
        api = instance(MAINTENANCE="true")
        for response in (
            api.http.get("/v1/users/me", headers=user.headers),
            api.http.get("/v1/users/me"),
            api.http.post("/v1/auth/login", json={}),
            api.http.post("/v1/auth/register", json={"email": "a@example.com", "password": "correct horse"}),
        ):
            assert code(response) == (503, "MAINTENANCE")
            assert response.headers["Retry-After"] == "300"
        assert backend.document(f"users/{user.uid}") is None
        assert api.http.get("/health").status_code == 200
        assert api.http.get("/health/ready").status_code == 200
        assert api.http.get("/v1/users/me", headers=admin.headers).status_code == 200
        assert api.http.get("/v1/nothing").status_code == 404

    def test_an_administrator_without_an_sdk_gets_in(self, instance, backend, people, admin):
        backend.account(admin.uid, emailVerified=True)
        api = instance(MAINTENANCE="true")
        session = api.http.post("/v1/auth/login", json={"email": admin.email, "password": PASSWORD})
        assert session.status_code == 200
        body = {"refreshToken": session.json()["data"]["refreshToken"]}
        renewed = api.http.post("/v1/auth/refresh", json=body)
        headers = {"Authorization": f"Bearer {renewed.json()['data']['idToken']}"}
        assert api.http.get("/v1/admin/users", headers=headers).status_code == 200

    def test_others_who_try_learn_nothing_but_that_there_is_maintenance(self, instance, backend, people, member):
        """Not whether the password is right, nor whether there is an account; and nothing comes of it."""
        refresh = backend.http.post("/v1/auth/login", json={"email": member.email, "password": PASSWORD})
        left = people.verified()
        assert left.delete("/v1/users/me").status_code == 200
        gone = backend.document(f"users/{left.uid}")
        api = instance(MAINTENANCE="true")
        tried = [
            *(
                ("login", {"email": email, "password": password})
                for email, password in (
                    (member.email, PASSWORD),
                    (member.email, "wrong horse"),
                    (people.address(), PASSWORD),
                    (left.email, PASSWORD),
                    (backend.user().email, PASSWORD),
                    ("no address", PASSWORD),
                )
            ),
            ("refresh", {"refreshToken": refresh.json()["data"]["refreshToken"]}),
            ("refresh", {"refreshToken": "made up"}),
            *[("login", {})] * 60,  # more than the limit lets through
        ]
        network = {"X-Forwarded-For": "198.51.100.4"}
        answers = [api.http.post(f"/v1/auth/{path}", json=body, headers=network) for path, body in tried]
        told = [(code(answer), answer.json()["message"], answer.headers["Retry-After"]) for answer in answers]
        assert told == [((503, "MAINTENANCE"), told[0][1], "300")] * len(answers)
        assert backend.document(f"users/{left.uid}") == gone

    def test_it_ends_when_it_said(self, instance, user):
        until = datetime.now(UTC) + timedelta(minutes=10)
        api = instance(MAINTENANCE=until.isoformat())
        refused = api.http.get("/v1/users/me", headers=user.headers)
        assert 595 <= int(refused.headers["Retry-After"]) <= 600
        api.clock.advance(minutes=11)
        assert api.http.get("/v1/users/me", headers=user.headers).status_code == 200

    def test_a_far_end_is_looked_at_every_hour(self, instance):
        response = instance(MAINTENANCE="2999-01-01T00:00:00Z").http.get("/v1/users/me")
        assert response.headers["Retry-After"] == "3600"


class Firebase:
    """App Check's own part: keys that it publishes, and the tokens that it gives to apps."""

    def __init__(self, server) -> None:
        self.server = server
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        server.answer.body = {"keys": [{**self._jwk(self._key), "kid": "k1"}]}

    @staticmethod
    def _jwk(key):
        return {**RSAAlgorithm.to_jwk(key.public_key(), as_dict=True), "use": "sig", "alg": "RS256"}

    def token(self, key=None, algorithm="RS256", headers=None, **claims):
        now = int(time.time())
        payload = {
            "iss": f"https://firebaseappcheck.googleapis.com/{NUMBER}",
            "aud": [f"projects/{NUMBER}", "projects/wattle"],
            "sub": "1:123456789012:ios:abc",
            "iat": now,
            "exp": now + 3600,
            **claims,
        }
        payload = {name: value for name, value in payload.items() if value is not None}
        return jwt.encode(payload, key or self._key, algorithm, headers={"kid": "k1", **(headers or {})})


class TestAppCheck:
    @pytest.fixture
    def firebase(self):
        server = ScriptedServer()
        yield Firebase(server)
        server.close()

    @pytest.fixture
    def api(self, instance, firebase):
        keys = KeyStore(f"http://{firebase.server.host}/v1/jwks", jwk_set)
        return instance(app_check=AppCheckVerifier(NUMBER, keys))

    @pytest.fixture
    def get(self, api, user):
        def get(token=None):
            headers = {"X-Firebase-AppCheck": token} if token is not None else {}
            return api.http.get("/v1/users/me", headers={**user.headers, **headers})

        return get

    def test_a_call_without_a_token_is_none_of_our_apps(self, api, get, backend, user):
        response = get()
        assert code(response) == (401, "APP_CHECK_MISSING")
        assert response.headers["WWW-Authenticate"] == "FirebaseAppCheck"
        assert backend.document(f"users/{user.uid}") is None
        assert api.http.get("/health").status_code == 200

    def test_a_token_of_our_app_is_enough_and_its_key_is_fetched_once(self, firebase, get):
        assert get(firebase.token()).status_code == 200
        assert get(firebase.token(sub="1:123456789012:android:def")).status_code == 200
        assert len(firebase.server.requests) == 1

    def test_tokens_that_cannot_be_trusted(self, firebase, get):
        other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        past = int(time.time()) - 60
        bad = {
            "no JWT": "nonsense",
            "empty": "",
            "another key": firebase.token(key=other),
            "unsigned": jwt.encode({"sub": "x"}, None, "none", headers={"kid": "k1"}),
            "a shared secret": firebase.token(key="s" * 64, algorithm="HS256"),
            "an unknown key": firebase.token(headers={"kid": "k2"}),
            "of another type": firebase.token(headers={"typ": "at+jwt"}),
            "expired": firebase.token(exp=past),
            "without an end": firebase.token(exp=None),
            "of another project": firebase.token(aud=["projects/9", "projects/other"]),
            "for no project": firebase.token(aud=None),
            "of another issuer": firebase.token(iss="https://securetoken.google.com/wattle"),
            "for no app": firebase.token(sub=""),
        }
        codes = {name: code(get(token)) for name, token in bad.items()}
        assert codes.pop("empty") == (401, "APP_CHECK_MISSING")
        assert set(codes.values()) == {(401, "APP_CHECK_INVALID")}, codes

    def test_a_token_expires_although_it_was_seen(self, firebase, user):
        keys = KeyStore(f"http://{firebase.server.host}/v1/jwks", jwk_set)
        now = [time.time()]
        verifier = AppCheckVerifier(NUMBER, keys, now=lambda: now[0])
        token = firebase.token()
        verifier.verify(token)
        now[0] += 3700
        with pytest.raises(Exception, match="expired"):
            verifier.verify(token)

    @pytest.mark.parametrize("answer", ["a server error", "no keys", "no answer"])
    def test_keys_that_cannot_be_had_are_not_the_apps_fault(self, firebase, get, answer):
        if answer == "a server error":
            firebase.server.answer.status = 500
        elif answer == "no keys":
            firebase.server.answer.body = {"error": "what keys"}
        else:
            firebase.server.answer.hang_up = True
        response = get(firebase.token())
        assert code(response) == (503, "UNAVAILABLE")
        assert response.headers["Retry-After"]

    def test_it_is_off_until_the_project_number_is_set(self, instance, user):
        assert instance().services.app_check is None
        assert user.get("/v1/users/me").status_code == 200
