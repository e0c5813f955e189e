"""Rate limits: in process, shared between instances, and what they cost."""

import re

import pytest
from tests.in_process import Clock

from firesuite.faults import mentioning
from wattle.adapters.firestore import Query
from wattle.kit.retry import Deadline
from wattle.rate_limits.policies import Limits

GENERAL, AUTH, ORDERS = (limit.value for limit in (Limits.GENERAL, Limits.AUTH, Limits.ORDERS))

# Reads and writes of an order of one product without a stock: the product and the caller's session; order and event.
PLAIN = ("2", "2")
LEASING = ("3", "3")


def code(response):
    return response.status_code, response.json()["code"]


def told(response):
    """The remaining requests and the seconds of the RateLimit header."""
    name, remaining, reset = re.fullmatch(r'"([a-z]+)";r=(\d+);t=(\d+)', response.headers["RateLimit"]).groups()
    return name, int(remaining), int(reset)


@pytest.fixture
def api(instance):
    return instance(clock=Clock(stopped=True))


class TestInProcess:
    def test_every_answer_says_where_the_caller_stands(self, backend, user):
        """Through the running suite, whose limits are a thousand times as high."""
        response = user.get("/v1/users/me")
        assert response.headers["RateLimit-Policy"] == f'"general";q={GENERAL.quota * 1000};w=60'
        assert told(response)[:2] == ("general", GENERAL.quota * 1000 - 1)

    def test_when_the_bucket_is_empty_it_says_how_long_to_wait(self, api, user, stranger):
        answers = [api.http.get("/v1/nothing/here", headers=user.headers) for _ in range(3)]
        assert {answer.status_code for answer in answers} == {404}  # no route, no limit
        for _ in range(GENERAL.quota):
            last = api.http.get("/v1/users/me?unknown=1", headers=user.headers)
            assert last.status_code == 400
        assert told(last)[:2] == ("general", 0)
        refused = api.http.get("/v1/users/me", headers=user.headers)
        assert code(refused) == (429, "RATE_LIMITED")
        assert refused.headers["Retry-After"] == str(told(refused)[2]) == "1"
        assert refused.headers["RateLimit-Policy"] == f'"general";q={GENERAL.quota};w={GENERAL.window}'
        assert api.http.get("/v1/users/me", headers=stranger.headers).status_code == 200
        api.clock.advance(seconds=1)
        assert api.http.get("/v1/users/me", headers=user.headers).status_code == 200

    def test_who_is_not_signed_in_is_counted_by_address(self, api):
        def health(address):
            return api.http.get("/health", headers={"X-Forwarded-For": address})

        for _ in range(GENERAL.quota):
            assert health("203.0.113.1").status_code == 200
        assert health("203.0.113.1").status_code == 429
        assert health("198.51.100.7, 203.0.113.1").status_code == 429, "what the client wrote itself does not count"
        assert health("203.0.113.1, 198.51.100.7").status_code == 200

    def test_tokens_that_are_refused_count_against_the_address(self, api):
        headers = {"Authorization": "Bearer nonsense", "X-Forwarded-For": "203.0.113.2"}
        for _ in range(GENERAL.quota):
            assert code(api.http.get("/v1/users/me", headers=headers)) == (401, "TOKEN_MALFORMED")
        assert code(api.http.get("/v1/users/me", headers=headers)) == (429, "RATE_LIMITED")

    def test_signing_in_has_a_limit_of_its_own(self, api):
        response = api.http.post("/v1/auth/login", json={}, headers={"X-Forwarded-For": "203.0.113.3"})
        assert told(response)[0] == "auth"
        assert AUTH.quota < GENERAL.quota


class TestShared:
    @pytest.fixture
    def place(self, backend, user):
        body = {"items": [{"productId": backend.product(), "quantity": 1}]}
        return lambda api, who=user: api.http.post("/v1/orders", json=body, headers=who.headers)

    def test_the_first_orders_of_a_minute_cost_no_more_than_orders_do(self, api, place):
        for number in range(1, ORDERS.credit + 1):
            response = place(api)
            assert response.status_code == 201
            assert (response.headers["X-Firestore-Reads"], response.headers["X-Firestore-Writes"]) == PLAIN
            assert told(response)[1] == ORDERS.quota - number

    def test_after_them_a_lease_costs_one_read_and_one_write(self, api, place):
        costs = []
        for _ in range(ORDERS.credit + 2 * ORDERS.lease):
            response = place(api)
            costs.append((response.headers["X-Firestore-Reads"], response.headers["X-Firestore-Writes"]))
        burst = [LEASING] + [PLAIN] * (ORDERS.lease - 1)
        assert costs == [PLAIN] * ORDERS.credit + burst * 2

    def test_two_instances_share_one_bucket(self, instance, place, user):
        clock = Clock(stopped=True)
        apis = [instance(clock=clock), instance(clock=clock)]
        served, refused = 0, []
        for number in range(2 * ORDERS.quota):
            response = place(apis[number % 2])
            served += response.status_code == 201
            if response.status_code == 429:
                refused.append(response)
        assert served == ORDERS.quota
        assert {code(response) for response in refused} == {(429, "RATE_LIMITED")}
        assert all(1 <= int(response.headers["Retry-After"]) <= ORDERS.window for response in refused)
        assert all(told(response)[2] == int(response.headers["Retry-After"]) for response in refused)
        clock.advance(seconds=ORDERS.window)
        assert place(apis[0]).status_code == 201

    def test_who_is_refused_again_and_again_costs_nothing(self, api, place):
        while place(api).status_code == 201:
            pass
        calls = len(api.faults.calls)
        assert {place(api).status_code for _ in range(20)} == {429}
        assert len(api.faults.calls) == calls

    def test_the_store_names_nobody_and_forgets(self, api, backend, place, user):
        for _ in range(ORDERS.credit + 1):
            place(api)
        buckets = backend.firestore.query(Query("rateLimits"), Deadline.after(60))
        assert buckets
        for bucket in buckets:
            assert re.fullmatch(r"[0-9a-f]{40}", bucket.id)
            assert set(bucket.data) == {"tokens", "updatedAt", "expiresAt"}
            assert bucket.data["expiresAt"] > bucket.data["updatedAt"]

    def test_a_store_that_does_not_answer_lets_requests_through_and_is_logged(self, api, place, caplog):
        api.faults.follow(mentioning("rateLimits"))
        answers = [place(api) for _ in range(ORDERS.credit + 3)]
        assert {answer.status_code for answer in answers} == {201}
        warnings = [record for record in caplog.records if "rate limiter" in record.getMessage()]
        assert len(warnings) == 1, "and is left alone for a while"

    def test_a_store_that_comes_back_is_asked_again(self, api, place):
        api.faults.follow(mentioning("rateLimits"))
        for _ in range(ORDERS.credit + 1):
            place(api)
        api.faults.reset()
        api.clock.advance(seconds=6)
        assert place(api).headers["X-Firestore-Reads"] == LEASING[0]
