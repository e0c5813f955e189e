"""Filters, order and events of a user's orders; the lists of administrators over everybody's."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from tests.api.orders import code, move, placed

from wattle.adapters.firestore import Update
from wattle.kit.retry import Deadline

FROM = datetime(2026, 3, 1, tzinfo=UTC)
IN_2001 = {"createdFrom": "2001-01-01T00:00:00Z", "createdTo": "2001-01-02T00:00:00Z"}


def made_at(backend, order, moment):
    """Make an order look as if it was placed then."""
    backend.firestore.commit([Update(f"orders/{order['id']}", {"createdAt": moment})], Deadline.after(60))


def ids(response):
    assert response.status_code == 200, response.text
    return [order["id"] for order in response.json()["data"]]


def all_ids(user, path, limit=2, **parameters):
    """Page after page."""
    seen, cursor = [], None
    while True:
        response = user.get(path, params={**parameters, "limit": limit} | ({"cursor": cursor} if cursor else {}))
        seen += ids(response)
        cursor = response.json()["pagination"]["nextCursor"]
        if cursor is None:
            return seen


class TestFilters:
    @pytest.fixture(scope="class")
    @classmethod
    def customer(cls, backend, admin):
        """Five orders, one a day from FROM on; those of the second and fourth day are confirmed."""
        user, product, orders = backend.user(), backend.product(), []
        for day in range(5):
            order = placed(user, (product, 1))
            made_at(backend, order, FROM + timedelta(days=day))
            if day % 2:
                move(admin, order, "confirmed")
            orders.append(order["id"])
        return SimpleNamespace(get=user.get, orders=orders)

    def days(self, customer, response):
        return [customer.orders.index(order_id) for order_id in ids(response)]

    def test_either_end_first(self, customer):
        assert self.days(customer, customer.get("/v1/orders")) == [4, 3, 2, 1, 0]
        assert self.days(customer, customer.get("/v1/orders", params={"sort": "-createdAt"})) == [4, 3, 2, 1, 0]
        assert self.days(customer, customer.get("/v1/orders", params={"sort": "createdAt"})) == [0, 1, 2, 3, 4]

    @pytest.mark.parametrize(
        ("parameters", "days"),
        [
            ({"createdFrom": "2026-03-03T00:00:00Z"}, [4, 3, 2]),
            ({"createdFrom": "2026-03-03T00:00:00.000001Z"}, [4, 3]),
            ({"createdTo": "2026-03-03T00:00:00Z"}, [1, 0]),
            ({"createdFrom": "2026-03-02T00:00:00Z", "createdTo": "2026-03-04T00:00:00Z"}, [2, 1]),
            ({"createdFrom": "2026-03-03T11:00:00+11:00", "createdTo": "2026-03-03T00:00:01-00:00"}, [2]),
            ({"createdFrom": "2026-03-02T00:00:00Z", "status": "confirmed", "sort": "createdAt"}, [1, 3]),
            ({"createdTo": "2026-03-05T00:00:00Z", "status": "pending"}, [2, 0]),
            ({"createdFrom": "2027-01-01T00:00:00Z"}, []),
        ],
    )
    def test_a_range_of_time_and_a_status(self, customer, parameters, days):
        assert self.days(customer, customer.get("/v1/orders", params=parameters)) == days
        counted = customer.get("/v1/orders", params={**parameters, "includeTotal": "true", "limit": 1})
        assert counted.json()["pagination"]["total"] == len(days)

    @pytest.mark.parametrize("sort", ["createdAt", "-createdAt"])
    def test_page_after_page(self, customer, sort):
        seen = all_ids(customer, "/v1/orders", sort=sort, createdFrom="2026-03-02T00:00:00Z")
        wanted = customer.orders[1:]
        assert seen == (wanted if sort == "createdAt" else wanted[::-1])

    def test_a_cursor_is_for_its_filters(self, customer):
        first = customer.get("/v1/orders", params={"limit": 1, "sort": "createdAt"}).json()["pagination"]["nextCursor"]
        for other in ({}, {"sort": "-createdAt"}, {"sort": "createdAt", "createdTo": "2026-03-03T00:00:00Z"}):
            response = customer.get("/v1/orders", params={"cursor": first, **other})
            assert code(response) == (400, "INVALID_CURSOR")

    @pytest.mark.parametrize(
        ("parameters", "field"),
        [
            ({"createdFrom": "yesterday"}, "createdFrom"),
            ({"createdFrom": "1700000000"}, "createdFrom"),
            ({"createdFrom": "2026-03-01"}, "createdFrom"),
            ({"createdFrom": "2026-03-01T00:00:00"}, "createdFrom"),
            ({"createdFrom": "2026-13-01T00:00:00Z"}, "createdFrom"),
            ({"createdTo": "0001-01-01T00:00:00+14:00"}, "createdTo"),
            ({"createdTo": "9999-12-31T23:59:59-14:00"}, "createdTo"),
            ({"createdFrom": "2026-03-02T00:00:00Z", "createdTo": "2026-03-02T00:00:00Z"}, "createdTo"),
            ({"sort": "total"}, "sort"),
            ({"status": "eaten"}, "status"),
            ({"userId": "somebody"}, "userId"),
        ],
    )
    def test_what_is_wrong_is_named(self, user, parameters, field):
        response = user.get("/v1/orders", params=parameters)
        assert code(response) == (400, "VALIDATION_FAILED")
        assert [error["field"] for error in response.json()["errors"]] == [field]


class TestEvents:
    @pytest.fixture(scope="class")
    @classmethod
    def customer(cls, backend, admin):
        """One with an order of twelve events: more than one digit, which ids as text would sort wrongly."""
        user = backend.user()
        order = placed(user, (backend.product(), 1))
        for number in range(8):
            user.patch(f"/v1/orders/{order['id']}", {"note": f"note {number}"})
        move(admin, order, "confirmed", "shipped", "delivered")
        return SimpleNamespace(get=user.get, user=user, order=order)

    def test_they_are_the_owners(self, backend, customer, stranger):
        path = f"/v1/orders/{customer.order['id']}/events"
        assert code(backend.http.get(path)) == (401, "TOKEN_MISSING")
        assert code(stranger.get(path)) == (404, "ORDER_NOT_FOUND")
        assert code(stranger.get("/v1/orders/nosuch/events")) == (404, "ORDER_NOT_FOUND")

    def test_newest_first(self, customer):
        response = customer.get(f"/v1/orders/{customer.order['id']}/events")
        events = response.json()["data"]
        assert [event["number"] for event in events] == list(range(12, 0, -1))
        assert {frozenset(event) for event in events} == {
            frozenset({"number", "type", "from", "to", "changed", "actor", "reason", "at"})
        }
        assert (events[0]["type"], events[0]["from"], events[0]["to"]) == ("status", "shipped", "delivered")
        assert (events[0]["actor"], events[5]["actor"]) == ("shop", "customer")
        assert (events[5]["type"], events[5]["changed"]) == ("amended", ["note"])
        assert (events[-1]["type"], events[-1]["from"], events[-1]["to"]) == ("created", None, "pending")
        assert response.json()["pagination"] == {"limit": 20, "nextCursor": None, "hasNext": False}

    def test_page_after_page(self, customer):
        path, numbers, cursor, reads = f"/v1/orders/{customer.order['id']}/events", [], None, []
        while True:
            response = customer.get(path, params={"limit": 4} | ({"cursor": cursor} if cursor else {}))
            numbers += [event["number"] for event in response.json()["data"]]
            reads.append(response.headers["X-Firestore-Reads"])
            cursor = response.json()["pagination"]["nextCursor"]
            if cursor is None:
                break
        assert numbers == list(range(12, 0, -1))
        # The first page also reads the order, to see whose it is; the cursor proves it from then on.
        assert reads == ["5", "4", "4"]

    def test_a_cursor_is_for_its_order_and_its_owner(self, backend, customer, stranger):
        path = f"/v1/orders/{customer.order['id']}/events"
        response = customer.get(path, params={"limit": 4, "includeTotal": "true"})
        assert response.json()["pagination"]["total"] == 12
        cursor = response.json()["pagination"]["nextCursor"]
        other = placed(customer.user, (backend.product(), 1))
        assert code(stranger.get(path, params={"cursor": cursor})) == (400, "INVALID_CURSOR")
        elsewhere = customer.get(f"/v1/orders/{other['id']}/events", params={"cursor": cursor})
        assert code(elsewhere) == (400, "INVALID_CURSOR")


class TestAdministrators:
    @pytest.fixture(scope="class")
    @classmethod
    def placed_2001(cls, backend, admin):
        """Twelve orders of three users within a time that is theirs alone, oldest first; each third is cancelled."""
        product, users = backend.product(), [backend.user() for _ in range(3)]
        start = datetime(2001, 1, 1, tzinfo=UTC)
        orders = []
        for number in range(12):
            order = placed(users[number % 3], (product, 1))
            made_at(backend, order, start + timedelta(hours=number))
            if number % 3 == 0:
                move(admin, order, "cancelled")
            orders.append(order["id"])
        return orders

    @pytest.mark.parametrize("path", ["/v1/admin/orders", "/v1/admin/orders/some"])
    def test_only_they_see_everybodys(self, backend, user, path):
        assert code(backend.http.get(path)) == (401, "TOKEN_MISSING")
        assert code(user.get(path)) == (403, "ROLE_REQUIRED")

    def test_everybodys_newest_first(self, backend, admin, placed_2001):
        assert all_ids(admin, "/v1/admin/orders", limit=5, **IN_2001) == placed_2001[::-1]

    def test_by_status(self, backend, admin, placed_2001):
        found = all_ids(admin, "/v1/admin/orders", limit=2, status="cancelled", **IN_2001)
        assert found == placed_2001[::3][::-1]
        response = admin.get("/v1/admin/orders", params={"status": "cancelled", "limit": 3, **IN_2001})
        assert response.headers["X-Firestore-Reads"] == "3"
        assert len({order["userId"] for order in response.json()["data"]}) == 1

    def test_with_the_total_and_chosen_fields(self, backend, admin, placed_2001):
        parameters = {**IN_2001, "limit": 1, "includeTotal": "true", "fields": "id,userId,status"}
        response = admin.get("/v1/admin/orders", params=parameters)
        assert response.json()["pagination"]["total"] == 12
        assert set(response.json()["data"][0]) == {"id", "userId", "status"}

    def test_writes_are_spread_over_ten_ranges(self, backend, admin, placed_2001):
        shards = {backend.document(f"orders/{order_id}")["shard"] for order_id in placed_2001}
        assert shards <= set(range(10))
        assert len(shards) > 3

    def test_one_order_also_a_removed_one(self, backend, user, admin):
        order = placed(user, (backend.product(), 1))
        move(admin, order, "cancelled")
        user.delete(f"/v1/orders/{order['id']}")
        found = admin.get(f"/v1/admin/orders/{order['id']}").json()["data"]
        assert (found["userId"], found["status"]) == (user.uid, "cancelled")
        assert found["deletedAt"] is not None
        assert code(admin.get("/v1/admin/orders/nosuch")) == (404, "ORDER_NOT_FOUND")
