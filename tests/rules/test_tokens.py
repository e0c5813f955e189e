"""Which tokens the rules get to see. A real Auth decides it, so this runs on fireemu's strict profile: its users sign
up, get custom claims, and are deleted, and a token is worth what Auth says of it."""

import base64
import json
import urllib.request

import pytest

from firesuite.rules.engine import started
from firesuite.rules.parser import load
from firesuite.rules.queries import Query
from firesuite.rules.testing import Rules
from firesuite.rules.tokens import Caller, unsigned
from firesuite.rules.values import NOW

from .conftest import ROOT

PROJECT = "demo-strict"


class Auth:
    """The part of Identity Toolkit that these tests need."""

    def __init__(self, port):
        self._port = port

    def call(self, method, body, *, admin=False):
        project = f"projects/{PROJECT}/" if admin else ""
        url = f"http://127.0.0.1:{self._port}/identitytoolkit.googleapis.com/v1/{project}accounts:{method}?key=any"
        headers = {"content-type": "application/json"} | ({"authorization": "Bearer owner"} if admin else {})
        with urllib.request.urlopen(urllib.request.Request(url, json.dumps(body).encode(), headers)) as answer:
            return json.load(answer)

    def sign_up(self, name):
        answer = self.call(
            "signUp", {"email": f"{name}@example.com", "password": "secret-1", "returnSecureToken": True}
        )
        return answer["localId"]

    def import_user(self, uid, name):
        body = {"localId": uid, "email": f"{name}@example.com", "password": "secret-1"}
        url = f"http://127.0.0.1:{self._port}/identitytoolkit.googleapis.com/v1/projects/{PROJECT}/accounts"
        headers = {"content-type": "application/json", "authorization": "Bearer owner"}
        with urllib.request.urlopen(urllib.request.Request(url, json.dumps(body).encode(), headers)):
            """It has no more to say."""

    def sign_in(self, name):
        answer = self.call(
            "signInWithPassword", {"email": f"{name}@example.com", "password": "secret-1", "returnSecureToken": True}
        )
        return answer["idToken"]

    def claim(self, uid, **claims):
        self.call("update", {"localId": uid, "customAttributes": json.dumps(claims)}, admin=True)

    def delete(self, uid):
        self.call("delete", {"localId": uid}, admin=True)


@pytest.fixture(scope="module")
def _strict():
    with started(PROJECT, profile="strict") as engine:
        source, _ = load(ROOT / "rules" / "firestore.rules")
        yield Rules(engine, source)


@pytest.fixture
def strict(_strict):
    _strict.reset()
    return _strict


@pytest.fixture(scope="module")
def auth(_strict):
    return Auth(_strict.engine.control_port)


@pytest.fixture
def alice(auth, request):
    """A uid and the name to sign in with, new for each test."""
    name = f"alice{abs(hash(request.node.nodeid))}"
    return auth.sign_up(name), name


def bearing(rules, token):
    return rules.as_caller(Caller(token=token))


def payload(token):
    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def test_a_signed_in_user_reads_and_marks_his_own(strict, auth, alice):
    uid, name = alice
    strict.seed({"orders/o1": {"userId": uid}, f"users/{uid}/notifications/n1": {"readAt": None}})
    client = bearing(strict, auth.sign_in(name))
    assert strict.assert_allowed(client.get("orders/o1")) == {"userId": uid}
    assert len(strict.assert_allowed(client.query(Query("orders", [("userId", "==", uid)], limit=100)))) == 1
    strict.assert_allowed(client.update(f"users/{uid}/notifications/n1", {"readAt": NOW}))


@pytest.mark.parametrize("uid", ["auth0|5f7c", "kakao:123", "a.b@x.com", "_x", "ü", "a 'b' c", "%2F", '"'])
def test_so_does_one_whose_id_comes_from_elsewhere(strict, auth, uid):
    name = f"imported{abs(hash(uid))}"
    auth.import_user(uid, name)
    strict.seed({f"users/{uid}": {"version": 1}, "orders/o1": {"userId": uid}, "orders/o2": {"userId": f"{uid}x"}})
    strict.seed({f"users/{uid}/notifications/n1": {"readAt": None}, f"users/{uid}x": {"version": 1}})
    client = bearing(strict, auth.sign_in(name))
    assert strict.assert_allowed(client.get(f"users/{uid}")) == {"version": 1}
    assert len(strict.assert_allowed(client.query(Query("orders", [("userId", "==", uid)], limit=100)))) == 1
    strict.assert_allowed(client.update(f"users/{uid}/notifications/n1", {"readAt": NOW}))
    strict.assert_denied(client.get(f"users/{uid}x"))
    strict.assert_denied(client.get("orders/o2"))


def test_an_admin_is_who_has_the_claim_from_auth(strict, auth, alice):
    uid, name = alice
    before = bearing(strict, auth.sign_in(name))
    strict.assert_denied(before.get("auditLog/a1"))
    auth.claim(uid, role="admin")
    strict.assert_denied(before.get("auditLog/a1"))
    strict.assert_allowed(bearing(strict, auth.sign_in(name)).get("auditLog/a1"))


@pytest.mark.parametrize("state", ["deleted", "disabled"])
def test_the_next_token_after_the_claim_reads_nothing(strict, auth, alice, state):
    uid, name = alice
    strict.seed({"orders/o1": {"userId": uid}, "products/p1": {"active": True}})
    strict.assert_allowed(bearing(strict, auth.sign_in(name)).get("orders/o1"))
    auth.claim(uid, accountState=state)
    client = bearing(strict, auth.sign_in(name))
    strict.assert_denied(client.get("orders/o1"))
    strict.assert_denied(client.get("products/p1"))
    strict.assert_denied(client.get(f"users/{uid}"))


def test_the_token_of_a_deleted_user_is_worth_nothing(strict, auth, alice):
    uid, name = alice
    strict.seed({"orders/o1": {"userId": uid}})
    client = bearing(strict, auth.sign_in(name))
    auth.delete(uid)
    strict.assert_denied(client.get("orders/o1"))


def test_tokens_that_auth_did_not_mint_gain_nothing(strict, auth, alice):
    uid, name = alice
    strict.seed({"orders/o1": {"userId": uid}, "products/p1": {"active": True}})
    good = payload(auth.sign_in(name))
    now = good["iat"]
    signed = ".".join([auth.sign_in(name).split(".")[0], unsigned(good).split(".")[1], "Zm9yZ2Vk"])
    forged = {
        "nobody's uid": unsigned({**good, "sub": "nobody", "user_id": "nobody"}),
        "another project": unsigned({**good, "aud": "demo-else", "iss": "https://securetoken.google.com/demo-else"}),
        "another issuer": unsigned({**good, "iss": "https://example.com/"}),
        "expired": unsigned({**good, "iat": now - 7200, "auth_time": now - 7200, "exp": now - 3600}),
        "no subject": unsigned({key: value for key, value in good.items() if key != "sub"}),
        "a signature of one's own": signed.replace(
            signed.split(".")[0], "eyJhbGciOiJSUzI1NiIsImtpZCI6IngiLCJ0eXAiOiJKV1QifQ"
        ),
        "no token": "garbage",
        "empty": "a.b.c",
    }
    for what, token in forged.items():
        for path in ("orders/o1", "products/p1", "auditLog/a1", f"users/{uid}"):
            outcome = bearing(strict, token).get(path)
            assert not outcome.allowed, f"{what}: {path}"
