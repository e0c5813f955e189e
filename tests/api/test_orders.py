"""Orders over HTTP: anonymous first, then the wrong user, then the way it should go."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.api.orders import ADDRESS, code, place
from tests.backend import eventually


class TestCreate:
    def test_nobody_orders_without_signing_in(self, backend):
        assert code(backend.http.post("/v1/orders", json={})) == (401, "TOKEN_MISSING")

    def test_prices_are_the_shops_and_tax_is_added(self, backend, user):
        coffee, cake = backend.product(unitPrice=455), backend.product(unitPrice=1050, name="Cake")
        response = place(user, (coffee, 3), (cake, 1), body={"shippingAddress": ADDRESS, "note": "no sugar"})
        assert response.status_code == 201
        order = response.json()["data"]
        assert [item["lineTotal"] for item in order["items"]] == [1365, 1050]
        assert (order["subtotal"], order["tax"], order["total"]) == (2415, 242, 2657)
        assert (order["status"], order["currency"], order["version"]) == ("pending", "AUD", 1)
        assert order["shippingAddress"]["city"] == "Sydney"
        stored = backend.document(f"orders/{order['id']}")
        assert stored["userId"] == user.uid
        assert stored["total"] == 2657
        event = backend.document(f"orders/{order['id']}/events/1")
        assert (event["type"], event["to"], event["actor"]) == ("created", "pending", "customer")

    def test_it_costs_one_read_a_product_one_of_the_caller_and_three_writes(self, backend, user):
        response = place(user, (backend.product(stock=5), 1))
        assert response.headers["X-Firestore-Reads"] == "2"
        assert response.headers["X-Firestore-Writes"] == "3"  # order, event, stock

    def test_stock_is_taken_and_never_oversold(self, backend):
        product = backend.product(stock=10)
        users = [backend.user() for _ in range(8)]
        with ThreadPoolExecutor(16) as pool:
            answers = list(pool.map(lambda n: place(users[n % 8], (product, 1)), range(32)))
        sold = [answer for answer in answers if answer.status_code == 201]
        refused = {code(answer) for answer in answers if answer.status_code != 201}
        assert len(sold) == 10
        assert refused == {(409, "OUT_OF_STOCK")}
        assert backend.document(f"products/{product}")["stock"] == 0

    def test_what_is_missing_is_named(self, backend, user):
        product = backend.product(stock=1)
        response = place(user, (product, 2))
        assert code(response) == (409, "OUT_OF_STOCK")
        assert response.json()["errors"] == [
            {"field": "items[0].quantity", "code": "OUT_OF_STOCK", "message": "1 left."}
        ]
        assert backend.document(f"products/{product}")["stock"] == 1

    def test_what_is_not_sold_is_named(self, backend, user):
        retired = backend.product(active=False)
        response = place(user, (backend.product(), 1), (retired, 1), ("nosuch", 1))
        assert code(response) == (422, "PRODUCT_UNAVAILABLE")
        assert [e["field"] for e in response.json()["errors"]] == ["items[1].productId", "items[2].productId"]

    def test_one_order_has_one_currency(self, backend, user):
        response = place(user, (backend.product(), 1), (backend.product(currency="NZD"), 1))
        assert code(response) == (422, "MIXED_CURRENCIES")

    @pytest.mark.parametrize(
        ("body", "fields"),
        [
            ({}, {"items"}),
            ({"items": []}, {"items"}),
            ({"items": [{"productId": "p", "quantity": 0}]}, {"items[0].quantity"}),
            ({"items": [{"productId": "p", "quantity": 1000}]}, {"items[0].quantity"}),
            ({"items": [{"productId": "p", "quantity": "1"}]}, {"items[0].quantity"}),
            ({"items": [{"productId": "p", "quantity": 1.5}]}, {"items[0].quantity"}),
            ({"items": [{"productId": "a/b", "quantity": True}]}, {"items[0].productId", "items[0].quantity"}),
            ({"items": [{"productId": "p", "quantity": 1}] * 2}, {"items[1].productId"}),
            ({"items": [{"productId": f"p{n}", "quantity": 1} for n in range(101)]}, {"items"}),
            ({"items": [{"productId": "p", "quantity": 1, "unitPrice": 1}]}, {"items[0].unitPrice"}),
            ({"items": [{"productId": "p", "quantity": 1}], "total": 1, "note": ""}, {"total", "note"}),
            ({"items": 3, "shippingAddress": {"country": "Australia"}}, None),
        ],
    )
    def test_every_field_that_is_wrong_is_named(self, user, body, fields):
        response = user.post("/v1/orders", body)
        assert code(response) == (400, "VALIDATION_FAILED")
        named = {error["field"] for error in response.json()["errors"]}
        assert named == fields or (fields is None and {"items", "shippingAddress.country"} < named)
        assert all(error["code"] and error["message"] for error in response.json()["errors"])


class TestIdempotency:
    def test_a_repeated_call_gets_the_first_answer(self, backend, user):
        product = backend.product(stock=5)
        first = place(user, (product, 1), headers={"Idempotency-Key": "k-1"})
        again = place(user, (product, 1), headers={"Idempotency-Key": "k-1"})
        assert (first.status_code, again.status_code) == (201, 201)
        assert again.json()["data"] == first.json()["data"]
        assert "Idempotency-Replayed" not in first.headers
        assert again.headers["Idempotency-Replayed"] == "true"
        assert backend.document(f"products/{product}")["stock"] == 4

    def test_a_key_is_not_for_two_orders(self, backend, user):
        product = backend.product()
        place(user, (product, 1), headers={"Idempotency-Key": "k"})
        assert code(place(user, (product, 2), headers={"Idempotency-Key": "k"})) == (422, "IDEMPOTENCY_KEY_REUSED")

    def test_a_key_belongs_to_its_user(self, backend, user, stranger):
        product = backend.product()
        mine = place(user, (product, 1), headers={"Idempotency-Key": "same"}).json()["data"]
        theirs = place(stranger, (product, 1), headers={"Idempotency-Key": "same"}).json()["data"]
        assert mine["id"] != theirs["id"]

    def test_twenty_at_once_make_one_order(self, backend, user):
        product = backend.product(stock=50)
        with ThreadPoolExecutor(20) as pool:
            answers = list(
                pool.map(lambda _: place(user, (product, 1), headers={"Idempotency-Key": "burst"}), range(20))
            )
        assert {answer.status_code for answer in answers} == {201}
        first, *others = [answer.json()["data"] for answer in answers]
        assert others == [first] * 19
        assert backend.document(f"products/{product}")["stock"] == 49

    @pytest.mark.parametrize("key", ["", "x" * 256, "two words"])
    def test_a_key_has_a_form(self, user, key):
        assert code(place(user, ("p", 1), headers={"Idempotency-Key": key})) == (400, "VALIDATION_FAILED")


class TestRead:
    def test_one_order_is_its_owners(self, backend, user, stranger):
        order = place(user, (backend.product(), 1)).json()["data"]
        path = f"/v1/orders/{order['id']}"
        assert code(backend.http.get(path)) == (401, "TOKEN_MISSING")
        assert code(stranger.get(path)) == (404, "ORDER_NOT_FOUND")
        response = user.get(path)
        assert response.json()["data"] == order
        assert response.headers["X-Firestore-Reads"] == "1"

    @pytest.mark.parametrize("order_id", ["nosuch", "x" * 128])
    def test_there_may_be_none(self, user, order_id):
        assert code(user.get(f"/v1/orders/{order_id}")) == (404, "ORDER_NOT_FOUND")

    @pytest.mark.parametrize("order_id", ["..", "__x__", "%00", "x" * 129, "a%20b"])
    def test_an_id_that_cannot_be_one_is_no_server_error(self, user, order_id):
        assert user.get(f"/v1/orders/{order_id}").status_code in (400, 404)


class TestList:
    @pytest.fixture(scope="class")
    @classmethod
    def customer(cls, backend):
        customer = backend.user()
        product = backend.product()
        for quantity in range(1, 8):
            assert place(customer, (product, quantity)).status_code == 201
        return customer

    def quantities(self, response):
        assert response.status_code == 200, response.text
        return [order["items"][0]["quantity"] for order in response.json()["data"]]

    def test_page_after_page_newest_first(self, customer):
        seen, cursor = [], None
        for _ in range(10):
            response = customer.get("/v1/orders", params={"limit": 3} | ({"cursor": cursor} if cursor else {}))
            seen += self.quantities(response)
            page = response.json()["pagination"]
            cursor = page["nextCursor"]
            assert page["limit"] == 3
            assert page["hasNext"] is (cursor is not None)
            if not page["hasNext"]:
                break
        assert seen == [7, 6, 5, 4, 3, 2, 1]

    def test_a_list_of_n_costs_n_reads(self, customer):
        for limit in (1, 3, 7):
            response = customer.get("/v1/orders", params={"limit": limit})
            assert response.headers["X-Firestore-Reads"] == str(limit)

    def test_strangers_see_nothing(self, stranger):
        assert stranger.get("/v1/orders").json()["data"] == []

    def test_by_status_and_with_the_total(self, customer):
        response = customer.get("/v1/orders", params={"status": "pending", "includeTotal": "true", "limit": 1})
        assert response.json()["pagination"]["total"] == 7
        assert customer.get("/v1/orders", params={"status": "shipped"}).json()["data"] == []

    def test_fields_cut_the_answer_down(self, customer):
        response = customer.get("/v1/orders", params={"fields": "id,total,items.quantity", "limit": 2})
        assert self.quantities(response) == [7, 6]
        assert {frozenset(order) for order in response.json()["data"]} == {frozenset({"id", "total", "items"})}
        assert response.json()["data"][0]["items"] == [{"quantity": 7}]
        assert response.json()["pagination"]["nextCursor"]

    def test_unknown_fields_are_named(self, customer):
        response = customer.get("/v1/orders", params={"fields": "id,nope,items.nope,userId"})
        assert code(response) == (400, "VALIDATION_FAILED")
        assert len(response.json()["errors"]) == 3

    @pytest.mark.parametrize("limit", ["0", "-1", "x", "1.5", ""])
    def test_a_limit_below_one_is_refused(self, customer, limit):
        assert code(customer.get("/v1/orders", params={"limit": limit})) == (400, "VALIDATION_FAILED")

    def test_a_limit_above_a_hundred_is_a_hundred(self, customer):
        assert customer.get("/v1/orders", params={"limit": 5000}).json()["pagination"]["limit"] == 100

    def test_a_cursor_is_for_its_caller_and_its_list(self, customer, stranger):
        cursor = customer.get("/v1/orders", params={"limit": 2}).json()["pagination"]["nextCursor"]
        assert customer.get("/v1/orders", params={"limit": 5, "cursor": cursor}).status_code == 200
        refused = [
            stranger.get("/v1/orders", params={"cursor": cursor}),
            customer.get("/v1/orders", params={"cursor": cursor, "status": "pending"}),
            customer.get("/v1/notifications", params={"cursor": cursor}),
            customer.get("/v1/orders", params={"cursor": cursor[:-2]}),
            customer.get("/v1/orders", params={"cursor": "A" + cursor[1:]}),
            customer.get("/v1/orders", params={"cursor": "not a cursor"}),
            customer.get("/v1/orders", params={"cursor": "é"}),
        ]
        assert {code(response) for response in refused} == {(400, "INVALID_CURSOR")}


class TestStatus:
    def test_only_administrators_move_orders(self, backend, user):
        order = place(user, (backend.product(), 1)).json()["data"]
        path = f"/v1/admin/orders/{order['id']}/status"
        assert code(backend.http.post(path, json={"status": "confirmed"})) == (401, "TOKEN_MISSING")
        assert code(user.post(path, {"status": "confirmed"})) == (403, "ROLE_REQUIRED")
        assert backend.document(f"orders/{order['id']}")["version"] == 1

    def test_each_move_leaves_an_event_and_an_audit_entry(self, backend, user, admin):
        order = place(user, (backend.product(), 1)).json()["data"]
        path = f"/v1/admin/orders/{order['id']}/status"
        moved = admin.post(path, {"status": "confirmed", "reason": "paid"})
        assert moved.status_code == 200
        assert (moved.json()["data"]["status"], moved.json()["data"]["version"]) == ("confirmed", 2)
        event = backend.document(f"orders/{order['id']}/events/2")
        assert (event["from"], event["to"], event["actor"], event["reason"]) == ("pending", "confirmed", "shop", "paid")

    def test_a_move_that_is_repeated_answers_the_same(self, backend, user, admin):
        order = place(user, (backend.product(), 1)).json()["data"]
        path = f"/v1/admin/orders/{order['id']}/status"
        first, again = (admin.post(path, {"status": "confirmed"}) for _ in range(2))
        assert (first.status_code, again.status_code) == (200, 200)
        assert again.json()["data"] == first.json()["data"]
        assert backend.document(f"orders/{order['id']}/events/3") is None

    @pytest.mark.parametrize("status", ["shipped", "delivered", "refunded"])
    def test_states_follow_one_another(self, backend, user, admin, status):
        order = place(user, (backend.product(), 1)).json()["data"]
        response = admin.post(f"/v1/admin/orders/{order['id']}/status", {"status": status})
        assert code(response) == (409, "INVALID_TRANSITION")
        assert backend.document(f"orders/{order['id']}")["version"] == 1

    def test_an_unknown_status_and_an_unknown_order(self, admin):
        assert code(admin.post("/v1/admin/orders/nosuch/status", {"status": "eaten"})) == (400, "VALIDATION_FAILED")
        assert code(admin.post("/v1/admin/orders/nosuch/status", {"status": "shipped"})) == (404, "ORDER_NOT_FOUND")

    def test_the_customer_is_told_once_on_each_phone(self, backend, user, admin):
        for name in ("one", "two"):
            device = {"fid": f"{name}-{user.uid}", "platform": "ios", "appVersion": "1.0.0", "locale": "en-AU"}
            assert user.put(f"/v1/users/me/devices/{name}", device).status_code == 200
        order = place(user, (backend.product(), 1)).json()["data"]
        admin.post(f"/v1/admin/orders/{order['id']}/status", {"status": "confirmed"})
        (entry,) = eventually(lambda: user.get("/v1/notifications").json()["data"])
        assert entry["id"] == f"{order['id']}-2"
        assert entry["title"] == "Order confirmed"
        assert entry["data"] == {"orderId": order["id"], "status": "confirmed"}
        for name in ("one", "two"):
            (message,) = eventually(lambda name=name: backend.pushes(f"{name}-{user.uid}"))
            assert message["data"]["notificationId"] == entry["id"]
            assert message["apns"]["headers"]["apns-collapse-id"] == entry["id"]
            path = f"users/{user.uid}/notifications/{entry['id']}/deliveries/{name}"
            eventually(lambda path=path: backend.document(path)["state"] == "sent")

    def test_a_phone_that_is_gone_is_forgotten_and_others_are_not(self, backend, user, admin):
        for name in ("gone", "here"):
            device = {"fid": f"{name}-{user.uid}", "platform": "android", "appVersion": "1.0.0", "locale": "en-AU"}
            user.put(f"/v1/users/me/devices/{name}", device)
        backend.script_target(f"gone-{user.uid}", "UNREGISTERED")
        order = place(user, (backend.product(), 1)).json()["data"]
        admin.post(f"/v1/admin/orders/{order['id']}/status", {"status": "cancelled"})
        eventually(lambda: backend.document(f"users/{user.uid}/devices/gone") is None)
        assert backend.document(f"users/{user.uid}/devices/here")
        path = f"users/{user.uid}/notifications/{order['id']}-2/deliveries/gone"
        eventually(lambda: backend.document(path)["state"] == "pruned")
