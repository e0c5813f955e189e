"""Each route, called by each kind of caller, with really signed tokens: what they are told, and what must not happen.

The table is made from `api.ROUTES`. A new user's route needs a row in STRANGERS, and every new route one in
`tests.samples`.
"""

import itertools
import time
from dataclasses import dataclass

import pytest
from tests.in_process import Instance
from tests.samples import sample
from tests.signing import PROJECT, CertificateEndpoint, Key

from wattle.adapters.keys import KeyStore, certificates
from wattle.adapters.tokens import TokenVerifier
from wattle.api import ROUTES
from wattle.http.openapi import answer_of
from wattle.http.routing import Access, bind

OWN = None
"""The route is about whoever calls it: a stranger gets what is his, and nothing of the owner's is touched."""

STRANGERS = {
    "POST /v1/auth/logout": OWN,
    "POST /v1/auth/verify-email": OWN,
    "POST /v1/auth/email": OWN,
    "POST /v1/auth/password": OWN,
    "GET /v1/users/me": OWN,
    "PATCH /v1/users/me": OWN,
    "DELETE /v1/users/me": OWN,
    "GET /v1/users/me/export": OWN,
    "GET /v1/users/{user_id}": OWN,  # the public profile
    "GET /v1/users/me/notification-preferences": OWN,
    "PATCH /v1/users/me/notification-preferences": OWN,
    "GET /v1/users/me/devices": OWN,
    "PUT /v1/users/me/devices/{device_id}": OWN,
    "DELETE /v1/users/me/devices/{device_id}": OWN,
    "GET /v1/users/me/topics": OWN,
    "PUT /v1/users/me/topics/{topic}": (409, "NO_DEVICE"),
    "DELETE /v1/users/me/topics/{topic}": OWN,
    "GET /v1/products": OWN,
    "GET /v1/products/{product_id}": OWN,
    "POST /v1/orders": OWN,
    "GET /v1/orders": OWN,
    "GET /v1/orders/{order_id}": (404, "ORDER_NOT_FOUND"),
    "PATCH /v1/orders/{order_id}": (404, "ORDER_NOT_FOUND"),
    "DELETE /v1/orders/{order_id}": (404, "ORDER_NOT_FOUND"),
    "POST /v1/orders/{order_id}/cancel": (404, "ORDER_NOT_FOUND"),
    "GET /v1/orders/{order_id}/events": (404, "ORDER_NOT_FOUND"),
    "GET /v1/notifications": OWN,
    "GET /v1/notifications/unread-count": OWN,
    "POST /v1/notifications/read-all": OWN,
    "POST /v1/notifications/{notification_id}/read": (404, "NOTIFICATION_NOT_FOUND"),
    "GET /v1/screens/home": OWN,
    "POST /v1/batch": OWN,
}

REFUSED = {
    "anonymous": (401, "TOKEN_MISSING"),
    "malformed": (401, "TOKEN_MALFORMED"),
    "expired": (401, "TOKEN_EXPIRED"),
    "other project": (401, "TOKEN_WRONG_PROJECT"),
    "other key": (401, "TOKEN_INVALID"),
    "unsigned": (401, "TOKEN_INVALID"),
    "revoked": (401, "TOKEN_REVOKED"),
    "disabled": (403, "USER_DISABLED"),
}
SERVED = ("stranger", "owner", "signed in long ago", "admin")

HANDED_ON = {"POST /v1/auth/verify-email", "POST /v1/auth/email"}
"""The caller's token goes on to Identity Toolkit, and the emulator's takes none but its own."""

PRIVATE = [route for route in ROUTES if route.access is not Access.PUBLIC]
PUBLIC = [route for route in ROUTES if route.access is Access.PUBLIC]

_addresses = (f"10.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}" for n in itertools.count(1))


def expected(route, caller):
    """(status, code) of an answer; the code is None where it succeeds."""
    success = (answer_of(bind(route)).status, None)
    if route.access is Access.PUBLIC:
        return success
    if caller in REFUSED:
        return REFUSED[caller]
    if route.access is Access.ADMIN:
        return success if caller == "admin" else (403, "ROLE_REQUIRED")
    assert route.name in STRANGERS, f"{route.name} has no row: say in STRANGERS what somebody else is told"
    if caller == "signed in long ago" and route.access is Access.RECENT_USER:
        return 401, "RECENT_SIGN_IN_REQUIRED"
    if caller in ("owner", "signed in long ago"):
        return success
    return STRANGERS[route.name] or success


@dataclass
class Doors:
    """The API with real signatures, what it sends to Firestore, and who knocks."""

    instance: Instance
    key: Key
    forger: Key
    revoked: str
    disabled: str
    """Tokens."""

    def token(self, user, **claims):
        # Signed in this second: an account counts no sign-in from before it was made.
        return self.key.token(user.uid, **{"email": user.email, "auth_time": int(time.time()), **claims})

    def header(self, caller, owner, stranger, admin):
        """The Authorization header of a caller."""
        past, now = {"auth_time": int(time.time()) - 3600, "iat": int(time.time()) - 3600}, int(time.time())
        tokens = {
            "malformed": lambda: "not.a.token",
            "expired": lambda: self.token(owner, exp=now - 60, **past),
            "other project": lambda: self.token(owner, aud="other", iss="https://securetoken.google.com/other"),
            "other key": lambda: self.forger.token(owner.uid),
            "unsigned": lambda: owner.token,
            "revoked": lambda: self.revoked,
            "disabled": lambda: self.disabled,
            "stranger": lambda: self.token(stranger),
            "owner": lambda: self.token(owner),
            "signed in long ago": lambda: self.token(owner, **past),
            "admin": lambda: self.token(admin, role="admin"),
            "unproven": lambda: self.token(admin, role="admin", email_verified=False),
        }
        return {"Authorization": f"Bearer {tokens[caller]()}"} if caller in tokens else {}


@pytest.fixture(scope="module")
def doors(backend, people, world):
    key, forger = Key("k1"), Key("k1")
    endpoint = CertificateEndpoint(key)
    revoked, disabled = backend.user(role="admin"), backend.user(role="admin")
    assert revoked.post("/v1/auth/logout", {"everywhere": True}).status_code == 200
    world.profile(disabled)
    assert world.admin.post(f"/v1/admin/users/{disabled.uid}/disable", {}).status_code == 200
    verifier = TokenVerifier(PROJECT, KeyStore(endpoint.url, certificates))
    instance = Instance(backend, verifier=verifier, REGISTRATION="proven")
    # Of sign-ins some seconds ago: before the sessions ended, and late enough for what asks for a recent one.
    tokens = [key.token(user.uid, role="admin") for user in (revoked, disabled)]
    yield Doors(instance, key, forger, *tokens)
    instance.close()
    endpoint.close()


@pytest.fixture(scope="module")
def cases(world):
    """A call of each route, for those who are refused: nothing comes of it, so it may be used again."""
    made = {}

    def of(route):
        if route.name not in made:
            owner = world.backend.user()
            made[route.name] = (owner, sample(world, route, owner))
        return made[route.name]

    return of


def send(http, route, call, header):
    headers = {**header, "X-Forwarded-For": next(_addresses)}
    body = {} if call.body is None else {"json": call.body}
    return http.request(route.method, call.path, headers=headers, **body)


def knock(doors, route, call, header):
    """The answer to a call; the paths that it would have changed, but for the counters of rate limits."""
    doors.instance.faults.reset()
    response = send(doors.instance.http, route, call, header)
    return response, [path for path in doors.instance.faults.written if not path.startswith("rateLimits/")]


def told(response):
    json = response.headers["Content-Type"].startswith("application/json")
    return response.status_code, response.json().get("code") if json else None


@pytest.mark.parametrize("caller", REFUSED)
@pytest.mark.parametrize("route", PRIVATE, ids=lambda route: route.name)
def test_who_is_refused_everywhere(doors, cases, route, caller):
    owner, call = cases(route)
    response, written = knock(doors, route, call, doors.header(caller, owner, owner, owner))
    assert told(response) == expected(route, caller)
    assert written == []


@pytest.mark.parametrize("route", PRIVATE, ids=lambda route: route.name)
def test_whose_address_is_not_proven_is_let_prove_it_or_leave(doors, world, cases, route):
    if not route.unproven:
        owner, call = cases(route)
        response, written = knock(doors, route, call, doors.header("unproven", owner, owner, owner))
        assert told(response) == (403, "EMAIL_NOT_VERIFIED")
        assert written == []
    elif route.name not in HANDED_ON:
        owner = world.backend.user()
        call = sample(world, route, owner)
        response, _ = knock(doors, route, call, doors.header("unproven", owner, owner, owner))
        assert told(response) == (answer_of(bind(route)).status, None)


@pytest.mark.parametrize("caller", SERVED)
@pytest.mark.parametrize("route", PRIVATE, ids=lambda route: route.name)
def test_who_is_served_what(doors, world, route, caller):
    owner, stranger = world.backend.user(), world.backend.user()
    admin = world.backend.user(role="admin") if caller == "admin" else world.admin
    call = sample(world, route, owner)
    header = doors.header(caller, owner, stranger, admin)
    if route.name in HANDED_ON and expected(route, caller)[1] is None:
        header = {"stranger": stranger, "admin": admin}.get(caller, owner).headers
        assert told(send(world.backend.http, route, call, header)) == expected(route, caller)
        return
    response, written = knock(doors, route, call, header)
    status, code = expected(route, caller)
    assert told(response) == (status, code), response.text[:500]
    if code is not None:
        assert written == []
    if caller == "stranger":
        assert not [path for path in written if owner.uid in path]
        assert owner.email not in response.text


@pytest.mark.parametrize("caller", ["anonymous", "malformed", "expired", "revoked", "disabled", "owner"])
@pytest.mark.parametrize("route", PUBLIC, ids=lambda route: route.name)
def test_a_public_route_asks_nobody_who_he_is(doors, world, route, caller):
    """On the running backend: signing in looks at the token that Identity Toolkit gives, which no emulator signs."""
    owner = world.backend.user()
    header = doors.header(caller, owner, owner, owner)
    assert told(send(world.backend.http, route, sample(world, route, owner), header)) == expected(route, caller)


def test_every_row_is_of_a_route():
    assert set(STRANGERS) <= {route.name for route in ROUTES}, "remove the rows of routes that are gone"
