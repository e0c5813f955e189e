"""A good call of each route: for tests that go over the whole route table.

A new route needs a row in SAMPLES; without one these tests fail and say so.
"""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from tests.api.orders import move, placed
from tests.backend import Backend, User
from tests.people import PASSWORD, People

from wattle.adapters.firestore import Create, Increment, Update
from wattle.kit.retry import Deadline


@dataclass(frozen=True)
class Call:
    path: str
    body: object = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class World:
    """What a call can be about. Everything that a sample makes is new."""

    backend: Backend
    people: People
    admin: User

    def order(self, owner, *, quantity=1, stock=50):
        return placed(owner, (self.backend.product(stock=stock), quantity))

    def message(self, owner):
        """An unread message in the inbox, by its id."""
        id_, now = uuid.uuid4().hex, datetime.now(UTC)
        entry = {
            "kind": "orders",
            "title": "Order shipped",
            "body": "It is on its way.",
            "data": {},
            "image": None,
            "link": None,
            "createdAt": now,
            "readAt": None,
            "expiresAt": now + timedelta(days=90),
        }
        writes = [
            Create(f"users/{owner.uid}/notifications/{id_}", entry),
            Update(f"users/{owner.uid}/counters/inbox", {"unread": Increment(1)}, upsert=True),
        ]
        self.backend.firestore.commit(writes, Deadline.after(60))
        return id_

    def device(self, owner):
        """A registered device, by its id."""
        device_id = f"d{uuid.uuid4().hex}"
        response = owner.put(f"/v1/users/me/devices/{device_id}", new_device())
        assert response.status_code == 200, response.text
        return device_id

    def profile(self, owner):
        """Somebody with a profile, by his id."""
        assert owner.get("/v1/users/me").status_code == 200
        return owner.uid

    def broadcast(self, owner):
        """A broadcast that begins tomorrow, by its id."""
        later = (datetime.now(UTC) + timedelta(days=1)).isoformat()
        response = self.admin.post("/v1/admin/push", {**new_broadcast(owner), "scheduledAt": later})
        assert response.status_code == 202, response.text
        return response.json()["data"]["id"]

    def refresh_token(self):
        """Of somebody who signed in."""
        body = {"email": self.people.verified().email, "password": PASSWORD}
        return self.backend.http.post("/v1/auth/login", json=body).json()["data"]["refreshToken"]


def new_device():
    return {"fid": f"f{uuid.uuid4().hex[:21]}", "platform": "ios", "appVersion": "1.0.0", "locale": "en-AU"}


def new_broadcast(owner):
    texts = {"en": {"title": "Hello", "body": "There is cake."}}
    return {"audience": {"users": [owner.uid]}, "kind": "account", "texts": texts}


def new_order(world, *, stock=50):
    return {"items": [{"productId": world.backend.product(stock=stock), "quantity": 1}]}


def _after(_made, call):
    """The call, once there is something to call it for."""
    return call


def _delivered(world, owner):
    order = world.order(owner)
    return move(world.admin, order, "confirmed", "shipped", "delivered")


def _disabled(world, owner):
    uid = world.profile(world.backend.user())
    assert world.admin.post(f"/v1/admin/users/{uid}/disable", {}).status_code == 200
    return uid


PRODUCT = {"name": "Long black", "unitPrice": 450, "currency": "AUD", "stock": 5}

SAMPLES: dict[str, Callable[[World, User], Call]] = {
    "POST /v1/auth/register": lambda w, _: Call(
        "/v1/auth/register", {"email": w.people.address(), "password": PASSWORD}
    ),
    "POST /v1/auth/login": lambda w, _: Call(
        "/v1/auth/login", {"email": w.people.verified().email, "password": PASSWORD}
    ),
    "POST /v1/auth/refresh": lambda w, _: Call("/v1/auth/refresh", {"refreshToken": w.refresh_token()}),
    "POST /v1/auth/logout": lambda w, o: Call("/v1/auth/logout", {"deviceId": w.device(o)}),
    "POST /v1/auth/password-reset": lambda w, _: Call("/v1/auth/password-reset", {"email": w.people.verified().email}),
    "POST /v1/auth/verify-email": lambda w, o: Call("/v1/auth/verify-email"),
    "POST /v1/auth/email": lambda w, o: Call("/v1/auth/email", {"email": w.people.address()}),
    "POST /v1/auth/password": lambda w, o: Call("/v1/auth/password", {"password": PASSWORD}),
    "GET /v1/users/me": lambda w, o: Call("/v1/users/me"),
    "PATCH /v1/users/me": lambda w, o: Call("/v1/users/me", {"displayName": "Alice"}),
    "DELETE /v1/users/me": lambda w, o: Call("/v1/users/me"),
    "GET /v1/users/me/export": lambda w, o: Call("/v1/users/me/export"),
    "GET /v1/users/{user_id}": lambda w, o: Call(f"/v1/users/{w.profile(o)}"),
    "GET /v1/users/me/notification-preferences": lambda w, o: Call("/v1/users/me/notification-preferences"),
    "PATCH /v1/users/me/notification-preferences": lambda w, o: Call(
        "/v1/users/me/notification-preferences", {"muted": True}
    ),
    "GET /v1/users/me/devices": lambda w, o: Call("/v1/users/me/devices"),
    "PUT /v1/users/me/devices/{device_id}": lambda w, o: Call(
        f"/v1/users/me/devices/d{uuid.uuid4().hex}", new_device()
    ),
    "DELETE /v1/users/me/devices/{device_id}": lambda w, o: Call(f"/v1/users/me/devices/{w.device(o)}"),
    "GET /v1/users/me/topics": lambda w, o: Call("/v1/users/me/topics"),
    "PUT /v1/users/me/topics/{topic}": lambda w, o: _after(w.device(o), Call("/v1/users/me/topics/service-status")),
    "DELETE /v1/users/me/topics/{topic}": lambda w, o: Call("/v1/users/me/topics/news"),
    "GET /v1/products": lambda w, o: _after(w.backend.product(), Call("/v1/products?limit=1")),
    "GET /v1/products/{product_id}": lambda w, o: Call(f"/v1/products/{w.backend.product()}"),
    "GET /v1/admin/products": lambda w, o: _after(w.backend.product(), Call("/v1/admin/products?limit=1")),
    "POST /v1/admin/products": lambda w, o: Call("/v1/admin/products", PRODUCT),
    "PATCH /v1/admin/products/{product_id}": lambda w, o: Call(
        f"/v1/admin/products/{w.backend.product()}", {"unitPrice": 475}
    ),
    "POST /v1/orders": lambda w, o: Call("/v1/orders", new_order(w)),
    "GET /v1/orders": lambda w, o: _after(w.order(o), Call("/v1/orders?limit=5")),
    "GET /v1/orders/{order_id}": lambda w, o: Call(f"/v1/orders/{w.order(o)['id']}"),
    "PATCH /v1/orders/{order_id}": lambda w, o: Call(f"/v1/orders/{w.order(o)['id']}", {"note": "no sugar"}),
    "DELETE /v1/orders/{order_id}": lambda w, o: Call(f"/v1/orders/{_delivered(w, o)['id']}"),
    "POST /v1/orders/{order_id}/cancel": lambda w, o: Call(f"/v1/orders/{w.order(o)['id']}/cancel", {}),
    "GET /v1/orders/{order_id}/events": lambda w, o: Call(f"/v1/orders/{w.order(o)['id']}/events"),
    "GET /v1/admin/users": lambda w, o: _after(w.profile(o), Call("/v1/admin/users?limit=1")),
    "GET /v1/admin/users/{user_id}": lambda w, o: Call(f"/v1/admin/users/{w.profile(o)}"),
    "PUT /v1/admin/users/{user_id}/role": lambda w, o: Call(
        f"/v1/admin/users/{w.profile(w.backend.user())}/role", {"role": "admin"}
    ),
    "POST /v1/admin/users/{user_id}/disable": lambda w, o: Call(
        f"/v1/admin/users/{w.profile(w.backend.user())}/disable", {}
    ),
    "POST /v1/admin/users/{user_id}/enable": lambda w, o: Call(f"/v1/admin/users/{_disabled(w, o)}/enable"),
    "GET /v1/admin/users/{user_id}/notifications": lambda w, o: _after(
        w.message(o), Call(f"/v1/admin/users/{o.uid}/notifications")
    ),
    "GET /v1/admin/users/{user_id}/notifications/{notification_id}": lambda w, o: Call(
        f"/v1/admin/users/{o.uid}/notifications/{w.message(o)}"
    ),
    "GET /v1/admin/audit-log": lambda w, o: _after(_disabled(w, o), Call("/v1/admin/audit-log?limit=1")),
    "GET /v1/admin/orders": lambda w, o: _after(w.order(o), Call("/v1/admin/orders?limit=1")),
    "GET /v1/admin/orders/{order_id}": lambda w, o: Call(f"/v1/admin/orders/{w.order(o)['id']}"),
    "POST /v1/admin/orders/{order_id}/status": lambda w, o: Call(
        f"/v1/admin/orders/{w.order(o)['id']}/status", {"status": "confirmed"}
    ),
    "POST /v1/admin/push": lambda w, o: Call("/v1/admin/push", new_broadcast(o)),
    "POST /v1/admin/push/preview": lambda w, o: Call("/v1/admin/push/preview", new_broadcast(o)),
    "POST /v1/admin/push/dry-run": lambda w, o: Call("/v1/admin/push/dry-run", new_broadcast(o)),
    "GET /v1/admin/push/{broadcast_id}": lambda w, o: Call(f"/v1/admin/push/{w.broadcast(o)}"),
    "POST /v1/admin/push/{broadcast_id}/cancel": lambda w, o: Call(f"/v1/admin/push/{w.broadcast(o)}/cancel"),
    "GET /v1/notifications": lambda w, o: _after(w.message(o), Call("/v1/notifications")),
    "GET /v1/notifications/unread-count": lambda w, o: Call("/v1/notifications/unread-count"),
    "POST /v1/notifications/read-all": lambda w, o: _after(w.message(o), Call("/v1/notifications/read-all")),
    "POST /v1/notifications/{notification_id}/read": lambda w, o: Call(f"/v1/notifications/{w.message(o)}/read"),
    "GET /v1/screens/home": lambda w, o: Call("/v1/screens/home"),
    "POST /v1/batch": lambda w, o: Call("/v1/batch", {"requests": [{"path": "/v1/users/me"}, {"path": "/v1/orders"}]}),
    "GET /v1/openapi.json": lambda w, o: Call("/v1/openapi.json"),
    "GET /docs": lambda w, o: Call("/docs"),
    "GET /health": lambda w, o: Call("/health"),
    "GET /health/ready": lambda w, o: Call("/health/ready"),
}


def sample(world, route, owner):
    """A good call of a route, for what is new and `owner`'s."""
    assert route.name in SAMPLES, f"{route.name} has no row: add a good call of it to SAMPLES in tests/samples.py"
    return SAMPLES[route.name](world, owner)
