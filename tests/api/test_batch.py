"""`POST /v1/batch`: several GETs, each with its own status."""

import re
import threading

import pytest
from werkzeug.wrappers import Response

from wattle.api import ROUTES
from wattle.context import Context
from wattle.http.routing import Route
from wattle.services import Services


def code(response):
    return response.status_code, response.json()["code"]


def batch(user, *requests, **options):
    wanted = [{"path": request} if isinstance(request, str) else request for request in requests]
    return user.post("/v1/batch", {"requests": wanted}, **options)


def fields(response):
    assert code(response) == (400, "VALIDATION_FAILED")
    return {error["field"] for error in response.json()["errors"]}


def page(services: Services, ctx: Context) -> Response:
    return Response("<html>", content_type="text/html")


class TestBatch:
    def test_nobody_batches_without_signing_in(self, backend):
        response = backend.http.post("/v1/batch", json={"requests": [{"path": "/v1/products"}]})
        assert code(response) == (401, "TOKEN_MISSING")

    def test_each_has_its_own_status_tag_and_envelope_in_order(self, user):
        response = batch(
            user,
            {"id": "me", "path": "/v1/users/me"},
            "/v1/orders/nosuch",
            {"id": "wrong", "path": "/v1/orders?limit=0"},
            "/v1/admin/nothing",
            {"id": "list", "path": "/v1/orders?limit=3&fields=id%2Ctotal"},
        )
        assert response.status_code == 200
        me, missing, wrong, nothing, page = response.json()["data"]
        assert [answer["id"] for answer in (me, missing, wrong, nothing, page)] == ["me", None, "wrong", None, "list"]
        assert [answer["status"] for answer in (me, missing, wrong, nothing, page)] == [200, 404, 400, 404, 200]
        alone = user.get("/v1/users/me")
        assert me["headers"]["ETag"] == alone.headers["ETag"]
        assert me["headers"]["Cache-Control"] == "private, no-cache"
        assert me["body"]["data"] == alone.json()["data"]
        assert missing["body"]["code"] == "ORDER_NOT_FOUND"
        assert wrong["body"]["errors"][0]["field"] == "limit"
        assert page["body"]["pagination"] == {"limit": 3, "nextCursor": None, "hasNext": False}
        ids = [answer["body"]["requestId"] for answer in (me, missing, wrong, nothing, page)]
        assert ids == [f"{response.json()['requestId']}.{number}" for number in range(5)]

    def test_what_one_may_not_read_alone_one_may_not_read_in_a_batch(self, backend, user, stranger):
        order = user.post("/v1/orders", {"items": [{"productId": backend.product(), "quantity": 1}]}).json()["data"]
        (answer,) = batch(stranger, f"/v1/orders/{order['id']}").json()["data"]
        assert (answer["status"], answer["body"]["code"]) == (404, "ORDER_NOT_FOUND")

    def test_what_is_known_is_not_sent_again(self, user):
        tag = user.get("/v1/users/me").headers["ETag"]
        response = batch(
            user, {"path": "/v1/users/me", "ifNoneMatch": tag}, "/v1/users/me", headers={"If-None-Match": tag}
        )
        known, sent = response.json()["data"]
        assert (known["status"], known["body"], known["headers"]["ETag"]) == (304, None, tag)
        assert sent["status"] == 200

    def test_what_it_costs_is_added_up(self, backend, user):
        user.get("/v1/users/me")
        response = batch(user, "/v1/users/me", "/v1/users/me", "/v1/orders/nosuch")
        assert response.headers["X-Firestore-Reads"] == "3"

    def test_they_run_at_the_same_time(self, instance, user):
        api = instance()
        api.http.get("/v1/users/me", headers=user.headers)
        together = threading.Barrier(10)

        def meet(_call):
            together.wait(timeout=60)

        api.faults.follow(meet)
        body = {"requests": [{"path": f"/v1/orders/o{number}"} for number in range(10)]}
        response = api.http.post("/v1/batch", json=body, headers=user.headers)
        assert {answer["body"]["code"] for answer in response.json()["data"]} == {"ORDER_NOT_FOUND"}

    def test_many_batches_of_screens_at_once_all_end(self, instance, user):
        """Parallel work within parallel work: more of it than there are threads."""
        api = instance(RATE_LIMIT_SCALE="100")
        body = {"requests": [{"path": "/v1/screens/home"}] * 10}
        answers = []

        def call():
            answers.append(api.http.post("/v1/batch", json=body, headers=user.headers))

        threads = [threading.Thread(target=call) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert len(answers) == 16
        assert {part["status"] for answer in answers for part in answer.json()["data"]} == {200}

    def test_each_counts_against_its_own_limit(self, instance, user):
        api = instance()
        api.http.post("/v1/batch", json={"requests": [{"path": "/v1/orders/x"}] * 10}, headers=user.headers)
        last = api.http.get("/v1/orders/x", headers=user.headers)
        assert last.headers["RateLimit"].startswith('"general";r=288;')

    def test_an_answer_that_is_no_envelope_is_not_for_batches(self, instance, user):
        api = instance(routes=[*ROUTES, Route("GET", "/v1/page", page)])
        assert api.http.get("/v1/page", headers=user.headers).text == "<html>"
        response = api.http.post("/v1/batch", json={"requests": [{"path": "/v1/page"}]}, headers=user.headers)
        (answer,) = response.json()["data"]
        assert (answer["status"], answer["body"]["errors"][0]["code"]) == (400, "NOT_IN_BATCH")

    def test_what_is_not_for_batches_counts_against_no_limit_and_reads_nothing(self, user):
        """None of the exports of this hour is spent, and no document is billed."""
        response = batch(user, *["/v1/users/me/export"] * 10)
        assert [answer["status"] for answer in response.json()["data"]] == [400] * 10
        assert {answer["body"]["errors"][0]["code"] for answer in response.json()["data"]} == {"NOT_IN_BATCH"}
        assert all("RateLimit" not in answer["headers"] for answer in response.json()["data"])
        assert response.headers["X-Firestore-Reads"] == "0"
        alone = user.get("/v1/users/me/export")
        assert alone.status_code == 200
        (quota,) = re.findall(r'^"exports";q=(\d+);', alone.headers["RateLimit-Policy"])
        assert alone.headers["RateLimit"].startswith(f'"exports";r={int(quota) - 1};')

    def test_the_whole_is_compressed_and_its_parts_are_not(self, user):
        response = batch(user, *["/v1/users/me"] * 10, headers={"Accept-Encoding": "gzip"})
        assert response.headers["Content-Encoding"] == "gzip"
        assert response.json()["data"][9]["body"]["data"]["id"] == user.uid

    @pytest.mark.parametrize(
        ("body", "named"),
        [
            ({}, {"requests"}),
            ({"requests": []}, {"requests"}),
            ({"requests": [{"path": "/v1/users/me"}] * 11}, {"requests"}),
            ({"requests": [{}]}, {"requests[0].path"}),
            ({"requests": [{"path": "v1/users/me"}]}, {"requests[0].path"}),
            ({"requests": [{"path": "https://elsewhere.example/v1/users/me"}]}, {"requests[0].path"}),
            ({"requests": [{"path": "//elsewhere.example/v1/"}]}, {"requests[0].path"}),
            ({"requests": [{"path": "/health"}]}, {"requests[0].path"}),
            ({"requests": [{"path": "/v1/a b"}]}, {"requests[0].path"}),
            ({"requests": [{"path": "/v1/a#b"}]}, {"requests[0].path"}),
            ({"requests": [{"path": "/v1/a\r\nX: y"}]}, {"requests[0].path"}),
            ({"requests": [{"path": "/v1/users/me", "method": "DELETE"}]}, {"requests[0].method"}),
            ({"requests": [{"path": "/v1/users/me", "ifNoneMatch": "\n"}]}, {"requests[0].ifNoneMatch"}),
        ],
    )
    def test_what_is_no_batch(self, user, body, named):
        assert fields(user.post("/v1/batch", body)) == named

    def test_a_batch_in_a_batch_is_no_get(self, user):
        (answer,) = batch(user, "/v1/batch").json()["data"]
        assert (answer["status"], answer["body"]["code"]) == (405, "METHOD_NOT_ALLOWED")
