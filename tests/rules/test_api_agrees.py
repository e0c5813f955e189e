"""The two doors agree: what a user may read of Firestore directly is what the REST API gives him, and neither shows
anybody else's. Users, orders, notifications and products are made up by hypothesis; both doors belong to one running
suite, with Auth's own tokens."""

from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from firesuite.rules.client import Client
from firesuite.rules.engine import Engine
from firesuite.rules.queries import Query
from firesuite.rules.tokens import OWNER, Caller
from firesuite.rules.writes import delete, replace

START = datetime(2026, 11, 1, tzinfo=UTC)
PEOPLE = 3
# One more than there are people: an order of somebody who is no user of this shop any more.
owners = st.integers(0, PEOPLE)
orders = st.lists(st.tuples(owners, st.booleans(), st.sampled_from(["pending", "shipped", "cancelled"])), max_size=6)
notifications = st.lists(st.tuples(st.integers(0, PEOPLE - 1), st.booleans()), max_size=5)
products = st.lists(st.booleans(), max_size=3)


class Doors:
    """One person at both doors."""

    def __init__(self, engine, user):
        self.user = user
        self.direct = Client(engine, Caller(token=user.token))

    def api(self, path):
        """The data of an answer, None where it is 403 or 404."""
        response = self.user.get(path)
        assert response.status_code in (200, 403, 404), response.text
        return response.json()["data"] if response.status_code == 200 else None

    def api_all(self, path):
        """By id, every item of a list, page by page."""
        found, cursor = {}, None
        while True:
            response = self.user.get(path, params={"limit": 100, **({"cursor": cursor} if cursor else {})})
            assert response.status_code == 200, response.text
            found |= {item["id"]: item for item in response.json()["data"]}
            cursor = response.json()["pagination"]["nextCursor"]
            if not cursor:
                return found

    def readable(self, path):
        """The fields of a document; None where it is denied or is not there."""
        outcome = self.direct.get(path)
        return outcome.value if outcome.allowed else None


@pytest.fixture(scope="module")
def engine_of_suite(backend):
    engine = Engine(f"127.0.0.1:{backend.suite.ports.firestore}", backend.project_id)
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def people(backend, engine_of_suite):
    return [Doors(engine_of_suite, backend.user()) for _ in range(PEOPLE)]


@contextmanager
def stored(engine, documents):
    """Documents that are there for a while, written past the rules."""
    owner = Client(engine, Caller(token=OWNER))
    if documents:
        _ = owner.commit([replace(path, data) for path, data in documents.items()]).value
    try:
        yield
    finally:
        if documents:
            _ = owner.commit([delete(path) for path in documents]).value


def order(uid, number, *, deleted, status):
    at = START + timedelta(seconds=number)
    amounts = {"subtotal": 100 * number, "tax": 10 * number, "total": 110 * number}
    return {
        "userId": uid,
        "number": f"W-{number}",
        "status": status,
        "currency": "AUD",
        "items": [{"productId": "p", "name": "Tea", "quantity": 1, "unitPrice": 100, "lineTotal": 100 * number}],
        **amounts,
        "shippingAddress": None,
        "note": None if number % 2 else f"note {number}",
        "createdAt": at,
        "updatedAt": at,
        "deletedAt": at if deleted else None,
        "version": number,
    }


def notification(number, *, read):
    at = START + timedelta(seconds=number)
    return {
        "kind": "orders",
        "title": f"title {number}",
        "body": "text",
        "data": {"orderId": f"o{number}"},
        "image": None,
        "link": None,
        "createdAt": at,
        "readAt": at if read else None,
        "expiresAt": at + timedelta(days=90),
    }


def product(number, *, active):
    return {
        "name": f"Tea {number}",
        "description": "Black",
        "unitPrice": 500,
        "currency": "AUD",
        "active": active,
        "stock": None,
        "updatedAt": START,
        "version": 1,
    }


def assert_same(item, fields):
    """What the API says of a document is what is stored, field by field."""
    for name, value in item.items():
        if name != "id":
            expected = fields[name]
            assert (datetime.fromisoformat(value) if isinstance(expected, datetime) else value) == expected, name


@given(orders=orders, notifications=notifications, products=products)
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_a_user_gets_directly_is_what_the_api_gives_him(people, engine_of_suite, orders, notifications, products):
    uids = [person.user.uid for person in people] + ["somebody-gone"]
    of_orders = {
        f"orders/agree{number}": order(uids[whose], number, deleted=deleted, status=status)
        for number, (whose, deleted, status) in enumerate(orders, 1)
    }
    of_inboxes = {
        f"users/{uids[whose]}/notifications/agree{number}": notification(number, read=read)
        for number, (whose, read) in enumerate(notifications, 1)
    }
    of_products = {
        f"products/agree{number}": product(number, active=active) for number, active in enumerate(products, 1)
    }
    with stored(engine_of_suite, of_orders | of_inboxes | of_products):
        for person in people:
            orders_agree(person, of_orders)
            inboxes_agree(person, of_inboxes, uids)
            products_agree(person, of_products)
            profiles_agree(person, uids)


def orders_agree(person, of_orders):
    uid = person.user.uid
    mine = [("userId", "==", uid)]
    everything = dict(person.direct.query(Query("orders", mine, limit=100)).value)
    present = dict(person.direct.query(Query("orders", [*mine, ("deletedAt", "==", None)], limit=100)).value)
    listed = person.api_all("/v1/orders")
    assert {fields["userId"] for fields in everything.values()} <= {uid}
    assert everything.keys() == {
        path.removeprefix("orders/") for path, fields in of_orders.items() if fields["userId"] == uid
    }
    assert listed.keys() == present.keys()
    for order_id, item in listed.items():
        assert_same(item, present[order_id])
    for path in of_orders:
        answered, read = person.api(f"/v1/{path}"), person.readable(path)
        assert (answered is None) == (read is None), path
        if answered is not None:
            assert read["userId"] == uid
            assert_same(answered, read)


def inboxes_agree(person, of_inboxes, uids):
    uid = person.user.uid
    read = dict(person.direct.query(Query(f"users/{uid}/notifications", limit=100)).value)
    listed = person.api_all("/v1/notifications")
    assert listed.keys() == read.keys()
    assert read.keys() == {path.rpartition("/")[2] for path in of_inboxes if path.startswith(f"users/{uid}/")}
    for name, item in listed.items():
        assert_same(item, read[name])
    for other in uids:
        if other != uid:
            assert not person.direct.query(Query(f"users/{other}/notifications", limit=1)).allowed


def products_agree(person, of_products):
    listed = person.api_all("/v1/products")
    for path in of_products:
        read = person.readable(path)
        item = listed.get(path.removeprefix("products/"))
        assert (item is None) == (read is None), path
        if item is not None:
            assert_same(item, read)


def profiles_agree(person, uids):
    profile = person.api("/v1/users/me")
    read = person.readable(f"users/{person.user.uid}")
    assert profile["id"] == person.user.uid
    assert profile["email"] == read["email"] == person.user.email
    assert_same({name: value for name, value in profile.items() if name != "notificationPreferences"}, read)
    for other in uids:
        if other != person.user.uid:
            assert person.readable(f"users/{other}") is None
