"""Products: read by anyone who is signed in, written by administrators."""

from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from tests.api.orders import code, place, placed, stock

from firesuite.faults import Failure, each
from wattle.adapters.firestore import Query
from wattle.kit.retry import Deadline

NEW = {"name": "Long black", "unitPrice": 480, "currency": "AUD"}


def audit(backend, product):
    """The diffs in the audit log of a product, by version of the product."""
    found = backend.firestore.query(
        Query("auditLog", where=[("target", "==", f"products/{product}")]), Deadline.after(60)
    )
    return [entry.data for entry in sorted(found, key=lambda entry: entry.data["at"])]


class TestRead:
    def test_nobody_without_signing_in(self, backend):
        assert code(backend.http.get("/v1/products/some")) == (401, "TOKEN_MISSING")

    def test_one_product(self, backend, user):
        product = backend.product(stock=3)
        response = user.get(f"/v1/products/{product}")
        assert response.status_code == 200
        assert response.headers["X-Firestore-Reads"] == "1"
        data = response.json()["data"]
        assert (data["id"], data["stock"], data["unitPrice"], data["active"]) == (product, 3, 500, True)

    @pytest.mark.parametrize("path", ["/v1/products", "/v1/products/{}"])
    def test_an_app_may_keep_it_for_a_minute(self, backend, user, path):
        response = user.get(path.format(backend.product()))
        assert response.headers["Cache-Control"] == "private, max-age=60"
        again = user.get(
            str(response.url.path).partition("/api")[2], headers={"If-None-Match": response.headers["ETag"]}
        )
        assert again.status_code == 304

    def test_what_is_not_sold_is_not_there_but_for_administrators(self, backend, user, admin):
        product = backend.product(active=False)
        assert code(user.get(f"/v1/products/{product}")) == (404, "PRODUCT_NOT_FOUND")
        assert code(user.get("/v1/products/nosuch")) == (404, "PRODUCT_NOT_FOUND")
        assert admin.get(f"/v1/products/{product}").json()["data"]["active"] is False
        assert code(admin.get("/v1/products/nosuch")) == (404, "PRODUCT_NOT_FOUND")
        listed = user.get("/v1/products", params={"limit": 100}).json()["data"]
        assert product not in {each["id"] for each in listed}


class TestCreate:
    def test_only_administrators(self, backend, user):
        assert code(backend.http.post("/v1/admin/products", json=NEW)) == (401, "TOKEN_MISSING")
        assert code(user.post("/v1/admin/products", NEW)) == (403, "ROLE_REQUIRED")

    def test_it_is_for_sale_at_once(self, backend, user, admin):
        response = admin.post("/v1/admin/products", {**NEW, "stock": 5, "description": "Hot."})
        assert response.status_code == 201
        product = response.json()["data"]
        assert (product["active"], product["stock"], product["version"]) == (True, 5, 1)
        assert user.get(f"/v1/products/{product['id']}").json()["data"] == product
        placed(user, (product["id"], 2))
        assert stock(backend, product["id"]) == 3
        (entry,) = audit(backend, product["id"])
        assert (entry["action"], entry["actor"]) == ("product.create", admin.uid)
        assert entry["diff"]["unitPrice"] == [None, 480]

    def test_a_repeated_call_makes_one(self, backend, admin):
        headers = {"Idempotency-Key": "new-product"}
        first = admin.post("/v1/admin/products", NEW, headers=headers)
        again = admin.post("/v1/admin/products", NEW, headers=headers)
        assert again.json()["data"] == first.json()["data"]
        assert again.headers["Idempotency-Replayed"] == "true"
        assert code(admin.post("/v1/admin/products", {**NEW, "unitPrice": 1}, headers=headers)) == (
            422,
            "IDEMPOTENCY_KEY_REUSED",
        )

    @pytest.mark.parametrize(
        ("body", "fields"),
        [
            ({}, {"name", "unitPrice", "currency"}),
            ({**NEW, "name": " ", "unitPrice": -1, "currency": "aud"}, {"name", "unitPrice", "currency"}),
            ({**NEW, "unitPrice": 4.8, "stock": -1, "active": 1}, {"unitPrice", "stock", "active"}),
            ({**NEW, "unitPrice": 10**12, "id": "mine"}, {"unitPrice", "id"}),
        ],
    )
    def test_every_field_that_is_wrong_is_named(self, admin, body, fields):
        response = admin.post("/v1/admin/products", body)
        assert code(response) == (400, "VALIDATION_FAILED")
        assert {error["field"] for error in response.json()["errors"]} == fields


class TestChange:
    def test_only_administrators(self, backend, user, admin):
        product = backend.product()
        path = f"/v1/admin/products/{product}"
        assert code(backend.http.patch(path, json={"unitPrice": 1})) == (401, "TOKEN_MISSING")
        assert code(user.patch(path, {"unitPrice": 1})) == (403, "ROLE_REQUIRED")
        assert code(admin.patch("/v1/admin/products/nosuch", {"unitPrice": 1})) == (404, "PRODUCT_NOT_FOUND")
        assert backend.document(f"products/{product}")["unitPrice"] == 500

    def test_the_audit_log_keeps_the_price_history(self, backend, admin):
        product = backend.product(unitPrice=100)
        path = f"/v1/admin/products/{product}"
        for price in (120, 90):
            assert admin.patch(path, {"unitPrice": price, "name": "Same"}).json()["data"]["unitPrice"] == price
        diffs = [entry["diff"] for entry in audit(backend, product)]
        assert diffs == [{"unitPrice": [100, 120], "name": ["Flat white", "Same"]}, {"unitPrice": [120, 90]}]
        assert backend.document(f"products/{product}")["version"] == 3

    def test_an_order_keeps_the_price_it_was_placed_at(self, backend, user, admin):
        product = backend.product(unitPrice=100)
        order = placed(user, (product, 1))
        admin.patch(f"/v1/admin/products/{product}", {"unitPrice": 900})
        assert user.get(f"/v1/orders/{order['id']}").json()["data"]["subtotal"] == 100

    def test_what_changes_nothing_writes_nothing(self, backend, admin):
        product = backend.product()
        response = admin.patch(f"/v1/admin/products/{product}", {"unitPrice": 500, "active": True})
        assert response.status_code == 200
        assert response.headers["X-Firestore-Writes"] == "0"

    def test_a_change_of_a_version_that_is_gone_is_refused(self, backend, user, admin):
        product = backend.product(stock=5)
        path = f"/v1/admin/products/{product}"
        seen = admin.get(f"/v1/products/{product}").headers["ETag"]
        placed(user, (product, 1))  # what is sold is no change of the product
        assert admin.patch(path, {"unitPrice": 1}, headers={"If-Match": seen}).status_code == 200
        assert code(admin.patch(path, {"unitPrice": 2}, headers={"If-Match": seen})) == (412, "PRECONDITION_FAILED")
        assert backend.document(f"products/{product}")["unitPrice"] == 1

    def test_taken_off_sale(self, backend, user, admin):
        product = backend.product()
        assert admin.patch(f"/v1/admin/products/{product}", {"active": False}).status_code == 200
        assert code(place(user, (product, 1))) == (422, "PRODUCT_UNAVAILABLE")

    def test_stock_is_set_or_moved(self, backend, user, admin):
        product = backend.product(stock=None)
        path = f"/v1/admin/products/{product}"
        assert code(admin.patch(path, {"stockChange": 5})) == (409, "STOCK_NOT_COUNTED")
        assert admin.patch(path, {"stock": 10}).json()["data"]["stock"] == 10
        assert admin.patch(path, {"stockChange": -4}).json()["data"]["stock"] == 6
        assert admin.patch(path, {"stock": 1_000_000_000}).status_code == 200
        assert code(admin.patch(path, {"stockChange": 1})) == (400, "VALIDATION_FAILED")
        assert admin.patch(path, {"stock": 6}).status_code == 200
        short = admin.patch(path, {"stockChange": -7})
        assert code(short) == (409, "OUT_OF_STOCK")
        assert short.json()["errors"][0]["field"] == "stockChange"
        assert admin.patch(path, {"stock": None}).json()["data"]["stock"] is None

    def test_a_delivery_and_sales_at_once_add_up(self, backend, admin):
        product = backend.product(stock=20)
        users = [backend.user() for _ in range(4)]
        with ThreadPoolExecutor(6) as pool:
            sales = [pool.submit(place, users[n % 4], (product, 1)) for n in range(8)]
            path = f"/v1/admin/products/{product}"
            deliveries = [pool.submit(admin.patch, path, {"stockChange": 10}) for _ in range(3)]
            assert {sale.result().status_code for sale in sales} == {201}
            assert {delivery.result().status_code for delivery in deliveries} == {200}
        assert stock(backend, product) == 20 - 8 + 30

    def test_a_commit_of_unknown_outcome_is_not_made_twice(self, backend, instance, admin):
        product = backend.product(stock=20)
        here = instance()
        here.faults.follow(each("Commit", Failure(grpc.StatusCode.UNAVAILABLE, after=True)))
        changed = here.as_user(admin).patch(f"/v1/admin/products/{product}", {"stockChange": 10})
        here.faults.follow(each("Commit", Failure(grpc.StatusCode.UNAVAILABLE, after=True)))
        created = here.as_user(admin).post("/v1/admin/products", NEW)
        assert (changed.status_code, created.status_code) == (200, 201)
        assert changed.json()["data"]["stock"] == stock(backend, product) == 30
        assert len(audit(backend, product)) == 1
        assert len(audit(backend, created.json()["data"]["id"])) == 1

    @pytest.mark.parametrize(
        ("body", "fields"),
        [
            ({}, {"body"}),
            ({"stock": 1, "stockChange": 1}, {"body"}),
            ({"name": None, "unitPrice": "1", "currency": "dollars"}, {"name", "unitPrice", "currency"}),
            ({"version": 7}, {"version"}),
        ],
    )
    def test_every_field_that_is_wrong_is_named(self, admin, body, fields):
        response = admin.patch("/v1/admin/products/some", body)
        assert code(response) == (400, "VALIDATION_FAILED")
        assert {error["field"] for error in response.json()["errors"]} == fields


class TestAdministratorsList:
    def test_only_administrators(self, backend, user):
        assert code(backend.http.get("/v1/admin/products")) == (401, "TOKEN_MISSING")
        assert code(user.get("/v1/admin/products")) == (403, "ROLE_REQUIRED")

    def test_what_runs_short_scarcest_first(self, backend, admin):
        scarce, empty, off = backend.product(stock=2), backend.product(stock=0), backend.product(stock=1, active=False)
        plenty, unlimited = backend.product(stock=3), backend.product(stock=None)

        def found(**parameters):
            rows, cursor = [], None
            while True:
                page = {"limit": 100, **parameters} | ({"cursor": cursor} if cursor else {})
                answer = admin.get("/v1/admin/products", params=page).json()
                rows += [row["id"] for row in answer["data"]]
                if (cursor := answer["pagination"]["nextCursor"]) is None:
                    return [id_ for id_ in rows if id_ in {scarce, empty, off, plenty, unlimited}]

        assert found(stockBelow=3) == [empty, off, scarce]
        assert found(stockBelow=3, active="true") == [empty, scarce]
        assert found(stockBelow=0) == []
        assert set(found()) == {scarce, empty, off, plenty, unlimited}
        assert found(active="false") == [off]

    def test_page_after_page(self, backend, admin):
        for number in range(3):
            backend.product(stock=number)
        rows, cursor = [], None
        while True:
            parameters = {"stockBelow": 3, "limit": 2, "includeTotal": "true"}
            response = admin.get("/v1/admin/products", params=parameters | ({"cursor": cursor} if cursor else {}))
            rows += response.json()["data"]
            cursor = response.json()["pagination"]["nextCursor"]
            if cursor is None:
                break
        assert len(rows) == len({row["id"] for row in rows}) == response.json()["pagination"]["total"]
        assert [row["stock"] for row in rows] == sorted(row["stock"] for row in rows)
