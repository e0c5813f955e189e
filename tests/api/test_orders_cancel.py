"""Cancelling gives the stock back, once; removing takes a finished order off the list."""

from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from tests.api.orders import code, lines, move, placed, stock

from firesuite.faults import Failure, each
from wattle.adapters.firestore import Delete
from wattle.kit.retry import Deadline


class TestCancel:
    def test_it_is_its_owners(self, backend, user, stranger):
        order = placed(user, (product := backend.product(stock=5), 1))
        path = f"/v1/orders/{order['id']}/cancel"
        assert code(backend.http.post(path, json={})) == (401, "TOKEN_MISSING")
        assert code(stranger.post(path)) == (404, "ORDER_NOT_FOUND")
        assert code(user.post("/v1/orders/nosuch/cancel")) == (404, "ORDER_NOT_FOUND")
        assert stock(backend, product) == 4

    @pytest.mark.parametrize("states", [[], ["confirmed"]])
    def test_it_gives_the_stock_back(self, backend, user, admin, states):
        counted, uncounted = backend.product(stock=5), backend.product(stock=None)
        order = placed(user, (counted, 3), (uncounted, 2))
        if states:
            move(admin, order, *states)
        response = user.post(f"/v1/orders/{order['id']}/cancel", {"reason": "changed my mind"})
        assert response.status_code == 200
        cancelled = response.json()["data"]
        assert (cancelled["status"], cancelled["version"]) == ("cancelled", 2 + len(states))
        assert stock(backend, counted) == 5
        assert stock(backend, uncounted) is None
        event = backend.document(f"orders/{order['id']}/events/{cancelled['version']}")
        assert (event["type"], event["to"], event["actor"]) == ("status", "cancelled", "customer")
        assert event["reason"] == "changed my mind"

    def test_what_was_ordered_before_it_was_counted_is_not_given_back(self, backend, user, admin):
        """Nobody took it out of the stock: to give it back would be to sell pieces that are not there."""
        product, other = backend.product(stock=None), backend.product(stock=5)
        order = placed(user, (product, 50), (other, 2))
        path = f"/v1/orders/{order['id']}"
        assert admin.patch(f"/v1/admin/products/{product}", {"stock": 10}).status_code == 200
        assert user.patch(path, {"items": lines((product, 53), (other, 2))}).status_code == 200
        assert stock(backend, product) == 7
        assert user.patch(path, {"items": lines((product, 20), (other, 3))}).status_code == 200
        assert (stock(backend, product), stock(backend, other)) == (7, 2)
        assert user.patch(path, {"items": lines((product, 2), (other, 1))}).status_code == 200
        assert (stock(backend, product), stock(backend, other)) == (8, 4)
        assert user.patch(path, {"note": "ring twice"}).status_code == 200
        assert user.post(f"{path}/cancel").status_code == 200
        assert (stock(backend, product), stock(backend, other)) == (10, 5)

    def test_again_answers_the_same_and_does_nothing(self, backend, user):
        order = placed(user, (product := backend.product(stock=5), 3))
        path = f"/v1/orders/{order['id']}/cancel"
        first = user.post(path, {"reason": "one"})
        again = user.post(path, {"reason": "two"})
        assert (first.status_code, again.status_code) == (200, 200)
        assert again.json()["data"] == first.json()["data"]
        assert again.headers["X-Firestore-Writes"] == "0"
        assert stock(backend, product) == 5

    def test_twelve_at_once_give_the_stock_back_once(self, backend, user):
        order = placed(user, (product := backend.product(stock=5), 3))
        with ThreadPoolExecutor(12) as pool:
            answers = list(pool.map(lambda _: user.post(f"/v1/orders/{order['id']}/cancel"), range(12)))
        assert {answer.status_code for answer in answers} == {200}
        assert len({answer.text[: answer.text.index('"timestamp"')] for answer in answers}) == 1
        assert stock(backend, product) == 5
        assert backend.document(f"orders/{order['id']}/events/3") is None

    @pytest.mark.parametrize("states", [["confirmed", "shipped"], ["confirmed", "shipped", "delivered"]])
    def test_what_is_on_its_way_cannot_be_cancelled(self, backend, user, admin, states):
        order = placed(user, (product := backend.product(stock=5), 3))
        move(admin, order, *states)
        assert code(user.post(f"/v1/orders/{order['id']}/cancel")) == (409, "INVALID_TRANSITION")
        assert stock(backend, product) == 2

    def test_an_administrators_cancellation_gives_the_stock_back_too(self, backend, user, admin):
        order = placed(user, (product := backend.product(stock=5), 3))
        move(admin, order, "cancelled")
        assert stock(backend, product) == 5
        assert user.post(f"/v1/orders/{order['id']}/cancel").status_code == 200
        assert stock(backend, product) == 5

    def test_a_product_that_is_gone_is_passed_over(self, backend, user):
        order = placed(user, (gone := backend.product(stock=5), 1), (here := backend.product(stock=5), 1))
        backend.firestore.commit([Delete(f"products/{gone}")], Deadline.after(60))
        assert user.post(f"/v1/orders/{order['id']}/cancel").status_code == 200
        assert backend.document(f"products/{gone}") is None
        assert stock(backend, here) == 5

    def test_a_reason_is_text(self, user):
        response = user.post("/v1/orders/some/cancel", {"reason": "", "stock": 1})
        assert code(response) == (400, "VALIDATION_FAILED")
        assert {error["field"] for error in response.json()["errors"]} == {"reason", "stock"}

    @pytest.mark.parametrize("who", ["customer", "shop"])
    @pytest.mark.parametrize("landed", [True, False])
    def test_a_commit_of_unknown_outcome_is_not_made_twice(self, backend, instance, *, user, admin, who, landed):
        order = placed(user, (product := backend.product(stock=5), 3))
        here = instance()
        here.faults.follow(each("Commit", Failure(grpc.StatusCode.UNAVAILABLE, after=landed)))
        if who == "customer":
            response = here.as_user(user).post(f"/v1/orders/{order['id']}/cancel", {})
        else:
            path = f"/v1/admin/orders/{order['id']}/status"
            response = here.as_user(admin).post(path, {"status": "cancelled"})
        assert response.status_code == 200
        assert (response.json()["data"]["status"], response.json()["data"]["version"]) == ("cancelled", 2)
        assert stock(backend, product) == 5
        assert backend.document(f"orders/{order['id']}/events/3") is None

    def test_a_move_that_landed_is_no_invalid_transition(self, backend, instance, user, admin):
        order = placed(user, (backend.product(), 1))
        here = instance()
        here.faults.follow(each("Commit", Failure(grpc.StatusCode.DEADLINE_EXCEEDED, after=True)))
        path = f"/v1/admin/orders/{order['id']}/status"
        response = here.as_user(admin).post(path, {"status": "confirmed"})
        assert response.status_code == 200, response.text
        assert (response.json()["data"]["status"], response.json()["data"]["version"]) == ("confirmed", 2)


class TestRemove:
    def test_it_is_its_owners(self, backend, user, stranger, admin):
        order = placed(user, (backend.product(), 1))
        move(admin, order, "cancelled")
        path = f"/v1/orders/{order['id']}"
        assert code(backend.http.delete(path)) == (401, "TOKEN_MISSING")
        assert code(stranger.delete(path)) == (404, "ORDER_NOT_FOUND")
        assert backend.document(f"orders/{order['id']}")["deletedAt"] is None

    @pytest.mark.parametrize("states", [[], ["confirmed"], ["confirmed", "shipped"]])
    def test_an_open_order_stays(self, backend, user, admin, states):
        order = placed(user, (backend.product(), 1))
        if states:
            move(admin, order, *states)
        assert code(user.delete(f"/v1/orders/{order['id']}")) == (409, "ORDER_STILL_OPEN")
        assert user.get(f"/v1/orders/{order['id']}").status_code == 200

    def test_a_finished_one_leaves_the_list(self, backend, user, admin):
        order = placed(user, (backend.product(), 1))
        move(admin, order, "confirmed", "shipped", "delivered")
        path = f"/v1/orders/{order['id']}"
        removed = user.delete(path)
        assert removed.status_code == 200
        assert removed.json()["data"]["deletedAt"] is not None
        again = user.delete(path)
        assert again.json()["data"] == removed.json()["data"] == user.get(path).json()["data"]
        assert again.headers["X-Firestore-Writes"] == "0"
        assert user.get("/v1/orders").json()["data"] == []
        stored = backend.document(f"orders/{order['id']}")
        assert (stored["version"], stored["deletedAt"] is not None) == (5, True)
        assert backend.document(f"orders/{order['id']}/events/5")["type"] == "removed"
