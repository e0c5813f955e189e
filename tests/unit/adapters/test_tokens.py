"""ID tokens as production checks them: signed, with certificates fetched over HTTP."""

import base64
import hashlib
import hmac
import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.signing import PROJECT, CertificateEndpoint, Key

from wattle.adapters.keys import KeyStore, KeysUnavailable, certificates
from wattle.adapters.tokens import (
    ExpiredToken,
    InvalidToken,
    MalformedToken,
    TokenVerifier,
    UnusableUserId,
    WrongProjectToken,
)


class Clock:
    """Unix seconds that a test moves."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


@pytest.fixture(scope="module")
def key():
    return Key("first")


@pytest.fixture(scope="module")
def other_key():
    return Key("second")


@pytest.fixture
def endpoint(key):
    endpoint = CertificateEndpoint(key)
    yield endpoint
    endpoint.close()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def verifier(endpoint, clock):
    return TokenVerifier(PROJECT, KeyStore(endpoint.url, certificates, now=clock), now=clock)


def encoded(part) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


def now() -> int:
    return int(time.time())


class TestClaims:
    def test_a_valid_token_says_who_it_is(self, verifier, key):
        claims = verifier.verify(key.token("alice", role="admin", name="Alice", phone_number="+61400000000"))
        assert (claims.uid, claims.email, claims.email_verified) == ("alice", "alice@example.com", True)
        assert (claims.role, claims.name, claims.phone_number) == ("admin", "Alice", "+61400000000")
        assert claims.sign_in_provider == "password"
        assert claims.picture is None

    @pytest.mark.parametrize(
        ("claims", "without", "error"),
        [
            ({"exp": now() - 60, "iat": now() - 4000, "auth_time": now() - 4000}, (), ExpiredToken),
            ({"aud": "other"}, (), WrongProjectToken),
            ({"iss": "https://securetoken.google.com/other"}, (), WrongProjectToken),
            ({"iss": f"https://session.firebase.google.com/{PROJECT}"}, (), WrongProjectToken),
            ({"aud": [PROJECT]}, (), WrongProjectToken),
            ({"iat": now() + 86_400}, (), InvalidToken),  # the tests may run for long until then
            ({"auth_time": now() + 86_400}, (), InvalidToken),
            ({"sub": ""}, (), InvalidToken),
            ({"sub": "x" * 129}, (), InvalidToken),
            ({"sub": 3}, (), InvalidToken),
            ({"sub": "bob/devices/phone"}, (), UnusableUserId),
            ({"sub": ".."}, (), UnusableUserId),
            ({"sub": "__bob__"}, (), UnusableUserId),
            ({"sub": "bob\nmallory"}, (), UnusableUserId),
            ({"sub": "\ud800"}, (), UnusableUserId),
            ({"exp": "9999999999"}, (), InvalidToken),
            ({"exp": True}, (), InvalidToken),
            ({}, ("exp",), InvalidToken),
            ({}, ("iat",), InvalidToken),
            ({}, ("auth_time",), InvalidToken),
            ({}, ("sub",), InvalidToken),
            ({}, ("aud",), WrongProjectToken),
            ({}, ("iss",), WrongProjectToken),
        ],
    )
    def test_each_claim_must_hold(self, verifier, key, claims, without, error):
        with pytest.raises(error):
            verifier.verify(key.token(without=without, **claims))

    @pytest.mark.parametrize(
        "uid", ["b0cWq8vXh2Tn4KfLrPz7b0cWq8vX", "x" * 128, "auth0|5f7c8ec7c33c6c004bbafe82", "a.b@c", "_", "…"]
    )
    def test_who_imports_users_may_choose_their_ids(self, verifier, key, uid):
        assert verifier.verify(key.token(uid)).uid == uid

    def test_clocks_may_differ_by_some_seconds(self, verifier, key):
        assert verifier.verify(key.token(exp=now() - 5)).uid == "alice"
        assert verifier.verify(key.token(iat=now() + 5, auth_time=now() + 5)).uid == "alice"

    def test_claims_of_other_types_are_left_out(self, verifier, key):
        claims = verifier.verify(key.token(role=["admin"], email=3, email_verified="true", firebase="x"))
        assert (claims.role, claims.email, claims.email_verified, claims.sign_in_provider) == (None, None, False, None)

    def test_a_token_that_was_good_expires_all_the_same(self, verifier, key, clock):
        token = key.token()
        verifier.verify(token)
        clock.ahead = 3700
        with pytest.raises(ExpiredToken):
            verifier.verify(token)


class TestSignature:
    def test_another_key_with_a_known_id(self, verifier, other_key):
        with pytest.raises(InvalidToken):
            verifier.verify(other_key.token(headers={"kid": "first"}))

    def test_an_unknown_key_id(self, verifier, other_key):
        with pytest.raises(InvalidToken):
            verifier.verify(other_key.token())

    def test_an_expired_token_whose_key_is_gone_has_expired(self, verifier, other_key):
        with pytest.raises(ExpiredToken):
            verifier.verify(other_key.token(exp=now() - 60))

    def test_no_key_id(self, verifier, key):
        _, claims, signature = key.token().split(".")
        for header in ({"alg": "RS256"}, {"alg": "RS256", "kid": ""}):
            with pytest.raises(InvalidToken):
                verifier.verify(f"{encoded(header)}.{claims}.{signature}")

    def test_changed_claims(self, verifier, key):
        header, _, signature = key.token("alice").split(".")
        _, claims, _ = key.token("mallory").split(".")
        with pytest.raises(InvalidToken):
            verifier.verify(f"{header}.{claims}.{signature}")

    def test_an_unsigned_token(self, verifier, key):
        _, claims, _ = key.token().split(".")
        for algorithm in ("none", "None", "RS256"):
            with pytest.raises(InvalidToken):
                verifier.verify(f"{encoded({'alg': algorithm, 'kid': 'first', 'typ': 'JWT'})}.{claims}.")

    def test_the_public_certificate_is_no_shared_secret(self, verifier, key):
        """CVE-2015-9256 and its kin: HS256 with the public key as the secret."""
        _, claims, _ = key.token().split(".")
        signed = f"{encoded({'alg': 'HS256', 'kid': 'first', 'typ': 'JWT'})}.{claims}"
        digest = hmac.digest(key.certificate.encode(), signed.encode(), hashlib.sha256)
        with pytest.raises(InvalidToken):
            verifier.verify(f"{signed}.{base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}")

    @pytest.mark.parametrize("token", ["", "x", "a.b", "a.b.c", "....", "é.é.é", f"{encoded([])}.{encoded({})}.x"])
    def test_what_is_no_jwt(self, verifier, token):
        with pytest.raises(MalformedToken):
            verifier.verify(token)

    def test_claims_that_are_no_object(self, verifier):
        with pytest.raises(MalformedToken):
            verifier.verify(f"{encoded({'alg': 'RS256', 'kid': 'first'})}.{encoded([1])}.x")


class TestCertificates:
    def test_they_are_fetched_once_for_many(self, endpoint, verifier, key):
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda n: verifier.verify(key.token(f"u{n}")), range(16)))
        assert endpoint.asked == 1

    def test_they_are_kept_as_long_as_cache_control_says(self, endpoint, verifier, key, clock):
        endpoint.answer.headers = {"Cache-Control": "public, max-age=120"}
        verifier.verify(key.token("a"))
        clock.ahead = 115
        verifier.verify(key.token("b"))
        assert endpoint.asked == 1
        clock.ahead = 125
        verifier.verify(key.token("c"))
        assert endpoint.asked == 2

    def test_without_cache_control_they_are_kept_an_hour(self, endpoint, verifier, key, clock):
        endpoint.answer.headers = {}
        verifier.verify(key.token("a"))
        clock.ahead = 3590
        verifier.verify(key.token("b"))
        assert endpoint.asked == 1
        clock.ahead = 3605
        verifier.verify(key.token("c", exp=now() + 9000))
        assert endpoint.asked == 2

    def test_a_new_key_is_fetched_when_it_is_first_seen(self, endpoint, verifier, key, other_key, clock):
        verifier.verify(key.token())
        endpoint.serve(key, other_key)
        clock.ahead = 61
        assert verifier.verify(other_key.token("bob")).uid == "bob"
        assert verifier.verify(key.token("carol")).uid == "carol"
        assert endpoint.asked == 2

    def test_made_up_key_ids_do_not_make_us_ask_each_time(self, endpoint, verifier, key, clock):
        verifier.verify(key.token())
        clock.ahead = 61
        for number in range(5):
            with pytest.raises(InvalidToken):
                verifier.verify(key.token(headers={"kid": f"made-up-{number}"}))
        assert endpoint.asked == 2

    def test_a_key_that_is_withdrawn_counts_no_more(self, endpoint, verifier, key, other_key, clock):
        endpoint.answer.headers = {"Cache-Control": "max-age=120"}
        verifier.verify(key.token("a"))
        endpoint.serve(other_key)
        clock.ahead = 125
        with pytest.raises(InvalidToken):
            verifier.verify(key.token("b"))

    def test_without_any_nobody_can_tell(self, endpoint, verifier, key, clock):
        endpoint.answer.status = 503
        for _ in range(3):
            with pytest.raises(KeysUnavailable):
                verifier.verify(key.token())
        assert endpoint.asked == 1, "requests would queue for an endpoint that takes 5 s to fail"
        endpoint.answer.status = 200
        clock.ahead = 3
        assert verifier.verify(key.token()).uid == "alice"

    @pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"first": "no certificate"}', b'{"first": 3}'])
    def test_an_answer_that_makes_no_sense_is_none(self, endpoint, verifier, key, body):
        endpoint.answer.body = body
        with pytest.raises(KeysUnavailable):
            verifier.verify(key.token())

    def test_old_ones_are_better_than_none(self, endpoint, verifier, key, clock):
        endpoint.answer.headers = {"Cache-Control": "max-age=120"}
        verifier.verify(key.token("a"))
        endpoint.answer.status = 500
        clock.ahead = 125
        assert verifier.verify(key.token("b")).uid == "b"
        assert endpoint.asked == 2
        assert verifier.verify(key.token("c")).uid == "c"
        assert endpoint.asked == 2, "an endpoint that is down is not asked for each token"
        clock.ahead = 190
        verifier.verify(key.token("d"))
        assert endpoint.asked == 3

    def test_an_endpoint_that_is_down_is_not_asked_for_each_unknown_key(self, endpoint, verifier, key, clock):
        verifier.verify(key.token("a"))
        endpoint.answer.status = 500
        clock.ahead = 61
        for number in range(3):
            with pytest.raises(InvalidToken):
                verifier.verify(key.token(headers={"kid": f"made-up-{number}"}))
        assert endpoint.asked == 2


class TestEmulator:
    def test_unsigned_tokens_pass_there_and_their_claims_are_checked(self, key):
        verifier = TokenVerifier(PROJECT, None)
        _, claims, _ = key.token("alice").split(".")
        assert verifier.verify(f"{encoded({'alg': 'none', 'typ': 'JWT'})}.{claims}.").uid == "alice"
        _, claims, _ = key.token(exp=now() - 60).split(".")
        with pytest.raises(ExpiredToken):
            verifier.verify(f"{encoded({'alg': 'none', 'typ': 'JWT'})}.{claims}.")
        _, claims, _ = key.token(aud="other").split(".")
        with pytest.raises(WrongProjectToken):
            verifier.verify(f"{encoded({'alg': 'none', 'typ': 'JWT'})}.{claims}.")
