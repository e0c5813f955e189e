"""Firestore is away: what each kind of caller is told, that nothing is half written, and that it goes on by itself."""

import pytest
from tests.api.orders import code, lines, placed

from firesuite.faults import AWAY
from wattle.adapters.firestore import FirestoreUnavailable
from wattle.kit.retry import Deadline
from wattle.push.orders import order_message


@pytest.fixture
def away(instance):
    """An instance of the API whose database answers nothing."""
    one = instance()
    one.faults.follow(lambda _call: AWAY)
    return one


def test_probes_tell_the_process_from_what_it_needs(away):
    assert away.http.get("/health").status_code == 200
    ready = away.http.get("/health/ready")
    assert code(ready) == (503, "UNAVAILABLE")
    assert int(ready.headers["Retry-After"]) >= 1


@pytest.mark.parametrize(
    "path", ["/v1/users/me", "/v1/orders", "/v1/notifications", "/v1/products", "/v1/screens/home"]
)
def test_readers_are_told_to_come_again(away, user, path):
    answer = away.http.get(path, headers=user.headers)
    assert code(answer) == (503, "UNAVAILABLE")
    assert int(answer.headers["Retry-After"]) >= 1


def test_an_order_that_was_sent_in_vain_is_one_order_when_it_is_sent_again(backend, away, user):
    product = backend.product(stock=5)
    order, key = {"items": lines((product, 2))}, {"Idempotency-Key": "sent-in-the-outage"}
    for _ in range(2):
        assert code(away.http.post("/v1/orders", json=order, headers={**user.headers, **key})) == (503, "UNAVAILABLE")
    assert backend.document(f"products/{product}")["stock"] == 5
    away.faults.reset()
    for status in (201, 201):
        assert away.http.post("/v1/orders", json=order, headers={**user.headers, **key}).status_code == status
    assert backend.document(f"products/{product}")["stock"] == 3


def test_events_wait_and_are_handled_when_it_is_back(backend, away, user):
    order = placed(user, (backend.product(), 1))
    before = backend.document(f"orders/{order['id']}")
    uid, message = order_message(order["id"], before, before | {"status": "shipped", "version": 9})
    with pytest.raises(FirestoreUnavailable):
        away.services.push.tell(uid, message, Deadline.after(1))
    away.faults.reset()
    away.services.push.tell(uid, message, Deadline.after(60))
    assert backend.document(f"users/{user.uid}/notifications/{order['id']}-9")["title"] == "Order shipped"
