"""Callable functions over the protocol that the Firebase SDKs speak ("Protocol specification for https.onCall")."""

import base64
import json
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from firebase_functions import https_fn
from flask import Flask, request
from tests.api.orders import lines, placed, stock
from tests.backend import eventually
from tests.signing import CertificateEndpoint, Key

from wattle import callables
from wattle.adapters.keys import KeyStore, certificates
from wattle.adapters.tokens import TokenVerifier

NAMES = list(callables.CALLS)
DEVICE = {
    "deviceId": "phone",
    "fid": "cXyz0123456789abcdefgh",
    "platform": "ios",
    "appVersion": "1.0",
    "locale": "en-AU",
}


@pytest.fixture(scope="module")
def call(backend):
    """Calls a function as an SDK does: `call("createOrder", data, user)`."""
    with httpx.Client(timeout=60) as client:

        def post(name, data=None, user=None, *, headers=None, **options):
            sent = {**(user.headers if user else {}), **(headers or {})}
            body = options or {"json": {"data": data}}
            return client.post(backend.suite.function_url(name), headers=sent, **body)

        yield post


def failed(response):
    """The HTTP status, the SDK's status and our code of an error in the protocol's form."""
    error = response.json()["error"]
    assert set(error) == {"status", "message", "details"}
    assert error["message"]
    assert error["details"]["requestId"]
    return response.status_code, error["status"], error["details"]["code"]


def unsigned(**claims):
    """A token as the emulator makes them."""
    now = int(time.time())
    payload = {
        "iss": "https://securetoken.google.com/demo-wattle",
        "aud": "demo-wattle",
        "sub": "somebody",
        "iat": now,
        "auth_time": now,
        "exp": now + 3600,
        **claims,
    }
    parts = [json.dumps(part).encode() for part in ({"alg": "none", "typ": "JWT"}, payload)]
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts) + "."


@pytest.mark.parametrize("name", NAMES)
class TestProtocol:
    def test_nobody_without_signing_in(self, call, name):
        assert failed(call(name, {})) == (401, "UNAUTHENTICATED", "TOKEN_MISSING")

    @pytest.mark.parametrize(
        ("token", "code"),
        [
            ("rubbish", "TOKEN_MALFORMED"),
            (unsigned(exp=1_700_000_000), "TOKEN_EXPIRED"),
            (unsigned(aud="other", iss="https://securetoken.google.com/other"), "TOKEN_WRONG_PROJECT"),
            (unsigned(sub=""), "TOKEN_INVALID"),
        ],
    )
    def test_a_token_that_is_not_valid(self, call, name, token, code):
        response = call(name, {}, headers={"Authorization": f"Bearer {token}"})
        assert failed(response) == (401, "UNAUTHENTICATED", code)
        assert response.headers["Access-Control-Allow-Origin"] == "*"

    @pytest.mark.parametrize(
        ("body", "code"),
        [
            ({"content": b"{"}, "INVALID_JSON"),
            ({"content": b""}, "INVALID_JSON"),
            ({"content": b"[]"}, "INVALID_JSON"),
            ({"content": b"{}"}, "INVALID_JSON"),
            ({"content": b'{"data": {}, "more": 1}'}, "INVALID_JSON"),
            ({"content": b'{"data": ' + b"[" * 5000 + b"]" * 5000 + b"}"}, "INVALID_JSON"),
            ({"content": b'{"data": {"note": "\\ud800"}}'}, "INVALID_JSON"),
            ({"content": b'{"data": "' + b"x" * 1_000_000 + b'"}'}, "BODY_TOO_LARGE"),
        ],
        ids=["broken", "empty", "no object", "no data", "more than data", "deep", "half a surrogate", "large"],
    )
    def test_a_body_of_another_form(self, call, user, name, body, code):
        response = call(name, user=user, headers={"Content-Type": "application/json"}, **body)
        assert failed(response) == (400, "INVALID_ARGUMENT", code)

    def test_a_body_of_another_type(self, call, user, name):
        response = call(name, user=user, headers={"Content-Type": "text/plain"}, content=b'{"data": {}}')
        assert failed(response) == (400, "INVALID_ARGUMENT", "UNSUPPORTED_MEDIA_TYPE")

    @pytest.mark.parametrize("data", [None, [], 3, "text", {}, {"unknown": 1}])
    def test_data_of_another_form_names_the_fields(self, call, user, name, data):
        response = call(name, data, user)
        assert failed(response) == (400, "INVALID_ARGUMENT", "VALIDATION_FAILED")
        assert all(error["field"] for error in response.json()["error"]["details"]["errors"])

    def test_a_token_of_app_check_is_not_looked_at_while_it_is_switched_off(self, backend, call, user, name):
        response = call(name, {}, user, headers={"X-Firebase-AppCheck": unsigned()})
        assert failed(response) == (400, "INVALID_ARGUMENT", "VALIDATION_FAILED")
        # firebase_functions would have fetched keys for it, and have logged that it was rejected.
        assert not any("AppCheck" in line for _service, line in backend.log)

    def test_a_browser_may_call(self, backend, name):
        asked = {"Origin": "https://app.example", "Access-Control-Request-Method": "POST"}
        response = httpx.options(backend.suite.function_url(name), headers=asked)
        assert response.status_code in (200, 204)
        assert response.headers["Access-Control-Allow-Origin"] in ("*", "https://app.example")


class TestOrders:
    def test_placed_and_cancelled(self, backend, call, user):
        product = backend.product(stock=5)
        answer = call("createOrder", {"items": lines((product, 2)), "note": "by callable"}, user)
        assert answer.status_code == 200, answer.text
        order = answer.json()["result"]["order"]
        assert answer.json()["result"]["replayed"] is False
        assert user.get(f"/v1/orders/{order['id']}").json()["data"] == order
        assert stock(backend, product) == 3
        for _ in range(2):
            cancelled = call("cancelOrder", {"orderId": order["id"], "reason": "no"}, user).json()["result"]["order"]
            assert (cancelled["status"], cancelled["version"]) == ("cancelled", 2)
        assert stock(backend, product) == 5

    def test_ten_at_once_with_one_key_make_one_order(self, backend, call, user):
        product = backend.product(stock=50)
        data = {"items": lines((product, 1)), "idempotencyKey": "tap"}
        with ThreadPoolExecutor(10) as pool:
            answers = list(pool.map(lambda _: call("createOrder", data, user).json()["result"], range(10)))
        assert len({answer["order"]["id"] for answer in answers}) == 1
        assert sum(not answer["replayed"] for answer in answers) == 1
        assert stock(backend, product) == 49
        other = call("createOrder", {**data, "note": "another"}, user)
        assert failed(other) == (400, "FAILED_PRECONDITION", "IDEMPOTENCY_KEY_REUSED")

    @pytest.mark.parametrize("key", [5, "", "two words", "x" * 256])
    def test_a_key_has_a_form(self, call, user, key):
        response = call("createOrder", {"items": lines(("p", 1)), "idempotencyKey": key}, user)
        assert failed(response) == (400, "INVALID_ARGUMENT", "VALIDATION_FAILED")
        assert [e["field"] for e in response.json()["error"]["details"]["errors"]] == ["idempotencyKey"]

    def test_errors_carry_what_the_rest_api_says(self, backend, call, user, stranger):
        product = backend.product(stock=1)
        short = call("createOrder", {"items": lines((product, 2))}, user)
        assert failed(short) == (400, "FAILED_PRECONDITION", "OUT_OF_STOCK")
        assert short.json()["error"]["details"]["errors"] == [
            {"field": "items[0].quantity", "code": "OUT_OF_STOCK", "message": "1 left."}
        ]
        order = placed(user, (product, 1))
        assert failed(call("cancelOrder", {"orderId": order["id"]}, stranger)) == (404, "NOT_FOUND", "ORDER_NOT_FOUND")
        assert failed(call("cancelOrder", {"orderId": "a/b"}, user))[1:] == ("INVALID_ARGUMENT", "VALIDATION_FAILED")
        assert stock(backend, product) == 0


LONG = "type.googleapis.com/google.protobuf.Int64Value"
UNSIGNED_LONG = "type.googleapis.com/google.protobuf.UInt64Value"


class TestNumbers:
    """As the SDKs send them: Swift's Int and Kotlin's Long in an object of their own, a double as 2.0."""

    @pytest.mark.parametrize(
        "quantity",
        [
            {"@type": LONG, "value": "2"},
            {"@type": UNSIGNED_LONG, "value": "2"},
            {"@type": LONG, "value": 2},
            {"@type": LONG, "value": "2.0"},
            2.0,
        ],
        ids=str,
    )
    def test_a_number_is_taken_in_each_of_its_forms(self, backend, call, user, quantity):
        product = backend.product(stock=5)
        answer = call("createOrder", {"items": [{"productId": product, "quantity": quantity}]}, user)
        assert answer.status_code == 200, answer.text
        assert answer.json()["result"]["order"]["items"][0]["quantity"] == 2
        assert stock(backend, product) == 3

    def test_the_same_tap_from_another_sdk_is_the_same_call(self, backend, call, user):
        product = backend.product(stock=5)
        forms = (2, 2.0, {"@type": LONG, "value": "2"})
        tap = [{"items": lines((product, number)), "idempotencyKey": "tap"} for number in forms]
        answers = [call("createOrder", data, user).json()["result"] for data in tap]
        assert [answer["replayed"] for answer in answers] == [False, True, True]
        assert stock(backend, product) == 3

    @pytest.mark.parametrize(
        "quantity",
        [
            {"@type": LONG, "value": "many"},
            {"@type": LONG, "value": ""},
            {"@type": LONG, "value": "2 or 3"},
            {"@type": LONG, "value": "2.5"},
            {"@type": LONG, "value": "9223372036854775807"},
            {"@type": LONG, "value": "1e999"},
            {"@type": LONG, "value": "9" * 5000},
            {"@type": LONG, "value": True},
            {"@type": LONG, "value": ["2"]},
            {"@type": LONG},
            {"@type": "type.googleapis.com/google.protobuf.Timestamp", "value": "2"},
            {"@type": ["2"], "value": "2"},
            {"value": "2"},
            "2",
            2.5,
        ],
        ids=lambda given: str(given)[:80],
    )
    def test_what_is_none_is_named(self, backend, call, user, quantity):
        product = backend.product(stock=5)
        items = [
            {"productId": product, "quantity": {"@type": LONG, "value": "1"}},
            {"productId": "p", "quantity": quantity},
        ]
        response = call("createOrder", {"items": items}, user)
        assert failed(response) == (400, "INVALID_ARGUMENT", "VALIDATION_FAILED")
        assert {error["field"] for error in response.json()["error"]["details"]["errors"]} == {"items[1].quantity"}
        assert stock(backend, product) == 5

    def test_a_number_is_no_text_and_no_object(self, call, user):
        wrapped = {"@type": LONG, "value": "2"}
        refused = call("cancelOrder", {"orderId": wrapped, "reason": wrapped}, user)
        assert failed(refused) == (400, "INVALID_ARGUMENT", "VALIDATION_FAILED")
        named = [error["field"] for error in refused.json()["error"]["details"]["errors"]]
        assert sorted(named) == ["orderId", "reason"]
        assert failed(call("cancelOrder", wrapped, user)) == (400, "INVALID_ARGUMENT", "VALIDATION_FAILED")

    def test_the_sdks_read_what_we_answer(self, backend, call, user, admin):
        """An object with `@type` would be taken for a number, and a number that is not whole for no Long."""
        product = backend.product(stock=5)
        placed_ = call("createOrder", {"items": lines((product, 2)), "idempotencyKey": "tap"}, user).json()
        order = placed_["result"]["order"]
        admin.post(f"/v1/admin/orders/{order['id']}/status", {"status": "confirmed"})
        (entry,) = eventually(lambda: user.get("/v1/notifications").json()["data"])
        answers = [
            placed_,
            call("cancelOrder", {"orderId": order["id"]}, user).json(),
            call("registerDevice", {**DEVICE, "fid": f"c{user.uid[:21]}"}, user).json(),
            call("markNotificationRead", {"notificationId": entry["id"]}, user).json(),
            call("createOrder", {"items": lines((product, 9))}, user).json(),
        ]
        assert [set(answer) for answer in answers] == [{"result"}] * 4 + [{"error"}]
        numbers = [part for answer in answers for part in parts(answer) if isinstance(part, int | float)]
        assert numbers
        assert all(isinstance(number, int) for number in numbers)
        assert "@type" not in json.dumps(answers)


def parts(value):
    """A JSON value, and all that is in it."""
    yield value
    members = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for member in members:
        yield from parts(member)


class TestDevicesAndInbox:
    def test_a_registered_device_is_told_and_the_message_is_read(self, backend, call, user, admin):
        fid = f"c{user.uid[:21]}"
        device = call("registerDevice", {**DEVICE, "fid": fid}, user).json()["result"]["device"]
        assert (device["id"], device["platform"]) == ("phone", "ios")
        order = placed(user, (backend.product(), 1))
        admin.post(f"/v1/admin/orders/{order['id']}/status", {"status": "confirmed"})
        (entry,) = eventually(lambda: user.get("/v1/notifications").json()["data"])
        read = [call("markNotificationRead", {"notificationId": entry["id"]}, user) for _ in range(2)]
        first, again = (answer.json()["result"]["notification"] for answer in read)
        assert first["readAt"] is not None
        assert again == first

    def test_what_is_somebody_elses_is_not_there(self, call, user):
        response = call("markNotificationRead", {"notificationId": "nosuch"}, user)
        assert failed(response) == (404, "NOT_FOUND", "NOTIFICATION_NOT_FOUND")

    def test_a_device_has_one_target(self, call, user):
        response = call("registerDevice", {**DEVICE, "token": "x"}, user)
        assert failed(response) == (400, "INVALID_ARGUMENT", "VALIDATION_FAILED")


class TestInProduction:
    """Where tokens are signed: the emulator's are not, so the keys are ours."""

    @pytest.fixture
    def served(self, instance):
        key = Key("one")
        endpoint = CertificateEndpoint(key)
        one = instance()
        one.services.verifier = TokenVerifier("demo-wattle", KeyStore(endpoint.url, certificates))
        app = Flask("callables")
        handler = callables.exported(lambda: one.services, https_fn.on_call(), "createOrder")
        app.add_url_rule("/", "call", lambda: handler(request), methods=["POST"])
        yield key, app.test_client()
        endpoint.close()

    def test_an_unsigned_token_is_refused(self, served):
        _, client = served
        answer = client.post("/", json={"data": {}}, headers={"Authorization": f"Bearer {unsigned()}"})
        assert (answer.status_code, answer.json["error"]["details"]["code"]) == (401, "TOKEN_INVALID")

    def test_a_signed_one_is_not(self, served):
        key, client = served
        answer = client.post("/", json={"data": {}}, headers={"Authorization": f"Bearer {key.token()}"})
        assert answer.json["error"]["details"]["code"] == "VALIDATION_FAILED"
