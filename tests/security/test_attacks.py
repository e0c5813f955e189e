"""Attacks from outside, each through the door that an attacker would use. What stops them is in SECURITY.md."""

import gzip
import itertools
import json
import socket
import uuid
from urllib.parse import quote

import pytest
from tests.api.orders import code, lines, place, placed
from tests.in_process import Clock, Instance
from tests.samples import sample

from wattle.api import ROUTES
from wattle.http.routing import Access, bind
from wattle.rate_limits.policies import Limits

BODIES = [route for route in ROUTES if bind(route).body is not None]
UNGATED = {"GET /v1/openapi.json", "GET /docs", "GET /health", "GET /health/ready"}
"""What answers without App Check, during maintenance, and to apps that are too old: it says nothing of anybody."""

NEVER_A_CLIENTS = {
    "id": "x",
    "userId": "x",
    "uid": "x",
    "role": "admin",
    "isAdmin": True,
    "claims": {"role": "admin"},
    "accountState": "active",
    "emailVerified": True,
    "disabled": False,
    "version": 0,
    "total": 1,
    "unitPrice": 1,
    "createdAt": "2026-01-01T00:00:00Z",
    "deletedAt": None,
    "purgeAt": None,
    "__proto__": {"admin": True},
}

WAYS_ROUND = (
    "//v1/admin/orders",
    "/v1//admin/orders",
    "/v1/orders/../admin/orders",
    "/v1/orders/%2e%2e/admin/orders",
    "/v1/admin/orders/",
    "/V1/ADMIN/ORDERS",
    "/v1/admin%2Forders",
    "/v1/admin/orders;x=1",
    "/v1/admin/orders%20",
)


@pytest.fixture(scope="module")
def watched(backend):
    """An instance of the API, and what it writes: `watched.faults.written`."""
    one = Instance(backend, RATE_LIMIT_SCALE="1000")
    yield one
    one.close()


def raw(backend, head, body=b""):
    """Bytes to the functions' own port, as no HTTP library would send them; all that is answered."""
    with socket.create_connection(("127.0.0.1", backend.suite.ports.functions), timeout=60) as connection:
        connection.sendall(head.replace("\n", "\r\n").encode("latin-1") + b"\r\n\r\n" + body)
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def path_of(backend, path):
    return f"/{backend.project_id}/australia-southeast1/api{path}"


class TestSomebodyElses:
    """Broken object level authorisation. What each route tells a stranger is in the authorisation matrix."""

    def test_a_cursor_is_of_no_use_to_others(self, backend, user, stranger):
        for _ in range(2):
            placed(user, (backend.product(), 1))
        cursor = user.get("/v1/orders?limit=1").json()["pagination"]["nextCursor"]
        assert user.get(f"/v1/orders?limit=1&cursor={cursor}").status_code == 200
        assert code(stranger.get(f"/v1/orders?limit=1&cursor={cursor}")) == (400, "INVALID_CURSOR")
        reached = user.get("/v1/orders?updatedAfter=1970-01-01T00:00:00Z").json()["pagination"]["nextCursor"]
        assert code(stranger.get(f"/v1/orders?updatedAfter={reached}")) == (400, "INVALID_CURSOR")
        assert code(user.get(f"/v1/notifications?cursor={cursor}")) == (400, "INVALID_CURSOR")

    def test_an_idempotency_key_of_somebody_else_replays_nothing_of_his(self, backend, user, stranger):
        product, key = backend.product(), {"Idempotency-Key": uuid.uuid4().hex}
        mine = place(user, (product, 1), headers=key)
        his = place(stranger, (product, 1), headers=key)
        assert (mine.status_code, his.status_code) == (201, 201)
        assert "Idempotency-Replayed" not in his.headers
        assert mine.json()["data"]["id"] != his.json()["data"]["id"]

    def test_ids_that_lead_elsewhere_are_no_ids(self, backend, user, stranger):
        order = placed(stranger, (backend.product(), 1))
        for path in (
            f"/v1/orders/..%2Forders%2F{order['id']}",
            f"/v1/orders/{order['id']}%2Fevents%2F1",
            f"/v1/users/{stranger.uid}%2Fdevices",
            "/v1/users/me/devices/..%2F..%2F" + stranger.uid,
            "/v1/notifications/%2e%2e/read",
            f"/v1/orders/{order['id']}%00",
        ):
            for method in ("GET", "PATCH", "POST", "PUT", "DELETE"):
                answer = user.request(method, path, json={})
                assert answer.status_code in (400, 404, 405), f"{method} {path}: {answer.text}"
        assert backend.document(f"orders/{order['id']}")["version"] == 1


class TestMassAssignment:
    """Broken object property level authorisation: fields that a client may not set."""

    @pytest.mark.parametrize("route", BODIES, ids=lambda route: route.name)
    def test_no_body_takes_a_field_that_it_does_not_name(self, world, watched, route):
        owner = world.backend.user()
        call = sample(world, route, owner)
        caller = world.admin if route.access is Access.ADMIN else owner
        known = set(bind(route).body.model_json_schema()["properties"])
        for name in NEVER_A_CLIENTS.keys() - known:
            body = {**(call.body or {}), name: NEVER_A_CLIENTS[name]}
            watched.faults.reset()
            answer = watched.http.request(route.method, call.path, json=body, headers=caller.headers)
            assert code(answer) == (400, "VALIDATION_FAILED"), name
            assert [error["field"] for error in answer.json()["errors"]] == [name]
            assert [path for path in watched.faults.written if not path.startswith("rateLimits/")] == []

    def test_prices_and_owners_of_lines_are_not_the_clients(self, backend, user):
        product = backend.product(unitPrice=900)
        for extra in ({"unitPrice": 1}, {"lineTotal": 1}, {"name": "Free"}):
            answer = user.post("/v1/orders", {"items": [{**lines((product, 1))[0], **extra}]})
            assert code(answer) == (400, "VALIDATION_FAILED")

    @pytest.mark.parametrize(
        "fields", ["userId", "__class__", "items.__dict__", "id,shard", "changedAt", "*", "a" * 5000]
    )
    def test_only_what_an_answer_has_can_be_asked_for(self, user, fields):
        assert code(user.get("/v1/orders", params={"fields": fields})) == (400, "VALIDATION_FAILED")


class TestRoles:
    """Broken function level authorisation."""

    @pytest.mark.parametrize("path", WAYS_ROUND)
    def test_no_other_spelling_of_a_path_leads_round_the_check(self, backend, user, path):
        head = f"GET {path_of(backend, path)} HTTP/1.1\nHost: x\nAuthorization: Bearer {user.token}\nConnection: close"
        assert raw(backend, head).split(b" ", 2)[1] in (b"403", b"404")

    @pytest.mark.parametrize(
        "header",
        [
            "X-HTTP-Method-Override",
            "X-Method-Override",
            "X-Original-URL",
            "X-Rewrite-URL",
            "X-Forwarded-Path",
            "X-User-Id",
            "X-Role",
        ],
    )
    def test_headers_of_other_frameworks_change_nothing(self, backend, user, header):
        order = placed(user, (backend.product(), 1))
        value = {"X-Original-URL": "/v1/admin/orders", "X-Rewrite-URL": "/v1/admin/orders"}.get(header, "DELETE")
        answer = user.get(f"/v1/orders/{order['id']}", headers={header: value})
        assert (answer.status_code, answer.json()["data"]["id"]) == (200, order["id"])

    def test_a_batch_lends_nobody_a_role(self, user):
        paths = [{"path": path} for path in ("/v1/admin/users", "/v1/admin/audit-log", "/v1/admin/orders")]
        answers = user.post("/v1/batch", {"requests": paths}).json()["data"]
        assert {answer["body"]["code"] for answer in answers} == {"ROLE_REQUIRED"}


class TestAppCheck:
    def test_what_is_not_gated_is_named_here(self):
        assert {route.name for route in ROUTES if not route.gated} == UNGATED

    def test_no_route_is_open_to_calls_of_no_app(self, instance, user):
        one = instance()
        # Any verifier will do: without a token it is not asked.
        one.services.__dict__["app_check"] = object()
        for route in ROUTES:
            path = route.path.replace("{", "").replace("}", "")
            answer = one.http.request(route.method, path, headers=user.headers)
            if route.name in UNGATED:
                assert answer.status_code == 200
            else:
                assert code(answer) == (401, "APP_CHECK_MISSING"), route.name


class TestResources:
    """Unrestricted resource consumption."""

    def test_nobody_passes_a_limit_by_writing_addresses_himself(self, instance):
        one = instance(clock=Clock(stopped=True))
        made_up = (f"198.51.{n // 250}.{n % 250 + 1}" for n in itertools.count())
        body = {"email": "nobody@example.com", "password": "x"}

        def login():
            headers = {
                "X-Forwarded-For": f"{next(made_up)}, 203.0.113.80",
                "X-Real-IP": next(made_up),
                "Forwarded": f"for={next(made_up)}",
            }
            return one.http.post("/v1/auth/login", json=body, headers=headers)

        answers = [login() for _ in range(Limits.AUTH.value.quota + 1)]
        assert code(answers[0]) == (401, "INVALID_CREDENTIALS")
        assert code(answers[-1]) == (429, "RATE_LIMITED")

    def test_a_header_with_underscores_is_not_the_one_with_hyphens(self, backend, user):
        """A proxy passes `X_Forwarded_For` and `Authorization_` on as they are; WSGI would not tell them apart."""
        head = (
            f"GET {path_of(backend, '/v1/users/me')} HTTP/1.1\nHost: x\nAuthorization: Bearer nonsense\n"
            f"X_Request_Id: smuggled-request-id\nX-Request-Id: the-real-request-id\nConnection: close"
        )
        answer = raw(backend, head)
        assert b"the-real-request-id" in answer
        assert b"smuggled" not in answer

    def test_a_batch_is_ten_reads_at_most_and_none_of_it_a_batch_or_an_export(self, user):
        eleven = {"requests": [{"path": "/v1/users/me"}] * 11}
        assert code(user.post("/v1/batch", eleven)) == (400, "VALIDATION_FAILED")
        nested = [{"path": "/v1/batch"}, {"path": "/v1/users/me/export"}, {"path": "/v1/products?limit=100000"}]
        batch, export, products = user.post("/v1/batch", {"requests": nested}).json()["data"]
        assert batch["status"] == 405
        assert export["body"]["errors"][0]["code"] == "NOT_IN_BATCH"
        assert products["body"]["pagination"]["limit"] == 100

    def test_what_is_compressed_is_not_unpacked(self, backend, user):
        bomb = gzip.compress(b'{"items": [' + b" " * 50_000_000 + b"]}", 9)
        assert len(bomb) < 60_000
        headers = {**user.headers, "Content-Type": "application/json", "Content-Encoding": "gzip"}
        assert code(backend.http.post("/v1/orders", content=bomb, headers=headers)) == (400, "INVALID_JSON")

    @pytest.mark.parametrize(
        "body",
        [
            b"[" * 400_000,
            b'{"a":' * 100_000,
            b"1" * 900_000,
            b'{"items":[' + b",".join([b'{"productId":"x","quantity":1}'] * 20_000) + b"]}",
            b'{"items":[{"productId":"' + b"a" * 900_000 + b'","quantity":1}]}',
            b'{"' + b"k" * 900_000 + b'":1}',
            b'{"items":[{"productId":"p","quantity":1e400}]}',
            b'{"note":"\\ud800"}',
            b"\xff\xfe{}",
        ],
        ids=["arrays", "objects", "number", "lines", "id", "name", "infinite", "half a character", "no UTF-8"],
    )
    def test_bodies_that_ask_for_much_are_refused_as_any_wrong_one_is(self, backend, user, body):
        headers = {**user.headers, "Content-Type": "application/json"}
        answer = backend.http.post("/v1/orders", content=body, headers=headers)
        assert answer.status_code == 400
        assert len(answer.content) < 20_000, "an answer is not to be larger than what it refuses"


class TestInjection:
    def test_what_is_sent_ends_no_header(self, backend, user):
        """In header values CR and LF alone, encoded, or as Unicode's own line ends."""
        for value in ("abcdefgh\rSet-Cookie: a=b", "abcdefgh%0d%0aSet-Cookie: a=b", "abcdefgh\x85Set-Cookie: a=b"):
            for name in ("X-Request-Id", "Origin", "traceparent", "X-App-Version", "If-None-Match", "Accept-Encoding"):
                head = (
                    f"GET {path_of(backend, '/v1/users/me')} HTTP/1.1\nHost: x\nAuthorization: Bearer {user.token}\n"
                    f"{name}: {value}\nConnection: close"
                )
                answer = raw(backend, head).partition(b"\r\n\r\n")[0]
                assert b"set-cookie" not in answer.lower(), f"{name}: {value!r}"

    def test_a_path_ends_no_header_and_no_line(self, backend, user):
        target = path_of(backend, "/v1/nothing%0d%0aSet-Cookie:%20a=b%0d%0a%0d%0a<script>alert(1)</script>")
        answer = raw(backend, f"GET {target} HTTP/1.1\nHost: x\nConnection: close")
        # functions-framework refuses a path with a line break itself.
        assert answer.split(b" ", 2)[1] == b"404"
        assert b"set-cookie" not in answer.lower()
        assert b"script" not in answer.lower()

    def test_an_answer_that_repeats_what_was_sent_is_no_page(self, user):
        answer = user.get("/v1/nothing/<script>alert(1)</script>")
        assert code(answer) == (404, "ROUTE_NOT_FOUND")
        assert answer.headers["Content-Type"].startswith("application/json")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")

    def test_requests_with_two_lengths_are_not_answered_twice(self, backend):
        head = f"POST {path_of(backend, '/v1/batch')} HTTP/1.1\nHost: x\nContent-Type: application/json\n"
        smuggled = b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
        for lengths in (
            f"Content-Length: {len(smuggled) + 5}\nTransfer-Encoding: chunked",
            "Content-Length: 0\nContent-Length: 5",
            "Transfer-Encoding: xchunked",
            "Transfer-Encoding : chunked",
        ):
            answer = raw(backend, head + lengths, b"0\r\n\r\n" + smuggled)
            assert answer.count(b"HTTP/1.1 ") <= 1, f"{lengths!r}: {answer!r}"

    def test_each_request_is_one_line_of_the_log_whatever_it_says(self, backend, user):
        mark = uuid.uuid4().hex
        fake = json.dumps({"severity": "CRITICAL", "message": mark})
        order = {"items": lines((backend.product(), 1)), "note": f"x\n{fake}\n"}
        assert user.post("/v1/orders", order).status_code == 201
        user.get("/v1/orders", params={"cursor": f"\n{fake}\n"})
        user.get(f"/v1/nothing/%0a{mark}%0a")
        user.post("/v1/orders", order, headers={"Content-Type": fake})
        backend.http.get("/v1/users/me", headers={"Authorization": f"Bearer {fake}"})
        assert [
            line for line in backend.log if mark in line[1] and line[0] == "functions" and line[1].startswith("{")
        ] == []

    @pytest.mark.parametrize(
        "condition",
        [
            "'news' in topics || 'anything-else' in topics",
            "'news' in topics || true",
            "'news' in topics' || '1'=='1",
            "!('news' in topics)",
            "'news' in topics\n|| 'staff' in topics",
            "'news\u0027 in topics || \u0027staff' in topics",
        ],
    )
    def test_a_condition_reaches_only_topics_that_there_are(self, admin, condition):
        texts = {"en": {"title": "x", "body": "x"}}
        body = {"audience": {"condition": condition}, "kind": "promotions", "texts": texts}
        answer = admin.post("/v1/admin/push", body)
        assert answer.status_code == 422, answer.text
        assert answer.json()["code"] in ("INVALID_CONDITION", "UNKNOWN_TOPIC", "TOPIC_OF_ANOTHER_KIND")

    @pytest.mark.parametrize(
        "topic", ["news/../staff", "/topics/news", "news' in topics || 'staff", "news ", "NEWS", "a" * 200]
    )
    def test_nobody_subscribes_to_what_is_not_listed(self, user, world, topic):
        world.device(user)
        assert user.put(f"/v1/users/me/topics/{quote(topic, safe='')}", None).status_code in (400, 404)

    @pytest.mark.parametrize(
        "url",
        [
            "javascript:alert(1)",
            "http://example.com/x.png",
            "data:text/html,x",
            "https://x y",
            "//example.com",
            "file:///etc/passwd",
        ],
    )
    def test_pictures_are_from_the_web_alone(self, user, url):
        assert code(user.patch("/v1/users/me", {"photoUrl": url})) == (400, "VALIDATION_FAILED")


class TestOrigins:
    ALLOWED = "https://app.example.com"

    @pytest.mark.parametrize(
        "origin",
        ["null", "https://app.example.com.evil.net", "https://evilapp.example.com", "http://app.example.com",
         "https://app.example.com:444", "https://APP.example.com", "https://app.example.com, https://evil.net", "*", "file://"],
    )  # fmt: skip
    def test_no_origin_is_reflected_that_is_not_allowed(self, instance, user, origin):
        one = instance(ALLOWED_ORIGINS=self.ALLOWED)
        answer = one.http.get("/v1/users/me", headers={**user.headers, "Origin": origin})
        assert not [name for name in answer.headers if name.lower().startswith("access-control")]
        allowed = one.http.get("/v1/users/me", headers={**user.headers, "Origin": self.ALLOWED})
        assert allowed.headers["Access-Control-Allow-Origin"] == self.ALLOWED
        assert "Access-Control-Allow-Credentials" not in allowed.headers
