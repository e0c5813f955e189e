"""Who calls: each way in which a token can be wrong has its own code."""

import time
from types import SimpleNamespace

import pytest
from tests.signing import PROJECT, CertificateEndpoint, Key
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request

from wattle.accounts.errors import RecentSignInRequired, TokenRevoked
from wattle.accounts.service import AccountService
from wattle.adapters.identity import Account
from wattle.adapters.identity_toolkit import IdentityUnavailable
from wattle.adapters.keys import KeyStore, certificates
from wattle.adapters.tokens import TokenVerifier
from wattle.context import Caller, Role
from wattle.errors import WattleError
from wattle.http.authentication import EmailNotVerified, authorise, bearer, demanded, identify, signed_in
from wattle.http.exchange import Exchange
from wattle.http.routing import Access, Route
from wattle.kit.retry import Deadline

ADMINISTRATOR = Account(
    uid="alice",
    email=None,
    email_verified=False,
    display_name=None,
    phone_number=None,
    photo_url=None,
    disabled=False,
    tokens_valid_after=0,
    claims={"role": "admin"},
    initial_email=None,
    providers=(),
    second_factors=(),
    created_at=None,
    last_sign_in_at=None,
)


class Accounts:
    """Identity Toolkit's answers about accounts, in place of the network."""

    def __init__(self) -> None:
        self.answer: Account | Exception | None = ADMINISTRATOR
        self.asked = 0

    def account(self, uid):
        self.asked += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def authenticate(header, access, services, method="GET"):
    """The caller that both steps leave behind."""
    headers = {} if header is None else {"Authorization": header}
    request = Request(EnvironBuilder(method=method, headers=headers).get_environ())
    exchange = Exchange(request, services, None, "r")
    exchange.bound = SimpleNamespace(route=Route(method, "/v1/things", None, access), asks=frozenset())
    identify(exchange)
    authorise(exchange)
    return exchange.caller


class Sessions:
    """Stands in for the sessions, which tests of their own try with a database; it notes how it was asked."""

    def __init__(self) -> None:
        self.asked = []
        self.revoked = False
        self.recent = True

    def check(self, caller, deadline, *, at_once, returning=False):
        self.asked.append("at once" if at_once else "by the list")
        if returning:
            self.asked.append("returning")

        def demand():
            self.asked.append("demanded")
            if self.revoked:
                raise TokenRevoked

        return demand

    def demand_recent(self, caller):
        if not self.recent:
            raise RecentSignInRequired


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
def sessions():
    return Sessions()


@pytest.fixture
def services(verifier, accounts, sessions):
    service = AccountService(
        accounts, verifier, control=None, deletion=None, devices=None, pace=None, confirmed_registration=True
    )
    config = SimpleNamespace(proven_addresses=False)
    return SimpleNamespace(verifier=verifier, accounts=service, sessions=sessions, config=config)


@pytest.fixture
def call(services):
    def call(header, access=Access.USER, method="GET"):
        return authenticate(header, access, services, method)

    return call


@pytest.fixture
def refused(call):
    def refused(header, access=Access.USER, method="GET"):
        with pytest.raises(WattleError) as caught:
            call(header, access, method)
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


def test_nobody_can_tell(services, key):
    endpoint = CertificateEndpoint(key)
    endpoint.answer.status = 500
    services.verifier = TokenVerifier(PROJECT, KeyStore(endpoint.url, certificates))
    with pytest.raises(WattleError) as caught:
        authenticate(f"Bearer {key.token()}", Access.USER, services)
    endpoint.close()
    assert (caught.value.code.name, caught.value.retry_after) == ("UNAVAILABLE", 2)


def test_a_public_route_does_not_look(call):
    assert call("Bearer nonsense", Access.PUBLIC) is None


def test_a_users_route_asks_nobody(call, accounts, key):
    assert call(f"Bearer {key.token('alice')}").uid == "alice"
    assert accounts.asked == 0


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_a_write_asks_now_and_a_read_the_list(call, sessions, key, method):
    call(f"Bearer {key.token()}", method=method)
    call(f"Bearer {key.token()}", method="GET")
    assert sessions.asked == ["at once", "by the list"]


@pytest.mark.parametrize("access", [Access.CHECKED_USER, Access.RECENT_USER])
def test_what_is_no_mere_commit_waits_for_the_answer(refused, sessions, key, access):
    sessions.revoked = True
    assert refused(f"Bearer {key.token()}", access) == "TOKEN_REVOKED"
    assert sessions.asked == ["at once", "demanded"]


def test_a_recent_sign_in_is_demanded_first(refused, sessions, key):
    sessions.recent = False
    assert refused(f"Bearer {key.token()}", Access.RECENT_USER) == "RECENT_SIGN_IN_REQUIRED"
    assert sessions.asked == []


def test_who_undoes_a_deletion_says_so(call, sessions, key):
    call(f"Bearer {key.token()}", Access.RETURNING_USER)
    assert sessions.asked == ["by the list", "returning"]


@pytest.mark.parametrize(
    ("claim", "state"), [(None, "active"), ("deleted", "deleted"), ("new", "disabled"), (3, "active")]
)
def test_a_state_that_is_not_known_is_not_active(call, key, claim, state):
    assert call(f"Bearer {key.token(accountState=claim)}").account_state == state


class TestDemanded:
    def refuse(self):
        raise TokenRevoked

    def test_the_answer_is_held_back(self):
        with pytest.raises(TokenRevoked), demanded(self.refuse):
            """Nothing is written."""

    def test_so_is_any_other_refusal(self):
        with pytest.raises(TokenRevoked), demanded(self.refuse):
            raise RecentSignInRequired

    def test_a_defect_stays_one(self):
        with pytest.raises(ZeroDivisionError), demanded(self.refuse):
            1 / 0  # noqa: B018 (stands for any)


def test_a_callable_asks_for_a_proven_address_where_that_is_demanded(services, key):
    header = f"Bearer {key.token(email_verified=False)}"
    assert signed_in(header, services, Deadline.after(60))[0].uid == "alice"
    services.config.proven_addresses = True
    with pytest.raises(EmailNotVerified):
        signed_in(header, services, Deadline.after(60))
    assert signed_in(f"Bearer {key.token()}", services, Deadline.after(60))[0].uid == "alice"


@pytest.mark.parametrize(("claim", "role"), [("admin", Role.ADMIN), ("root", None), (None, None), (["admin"], None)])
def test_a_role_that_is_not_known_gives_no_rights(call, key, claim, role):
    assert call(f"Bearer {key.token(role=claim)}").role is role


def test_an_administrators_route_asks_for_the_role_first(refused, accounts, key):
    assert refused(f"Bearer {key.token()}", Access.ADMIN) == "ROLE_REQUIRED"
    assert accounts.asked == 0


class TestAdministrators:
    @pytest.fixture
    def header(self, key):
        return f"Bearer {key.token(role='admin')}"

    def test_one_who_is(self, call, header):
        assert call(header, Access.ADMIN).uid == "alice"

    @pytest.mark.parametrize(
        ("changes", "code"),
        [
            ({"tokens_valid_after": 2**40}, "TOKEN_REVOKED"),
            ({"disabled": True}, "USER_DISABLED"),
            ({"claims": {"role": "admin", "accountState": "deleted"}}, "ACCOUNT_DELETED"),
            ({"claims": {}}, "ROLE_REQUIRED"),
        ],
    )
    def test_what_identity_toolkit_says_now_counts(self, refused, accounts, header, changes, code):
        accounts.answer = ADMINISTRATOR._replace(**changes)
        assert refused(header, Access.ADMIN) == code

    def test_one_who_is_gone(self, refused, accounts, header):
        accounts.answer = None
        assert refused(header, Access.ADMIN) == "TOKEN_REVOKED"

    def test_nobody_can_tell(self, refused, accounts, header):
        accounts.answer = IdentityUnavailable("away")
        assert refused(header, Access.ADMIN) == "UNAVAILABLE"


def test_a_caller_is_shown_without_his_token():
    assert "secret" not in repr(Caller("u1", None, 0, id_token="secret.token"))
