"""Who calls: each way in which a token can be wrong has its own code."""

import time
from types import SimpleNamespace

import pytest
from tests.signing import PROJECT, CertificateEndpoint, Key
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request

from wattle.accounts.service import AccountService
from wattle.adapters.identity import Account, IdentityUnavailable
from wattle.adapters.keys import KeyStore, certificates
from wattle.adapters.tokens import TokenVerifier
from wattle.context import Role
from wattle.errors import WattleError
from wattle.http.authentication import authorise, bearer, identify
from wattle.http.exchange import Exchange
from wattle.http.routing import Access, Route


class Accounts:
    """Identity Toolkit's answers about accounts, in place of the network."""

    def __init__(self) -> None:
        self.answer: Account | Exception | None = Account("alice", disabled=False, tokens_valid_after=0)
        self.asked = 0

    def account(self, uid):
        self.asked += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def authenticate(header, access, verifier, accounts):
    """The caller that both steps leave behind."""
    request = Request(EnvironBuilder(headers={} if header is None else {"Authorization": header}).get_environ())
    exchange = Exchange(request, SimpleNamespace(verifier=verifier, accounts=accounts), None, "r")
    exchange.bound = SimpleNamespace(route=Route("GET", "/v1/things", None, access))
    identify(exchange)
    authorise(exchange)
    return exchange.caller


@pytest.fixture(scope="module")
def key():
    return Key("k1")


@pytest.fixture(scope="module")
def verifier(key):
    endpoint = CertificateEndpoint(key)
    yield TokenVerifier(PROJECT, KeyStore(endpoint.url, certificates))
    endpoint.close()


@pytest.fixture
def accounts():
    return Accounts()


@pytest.fixture
def call(verifier, accounts):
    def call(header, access=Access.USER):
        return authenticate(header, access, verifier, AccountService(accounts))

    return call


@pytest.fixture
def refused(call):
    def refused(header, access=Access.USER):
        with pytest.raises(WattleError) as caught:
            call(header, access)
        return caught.value.code.name

    return refused


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Basic YTpi", "token", "Digest x"])
def test_no_bearer_token(refused, header):
    assert refused(header) == "TOKEN_MISSING"


def test_the_scheme_is_written_as_one_likes(key):
    """RFC 9110 section 11.1."""
    assert bearer("bearer abc") == bearer("BEARER   abc ") == "abc"


def test_each_fault_of_a_token_has_its_code(refused, key):
    past = int(time.time()) - 60
    assert refused("Bearer x") == "TOKEN_MALFORMED"
    assert refused(f"Bearer {key.token(exp=past)}") == "TOKEN_EXPIRED"
    assert refused(f"Bearer {key.token(aud='other')}") == "TOKEN_WRONG_PROJECT"
    assert refused(f"Bearer {Key('k1').token()}") == "TOKEN_INVALID"


def test_nobody_can_tell(accounts, key):
    endpoint = CertificateEndpoint(key)
    endpoint.answer.status = 500
    verifier = TokenVerifier(PROJECT, KeyStore(endpoint.url, certificates))
    with pytest.raises(WattleError) as caught:
        authenticate(f"Bearer {key.token()}", Access.USER, verifier, AccountService(accounts))
    endpoint.close()
    assert (caught.value.code.name, caught.value.retry_after) == ("UNAVAILABLE", 2)


def test_a_public_route_does_not_look(call):
    assert call("Bearer nonsense", Access.PUBLIC) is None


def test_a_users_route_asks_nobody(call, accounts, key):
    assert call(f"Bearer {key.token('alice')}").uid == "alice"
    assert accounts.asked == 0


@pytest.mark.parametrize(("claim", "role"), [("admin", Role.ADMIN), ("root", None), (None, None), (["admin"], None)])
def test_a_role_that_is_not_known_gives_no_rights(call, key, claim, role):
    assert call(f"Bearer {key.token(role=claim)}").role is role


def test_an_administrators_route_asks_for_the_role_first(refused, accounts, key):
    assert refused(f"Bearer {key.token()}", Access.ADMIN) == "ROLE_REQUIRED"
    assert accounts.asked == 0


@pytest.mark.parametrize("access", [Access.FRESH_USER, Access.ADMIN])
class TestSessions:
    @pytest.fixture
    def header(self, key):
        return f"Bearer {key.token(role='admin')}"

    def test_one_that_holds(self, call, header, access):
        assert call(header, access).uid == "alice"

    def test_one_that_was_ended(self, refused, accounts, header, access):
        accounts.answer = Account("alice", disabled=False, tokens_valid_after=time.time() + 1)
        assert refused(header, access) == "TOKEN_REVOKED"

    def test_one_of_an_account_that_is_gone(self, refused, accounts, header, access):
        accounts.answer = None
        assert refused(header, access) == "TOKEN_REVOKED"

    def test_one_of_a_disabled_account(self, refused, accounts, header, access):
        accounts.answer = Account("alice", disabled=True, tokens_valid_after=0)
        assert refused(header, access) == "USER_DISABLED"

    def test_nobody_can_tell(self, refused, accounts, header, access):
        accounts.answer = IdentityUnavailable("away")
        assert refused(header, access) == "UNAVAILABLE"
