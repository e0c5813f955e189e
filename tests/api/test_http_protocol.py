"""What HTTP itself asks of every route, through gunicorn as in production: sizes, encodings, origins, headers."""

import gzip
import json
import socket
from urllib.parse import urlsplit

import pytest

ORIGIN = "http://localhost:3000"
LARGEST = 1_000_000


def code(response):
    return response.status_code, response.json()["code"]


def raw(backend, user, head, *chunks):
    """A request written byte by byte: its status and its body."""
    url = urlsplit(backend.api)
    with socket.create_connection((url.hostname, url.port), timeout=60) as connection:
        connection.sendall(
            f"POST {url.path}/v1/orders HTTP/1.1\r\nHost: {url.netloc}\r\nConnection: close\r\n"
            f"Authorization: Bearer {user.token}\r\nContent-Type: application/json\r\n{head}\r\n\r\n".encode()
        )
        try:
            for chunk in chunks:
                connection.sendall(chunk)
        except (BrokenPipeError, ConnectionResetError):
            pass  # it has heard enough and answered
        answer = b""
        try:
            while data := connection.recv(65536):
                answer += data
        except ConnectionResetError:
            pass
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), body


def chunked(*parts):
    return [b"%x\r\n%b\r\n" % (len(part), part) for part in parts] + [b"0\r\n\r\n"]


class TestBodies:
    def body(self, size):
        return json.dumps({"note": "x" * (size - len('{"note": ""}'))}).encode()

    def test_a_megabyte_is_read(self, user):
        response = user.request("POST", "/v1/orders", content=self.body(LARGEST), headers=JSON)
        assert code(response) == (400, "VALIDATION_FAILED")

    def test_one_byte_more_is_not(self, user):
        response = user.request("POST", "/v1/orders", content=self.body(LARGEST + 1), headers=JSON)
        assert code(response) == (413, "BODY_TOO_LARGE")

    def test_the_length_is_believed_before_the_body_is_sent(self, backend, user):
        status, body = raw(backend, user, "Content-Length: 5000000")
        assert status == 413
        assert json.loads(body)["code"] == "BODY_TOO_LARGE"

    def test_in_chunks_a_body_is_read_as_well(self, backend, user):
        data = self.body(300_000)
        status, body = raw(backend, user, "Transfer-Encoding: chunked", *chunked(data[:100_000], data[100_000:]))
        assert (status, b"VALIDATION_FAILED" in body) == (400, True)

    def test_in_chunks_it_may_not_be_larger_either(self, backend, user):
        part = b" " * 100_000
        status, body = raw(backend, user, "Transfer-Encoding: chunked", *chunked(*[part] * 30))
        assert status == 413
        assert b"BODY_TOO_LARGE" in body

    @pytest.mark.parametrize(("depth", "refused"), [(32, "VALIDATION_FAILED"), (33, "INVALID_JSON")])
    def test_nesting_ends_at_32_levels(self, user, depth, refused):
        nested = "[" * (depth - 1) + "1" + "]" * (depth - 1)
        response = user.request("POST", "/v1/orders", content=f'{{"items": {nested}}}', headers=JSON)
        assert code(response) == (400, refused)

    def test_a_bottomless_one_harms_nobody(self, user):
        response = user.request("POST", "/v1/orders", content="[" * 500_000, headers=JSON)
        assert code(response) == (400, "INVALID_JSON")

    @pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
    def test_a_body_is_json(self, user, kind):
        response = user.request("POST", "/v1/orders", content="{}", headers={"Content-Type": kind})
        assert code(response) == (415, "UNSUPPORTED_MEDIA_TYPE")


JSON = {"Content-Type": "application/json"}


class TestMethods:
    def test_a_path_says_which_methods_it_has(self, user):
        response = user.delete("/v1/orders")
        assert code(response) == (405, "METHOD_NOT_ALLOWED")
        assert response.headers["Allow"] == "GET, HEAD, POST"

    def test_what_is_not_there(self, user):
        assert code(user.get("/v1/orders/")) == (404, "ROUTE_NOT_FOUND")


class TestCompression:
    @pytest.fixture(scope="class")
    @classmethod
    def customer(cls, backend):
        customer = backend.user()
        product = backend.product()
        for _ in range(5):
            customer.post("/v1/orders", {"items": [{"productId": product, "quantity": 1}]})
        return customer

    def get(self, backend, customer, path, accept):
        """httpx would unpack it."""
        headers = {**customer.headers, **({} if accept is None else {"Accept-Encoding": accept})}
        request = backend.http.build_request("GET", path, headers=headers)
        if accept is None:
            del request.headers["Accept-Encoding"]
        response = backend.http.send(request, stream=True)
        data = b"".join(response.iter_raw())
        return response, data

    @pytest.mark.parametrize("accept", ["gzip", "br, gzip;q=0.5", "*", "GZIP", "deflate, *;q=0.1"])
    def test_a_large_answer_is_compressed_for_who_can_read_it(self, backend, customer, accept):
        response, data = self.get(backend, customer, "/v1/orders", accept)
        assert response.headers["Content-Encoding"] == "gzip"
        assert int(response.headers["Content-Length"]) == len(data)
        assert len(json.loads(gzip.decompress(data))["data"]) == 5
        assert len(data) < len(gzip.decompress(data)) / 2

    @pytest.mark.parametrize("accept", [None, "", "identity", "br", "gzip;q=0", "*, gzip;q=0", "gzip;q=x"])
    def test_for_who_cannot_it_is_not(self, backend, customer, accept):
        response, data = self.get(backend, customer, "/v1/orders", accept)
        assert "Content-Encoding" not in response.headers
        assert len(json.loads(data)["data"]) == 5

    def test_a_small_one_never_is(self, backend, customer):
        response, data = self.get(backend, customer, "/v1/users/me", "gzip")
        assert "Content-Encoding" not in response.headers
        assert len(data) < 1024

    def test_caches_are_told_what_it_depends_on(self, backend, customer):
        for path in ("/v1/orders", "/v1/users/me", "/v1/nothing"):
            response, _ = self.get(backend, customer, path, "gzip")
            assert response.headers["Vary"] == "Origin, Accept-Encoding"


class TestOrigins:
    def test_a_page_of_an_allowed_origin_may_read_answers(self, user):
        for path in ("/v1/users/me", "/v1/orders/nosuch"):
            response = user.get(path, headers={"Origin": ORIGIN})
            assert response.headers["Access-Control-Allow-Origin"] == ORIGIN
            exposed = response.headers["Access-Control-Expose-Headers"].split(", ")
            assert {"ETag", "Retry-After", "RateLimit", "RateLimit-Policy", "X-Request-Id"} <= set(exposed)
            assert "Access-Control-Allow-Credentials" not in response.headers

    @pytest.mark.parametrize(
        "origin", ["http://localhost:3001", "https://localhost:3000", "null", "http://localhost:3000.evil.example", "*"]
    )
    def test_any_other_may_not(self, user, origin):
        for response in (
            user.get("/v1/users/me", headers={"Origin": origin}),
            user.request("OPTIONS", "/v1/users/me", headers={"Origin": origin, "Access-Control-Request-Method": "GET"}),
        ):
            assert not [name for name in response.headers if name.lower().startswith("access-control")]
            assert "Origin" in response.headers["Vary"]

    def test_a_preflight_is_told_what_the_path_allows_without_signing_in(self, backend):
        asked = {
            "Origin": ORIGIN,
            "Access-Control-Request-Method": "PATCH",
            "Access-Control-Request-Headers": "if-match",
        }
        response = backend.http.request("OPTIONS", "/v1/users/me", headers=asked)
        assert (response.status_code, response.content) == (204, b"")
        assert response.headers["Access-Control-Allow-Origin"] == ORIGIN
        assert {"GET", "PATCH"} <= set(response.headers["Access-Control-Allow-Methods"].split(", "))
        allowed = response.headers["Access-Control-Allow-Headers"].lower().split(", ")
        assert {"authorization", "content-type", "idempotency-key", "if-match", "x-firebase-appcheck"} <= set(allowed)
        assert response.headers["Access-Control-Max-Age"] == "7200"
        assert "Access-Control-Request-Method" in ", ".join(response.headers.get_list("Vary"))

    def test_a_preflight_for_nothing_finds_nothing(self, backend):
        asked = {"Origin": ORIGIN, "Access-Control-Request-Method": "GET"}
        response = backend.http.request("OPTIONS", "/v1/nothing", headers=asked)
        assert code(response) == (404, "ROUTE_NOT_FOUND")
        assert response.headers["Access-Control-Allow-Origin"] == ORIGIN

    def test_options_alone_is_no_method_of_ours(self, user):
        assert code(user.request("OPTIONS", "/v1/users/me")) == (405, "METHOD_NOT_ALLOWED")

    def test_without_the_setting_no_page_may(self, instance, user):
        response = instance().http.get("/v1/users/me", headers={**user.headers, "Origin": ORIGIN})
        assert "Access-Control-Allow-Origin" not in response.headers


class TestHeaders:
    def test_every_answer_is_protected(self, user, backend):
        for response in (user.get("/v1/users/me"), backend.http.get("/v1/users/me"), backend.http.get("/nothing")):
            assert response.headers["Strict-Transport-Security"].startswith("max-age=63072000")
            assert response.headers["X-Content-Type-Options"] == "nosniff"
            assert response.headers["Referrer-Policy"] == "no-referrer"
            assert response.headers["Content-Security-Policy"].startswith("default-src 'none'")
            assert len(response.headers.get_list("X-Request-Id")) == 1

    @pytest.mark.parametrize("given", ["my-request.1~x", "a" * 128])
    def test_the_clients_request_id_is_kept(self, user, given):
        response = user.get("/v1/users/me", headers={"X-Request-Id": given})
        assert response.headers["X-Request-Id"] == response.json()["requestId"] == given

    @pytest.mark.parametrize("given", ["short", "a" * 129, "somebody@example.com", 'quoted"quoted'])
    def test_one_that_is_not_well_formed_is_not(self, user, given):
        response = user.get("/v1/users/me", headers={"X-Request-Id": given})
        assert response.headers["X-Request-Id"] != given
        assert response.headers["X-Request-Id"] == response.json()["requestId"]
