"""PATCH of a pending order: prices of changed lines, stock by the difference, nothing half done."""

from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from tests.api.orders import ADDRESS, code, lines, move, place, placed, stock

from firesuite.faults import Failure, each


class TestAmend:
    def test_it_is_its_owners(self, backend, user, stranger):
        order = placed(user, (backend.product(), 1))
        path = f"/v1/orders/{order['id']}"
        assert code(backend.http.patch(path, json={"note": "x"})) == (401, "TOKEN_MISSING")
        assert code(stranger.patch(path, {"note": "x"})) == (404, "ORDER_NOT_FOUND")
        assert code(user.patch("/v1/orders/nosuch", {"note": "x"})) == (404, "ORDER_NOT_FOUND")
        assert backend.document(f"orders/{order['id']}")["version"] == 1

    def test_note_and_address_change_and_can_be_emptied(self, backend, user):
        order = placed(user, (backend.product(), 1), body={"note": "first", "shippingAddress": ADDRESS})
        path = f"/v1/orders/{order['id']}"
        changed = user.patch(path, {"note": "second"})
        assert changed.status_code == 200
        assert (changed.json()["data"]["note"], changed.json()["data"]["version"]) == ("second", 2)
        assert changed.json()["data"]["shippingAddress"] == order["shippingAddress"]
        assert changed.headers["X-Firestore-Reads"] == "2"  # the order, and whether the session still holds
        assert changed.headers["X-Firestore-Writes"] == "2"  # order, event
        emptied = user.patch(path, {"shippingAddress": None, "note": None}).json()["data"]
        assert (emptied["shippingAddress"], emptied["note"], emptied["version"]) == (None, None, 3)
        assert user.get(path).json()["data"] == emptied

    def test_only_changed_lines_get_the_new_price(self, backend, user, admin):
        kept, changed, dropped = (backend.product(unitPrice=100, stock=10) for _ in range(3))
        added = backend.product(unitPrice=7, stock=10)
        order = placed(user, (kept, 2), (changed, 2), (dropped, 2))
        for product in (kept, changed, dropped):
            assert admin.patch(f"/v1/admin/products/{product}", {"unitPrice": 150}).status_code == 200
        response = user.patch(f"/v1/orders/{order['id']}", {"items": lines((changed, 3), (kept, 2), (added, 1))})
        assert response.status_code == 200, response.text
        amended = response.json()["data"]
        assert [(item["productId"], item["unitPrice"], item["lineTotal"]) for item in amended["items"]] == [
            (changed, 150, 450),
            (kept, 100, 200),
            (added, 7, 7),
        ]
        assert (amended["subtotal"], amended["tax"], amended["total"]) == (657, 66, 723)
        assert [stock(backend, product) for product in (kept, changed, dropped, added)] == [8, 7, 10, 9]
        event = backend.document(f"orders/{order['id']}/events/2")
        assert (event["type"], event["from"], event["to"], event["number"]) == ("amended", "pending", "pending", 2)
        assert event["changed"] == ["items", "subtotal", "tax", "total"]

    def test_it_reads_only_the_products_that_change(self, backend, user):
        kept, changed = backend.product(stock=9), backend.product(stock=9)
        order = placed(user, (kept, 1), (changed, 1))
        response = user.patch(f"/v1/orders/{order['id']}", {"items": lines((kept, 1), (changed, 2))})
        assert response.headers["X-Firestore-Reads"] == "3"  # the order, one product, the session
        assert response.headers["X-Firestore-Writes"] == "3"  # order, event, one product's stock

    def test_what_changes_nothing_writes_nothing(self, backend, user):
        product = backend.product(stock=5)
        order = placed(user, (product, 2), body={"note": "as it is"})
        response = user.patch(f"/v1/orders/{order['id']}", {"note": "as it is", "items": lines((product, 2))})
        assert response.json()["data"] == order
        assert response.headers["X-Firestore-Writes"] == "0"

    def test_less_of_what_is_not_sold_any_more_stays_possible(self, backend, user, admin):
        retired, other = backend.product(unitPrice=300, stock=5), backend.product()
        order = placed(user, (retired, 3), (other, 1))
        admin.patch(f"/v1/admin/products/{retired}", {"active": False, "unitPrice": 999})
        path = f"/v1/orders/{order['id']}"
        more = user.patch(path, {"items": lines((other, 1), (retired, 4))})
        assert code(more) == (422, "PRODUCT_UNAVAILABLE")
        assert [error["field"] for error in more.json()["errors"]] == ["items[1].productId"]
        less = user.patch(path, {"items": lines((other, 1), (retired, 1))}).json()["data"]
        assert (less["items"][1]["unitPrice"], less["items"][1]["lineTotal"]) == (300, 300)
        assert stock(backend, retired) == 4

    def test_what_is_short_is_named_and_nothing_moves(self, backend, user):
        scarce, plenty = backend.product(stock=3), backend.product(stock=50)
        order = placed(user, (scarce, 2), (plenty, 5))
        response = user.patch(f"/v1/orders/{order['id']}", {"note": "x", "items": lines((plenty, 1), (scarce, 4))})
        assert code(response) == (409, "OUT_OF_STOCK")
        assert response.json()["errors"] == [
            {"field": "items[1].quantity", "code": "OUT_OF_STOCK", "message": "1 left."}
        ]
        assert (stock(backend, scarce), stock(backend, plenty)) == (1, 45)
        assert user.get(f"/v1/orders/{order['id']}").json()["data"] == order

    def test_one_order_keeps_one_currency(self, backend, user):
        order = placed(user, (mine := backend.product(), 1))
        foreign = backend.product(currency="NZD")
        path = f"/v1/orders/{order['id']}"
        assert code(user.patch(path, {"items": lines((mine, 1), (foreign, 1))})) == (422, "MIXED_CURRENCIES")
        assert user.patch(path, {"items": lines((foreign, 1))}).json()["data"]["currency"] == "NZD"

    @pytest.mark.parametrize("states", [["confirmed"], ["confirmed", "shipped"], ["cancelled"]])
    def test_only_a_pending_order_changes(self, backend, user, admin, states):
        product = backend.product(stock=5)
        order = placed(user, (product, 1))
        move(admin, order, *states)
        before = stock(backend, product)
        response = user.patch(f"/v1/orders/{order['id']}", {"items": lines((product, 3)), "note": "late"})
        assert code(response) == (409, "ORDER_NOT_PENDING")
        assert stock(backend, product) == before
        assert backend.document(f"orders/{order['id']}")["note"] is None

    @pytest.mark.parametrize(
        ("body", "fields"),
        [
            ({}, {"body"}),
            ({"items": []}, {"items"}),
            ({"items": None}, {"items"}),
            ({"note": ""}, {"note"}),
            ({"status": "shipped"}, {"status"}),
            ({"items": lines(("p", 1), ("q", 1), ("p", 2), ("q", 3))}, {"items[2].productId", "items[3].productId"}),
            (
                {"items": lines(("p", 0), ("a/b", 1000))},
                {"items[0].quantity", "items[1].productId", "items[1].quantity"},
            ),
            ({"shippingAddress": {"name": "x", "country": "aus"}, "note": 3}, None),
        ],
    )
    def test_every_field_that_is_wrong_is_named(self, backend, user, body, fields):
        response = user.patch("/v1/orders/some", body)
        assert code(response) == (400, "VALIDATION_FAILED")
        named = {error["field"] for error in response.json()["errors"]}
        assert named == (
            fields or {"note", *(f"shippingAddress.{name}" for name in ("line1", "city", "postalCode", "country"))}
        )

    def test_none_of_many_at_once_is_lost(self, backend, user):
        product = backend.product(stock=100)
        order = placed(user, (product, 1))
        path = f"/v1/orders/{order['id']}"
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda n: user.patch(path, {"items": lines((product, n))}), range(2, 10)))
        assert {answer.status_code for answer in answers} == {200}
        assert {answer.json()["data"]["version"] for answer in answers} == set(range(2, 10))
        final = user.get(path).json()["data"]
        assert stock(backend, product) == 100 - final["items"][0]["quantity"]

    def test_a_change_of_a_version_that_is_gone_is_refused(self, backend, user):
        order = placed(user, (product := backend.product(stock=9), 1))
        path = f"/v1/orders/{order['id']}"
        seen = user.get(path).headers["ETag"]
        first = user.patch(path, {"note": "mine"}, headers={"If-Match": seen})
        assert first.status_code == 200
        late = user.patch(path, {"note": "late", "items": lines((product, 3))}, headers={"If-Match": seen})
        assert code(late) == (412, "PRECONDITION_FAILED")
        assert code(user.post(f"{path}/cancel", headers={"If-Match": seen})) == (412, "PRECONDITION_FAILED")
        assert user.get(path).json()["data"] == first.json()["data"]
        assert stock(backend, product) == 8
        fresh = user.get(path).headers["ETag"]
        assert user.patch(path, {"note": "now"}, headers={"If-Match": fresh}).status_code == 200

    def test_parallel_changes_with_if_match_lose_none(self, backend, user):
        """Eight writers append to one note, each starting again when another was faster."""
        order = placed(user, (backend.product(), 1))
        path = f"/v1/orders/{order['id']}"

        def append(letter):
            while True:
                read = user.get(path)
                note = (read.json()["data"]["note"] or "") + letter
                answer = user.patch(path, {"note": note}, headers={"If-Match": read.headers["ETag"]})
                if answer.status_code == 200:
                    return
                assert code(answer) in {(412, "PRECONDITION_FAILED"), (503, "CONTENTION")}

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(append, "abcdefgh"))
        final = user.get(path).json()["data"]
        assert sorted(final["note"]) == list("abcdefgh")
        assert final["version"] == 9

    def test_a_commit_of_unknown_outcome_is_not_made_twice(self, backend, instance, user):
        product = backend.product(stock=10)
        order = placed(user, (product, 1))
        here = instance()
        here.faults.follow(each("Commit", Failure(grpc.StatusCode.UNAVAILABLE, after=True)))
        response = here.as_user(user).patch(f"/v1/orders/{order['id']}", {"items": lines((product, 4))})
        assert response.status_code == 200
        assert response.json()["data"] == user.get(f"/v1/orders/{order['id']}").json()["data"]
        assert response.json()["data"]["version"] == 2
        assert stock(backend, product) == 6
        assert backend.document(f"orders/{order['id']}/events/3") is None

    def test_placing_and_amending_meet_at_the_last_item(self, backend, user, stranger):
        product = backend.product(stock=4)
        order = placed(user, (product, 1))
        with ThreadPoolExecutor(2) as pool:
            amended = pool.submit(user.patch, f"/v1/orders/{order['id']}", {"items": lines((product, 3))})
            other = pool.submit(place, stranger, (product, 2))
        assert sorted([amended.result().status_code, other.result().status_code]) in ([200, 409], [201, 409])
        assert stock(backend, product) in (1, 1)
