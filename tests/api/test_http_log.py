"""The log: one line for each request, and nothing in it that is about a person."""

import io
import json
import logging
import re
import uuid

import pytest

from firesuite.faults import mentioning
from wattle.api import ROUTES
from wattle.context import Context
from wattle.http.routing import Route
from wattle.kit.logging import JsonFormatter
from wattle.services import Services

FIELDS = {
    "severity",
    "message",
    "time",
    "logger",
    "requestId",
    "method",
    "route",
    "status",
    "code",
    "ms",
    "user",
    "reads",
    "writes",
    "deletes",
    "roundTrips",
}
TRACE = "0af7651916cd43dd8448eb211c80319c"


def careless(services: Services, ctx: Context) -> None:
    """What a library might raise."""
    caller = ctx.user
    cause = KeyError(caller.email)
    raise ValueError(
        f"no document projects/p/databases/(default)/documents/users/{caller.uid} for {caller.email}, name"
        f" '{caller.name}', phone +61 412 345 678, input_value='{caller.name}'"
    ) from cause


@pytest.fixture
def lines():
    """The lines that are written meanwhile, as Cloud Logging gets them."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    logger = logging.getLogger("wattle")
    logger.addHandler(handler)
    before = logger.level
    logger.setLevel(logging.DEBUG)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    logger.removeHandler(handler)
    logger.setLevel(before)


@pytest.fixture
def api(instance):
    return instance(routes=[*ROUTES, Route("GET", "/v1/careless", careless)])


def access(lines):
    return [line for line in lines() if line["logger"] == "wattle.access"]


class TestLine:
    def test_each_request_is_one_line(self, api, lines, user):
        api.http.get("/v1/users/me", headers=user.headers)
        api.http.get("/v1/orders/nosuch", headers=user.headers)
        api.http.get("/v1/nothing/here")
        api.http.post("/v1/batch", json={"requests": [{"path": "/v1/users/me"}] * 3}, headers=user.headers)
        me, order, nothing, batch = access(lines)
        assert set(me) == FIELDS
        assert (me["method"], me["route"], me["status"], me["code"]) == ("GET", "GET /v1/users/me", 200, None)
        assert (me["writes"], me["message"], me["severity"]) == (1, "request", "INFO")
        assert me["ms"] > 0
        assert (order["route"], order["code"], order["reads"]) == ("GET /v1/orders/{order_id}", "ORDER_NOT_FOUND", 1)
        assert (nothing["route"], nothing["status"], nothing["user"]) == (None, 404, None)
        assert (batch["route"], batch["reads"]) == ("POST /v1/batch", 3)
        assert me["user"] == order["user"] == batch["user"]

    def test_maintenance_is_no_failure(self, instance, lines):
        closed = instance(MAINTENANCE="true")
        assert closed.http.get("/v1/products").json()["code"] == "MAINTENANCE"
        assert [(line["severity"], line["message"]) for line in lines()] == [("INFO", "request")]

    @pytest.mark.parametrize(
        ("header", "value", "expected"),
        [
            ("traceparent", f"00-{TRACE}-b7ad6b7169203331-01", (True, "b7ad6b7169203331")),
            ("traceparent", f"00-{TRACE}-b7ad6b7169203331-00", (False, "b7ad6b7169203331")),
            ("X-Cloud-Trace-Context", f"{TRACE}/1234567890;o=1", (True, None)),
            ("X-Cloud-Trace-Context", TRACE, (False, None)),
        ],
    )
    def test_it_belongs_to_the_trace_of_its_request(self, api, lines, header, value, expected):
        api.http.get("/health", headers={header: value})
        (line,) = access(lines)
        assert line["logging.googleapis.com/trace"] == f"projects/{api.config.project_id}/traces/{TRACE}"
        found = (line["logging.googleapis.com/trace_sampled"], line.get("logging.googleapis.com/spanId"))
        assert found == expected

    @pytest.mark.parametrize("value", ["", "x", f"00-{TRACE}", f"00-{TRACE.upper()}-b7ad6b7169203331-01"])
    def test_what_is_no_trace_is_left_out(self, api, lines, value):
        api.http.get("/health", headers={"traceparent": value, "X-Cloud-Trace-Context": value})
        (line,) = access(lines)
        assert set(line) == FIELDS

    def test_a_user_has_another_name_under_another_secret(self, api, instance, lines, user, stranger):
        other = instance(SIGNING_SECRET="another secret, which is long enough too")
        for where, who in ((api, user), (other, user), (api, stranger), (api, user)):
            where.http.get("/v1/users/me", headers=who.headers)
        first, elsewhere, stranger_, again = [line["user"] for line in access(lines)]
        assert re.fullmatch("[0-9a-f]{16}", first)
        assert first == again
        assert len({first, elsewhere, stranger_}) == 3


class TestPrivacy:
    def test_nothing_that_is_about_a_person_is_written(self, api, backend, lines):
        name, note = f"Zora {uuid.uuid4().hex}", f"note {uuid.uuid4().hex}"
        person = backend.user(displayName=name)
        backend.account(person.uid, emailVerified=True)
        product = backend.product()
        get, headers = api.http.get, person.headers
        body = {"items": [{"productId": product, "quantity": 1}], "note": note}
        order = api.http.post("/v1/orders", json=body, headers={**headers, "Idempotency-Key": "k-" + note[5:]})
        order_id = order.json()["data"]["id"]
        phone = "+61412345678"
        api.http.patch("/v1/users/me", json={"displayName": name, "phoneNumber": phone}, headers=headers)
        get(f"/v1/orders/{order_id}", headers=headers)
        get(f"/v1/orders/{order_id}/no/{person.email}", headers=headers)
        get("/v1/orders", params={"cursor": person.email}, headers=headers)
        get("/v1/screens/home", headers={**headers, "X-Request-Id": f"{person.email}"})
        get("/v1/users/me", headers={"Authorization": f"Bearer {person.token}x.y.z"})
        get("/v1/users/me", headers={**headers, "X-Forwarded-For": "203.0.113.99"})
        password = "a password that nobody else has"
        api.http.post("/v1/auth/login", json={"email": person.email, "password": password})
        assert get("/v1/careless", headers=headers).status_code == 500
        for about in ("/documents/users/", "orders"):
            api.faults.follow(mentioning(about))
            get(f"/v1/orders/{order_id}", headers=headers)
            get("/v1/screens/home", headers=headers)
        written = json.dumps(lines(), ensure_ascii=False)
        assert len(access(lines)) >= 14
        assert "Traceback" in written
        secrets = {
            "address": person.email,
            "name": name.split()[1],
            "id": person.uid,
            "token": person.token,
            "claims": person.token.split(".")[1],
            "order": order_id,
            "product": product,
            "note": note[5:],
            "phone": "412345678",
            "phone in a message": "412 345",
            "password": password,
            "network": "203.0.113.99",
        }
        assert {what for what, secret in secrets.items() if secret in written} == set()

    def test_what_remains_of_an_exception_says_where_it_was(self, api, lines, user):
        api.http.get("/v1/careless", headers=user.headers)
        (line,) = [line for line in lines() if line["severity"] == "ERROR"]
        assert line["message"].startswith("unexpected\nTraceback (most recent call last):\n")
        assert "in careless" in line["message"]
        assert "builtins.KeyError: <value>" in line["message"]
        assert "builtins.ValueError: no document projects/p/databases/(default)/documents/<path>" in line["message"]
        assert line["requestId"]
