"""What a user is given of all that is held about him."""

import json
import time
from collections import Counter

import pytest
from tests.backend import eventually

from firesuite.faults import AWAY
from wattle.adapters.firestore import Create
from wattle.adapters.identity import Identity
from wattle.adapters.identity_toolkit import IdentityToolkit
from wattle.context import Caller, Context
from wattle.kit.clock import utc_now
from wattle.kit.retry import Deadline
from wattle.privacy.export import ExportService
from wattle.privacy.repository import BELOW_USER

PATH = "/v1/users/me/export"
QUERIES = len(BELOW_USER) + 5
"""One for each kind of data."""
WAYS = {"identities", "signInProviders"}
ADDRESS = {"name": "A B", "line1": "1 George St", "city": "Sydney", "postalCode": "2000", "country": "AU"}


def code(response):
    body = response.json()
    assert body["success"] is False
    return response.status_code, body["code"]


@pytest.fixture
def customer(backend, admin):
    """Somebody of whom there is something of everything."""
    user = backend.user()
    user.patch("/v1/users/me", {"displayName": "Mia", "locale": "en-AU"})
    consent = {"promotions": True, "consentSource": "sign-up"}
    assert user.patch("/v1/users/me/notification-preferences", consent).status_code == 200
    device = {"fid": f"one-{user.uid}", "platform": "ios", "appVersion": "1.0.0", "locale": "en-AU"}
    assert user.put("/v1/users/me/devices/phone", device).status_code == 200
    items = [{"productId": backend.product(), "quantity": 1}]
    order = user.post("/v1/orders", {"items": items, "shippingAddress": ADDRESS, "note": "ring twice"})
    assert order.status_code == 201
    moved = admin.post(f"/v1/admin/orders/{order.json()['data']['id']}/status", {"status": "confirmed"})
    assert moved.status_code == 200
    admin.put(f"/v1/admin/users/{user.uid}/role", {"role": None})
    deferral = {"userId": user.uid, "message": {"id": "m"}, "dueAt": utc_now(), "expiresAt": utc_now()}
    backend.firestore.commit([Create(f"deferrals/test-{user.uid}", deferral)], Deadline.after(60))
    eventually(lambda: backend.pushes(f"one-{user.uid}"))
    return user


class TestExport:
    def test_nobody_exports_without_signing_in(self, backend):
        assert code(backend.http.get(PATH)) == (401, "TOKEN_MISSING")

    def test_everything_is_in_it(self, customer, admin):
        response = customer.get(PATH)
        assert response.status_code == 200
        assert response.headers["Content-Type"] == "application/json; charset=utf-8"
        assert response.headers["Cache-Control"] == "no-store"
        assert response.headers["Content-Disposition"].startswith('attachment; filename="wattle-20')
        body = response.json()
        assert body["success"] is True
        assert body["requestId"] == response.headers["X-Request-Id"]
        data = body["data"]
        assert data["nextCursor"] is None
        assert data["account"]["email"] == customer.email
        assert (data["profile"]["displayName"], data["profile"]["path"]) == ("Mia", f"users/{customer.uid}")
        (identity,) = data["account"]["identities"]
        assert (identity["provider"], identity["email"]) == ("password", customer.email)
        (installation,) = data["installations"]
        assert (installation["userId"], installation["deviceId"]) == (customer.uid, "phone")
        (device,) = data["devices"]
        assert device["target"] == {"fid": f"one-{customer.uid}"}
        assert [consent["granted"] for consent in data["consents"]] == [True]
        (order,) = data["orders"]
        assert (order["note"], order["shippingAddress"]["city"]) == ("ring twice", "Sydney")
        assert [event["to"] for event in order["events"]] == ["pending", "confirmed"]
        assert len(data["notifications"]) == len(data["deliveries"]) == len(data["deferrals"]) == 1
        (entry,) = data["auditLog"]
        assert entry["action"] == "user.role"
        assert admin.uid not in response.text

    def test_who_he_is_where_he_signs_in(self, backend, people, user):
        """What Firebase Authentication knows of him, but for what proves it."""
        google = {"sub": "g-1", "email": "mia@gmail.example", "name": "Mia G", "picture": "https://example.com/g.png"}
        people.link(user, "google.com", google)
        second = {"enrollments": [{"phoneInfo": "+61491570156", "displayName": "work"}]}
        backend.account(user.uid, emailVerified=True, phoneNumber="+61491570006", mfa=second)
        account = user.get(PATH).json()["data"]["account"]
        linked = {identity["provider"]: identity for identity in account["identities"]}
        assert set(linked) == set(account["signInProviders"]) == {"password", "phone", "google.com"}
        assert linked["phone"]["phoneNumber"] == "+61491570006"
        google = linked["google.com"]
        assert (google["rawId"], google["email"], google["displayName"]) == ("g-1", "mia@gmail.example", "Mia G")
        assert google["federatedId"]
        assert google["photoUrl"] == "https://example.com/g.png"
        (factor,) = account["secondFactors"]
        assert (factor["phoneNumber"], factor["displayName"]) == ("+61491570156", "work")
        assert "password" not in json.dumps({name: account[name] for name in account if name not in WAYS}).lower()

    def test_it_is_only_about_the_caller(self, customer, stranger):
        text = stranger.get(PATH).text
        assert customer.uid not in text
        data = json.loads(text)["data"]
        assert data["profile"] is None
        assert data["orders"] == []

    def test_a_batch_has_no_room_for_it(self, user):
        (answer,) = user.post("/v1/batch", {"requests": [{"path": PATH}]}).json()["data"]
        assert answer["status"] == 400

    def test_ten_an_hour(self, instance, user):
        http = instance().http
        statuses = [http.get(PATH, headers=user.headers).status_code for _ in range(11)]
        assert Counter(statuses) == {200: 10, 429: 1}

    def test_a_cursor_is_its_owners(self, instance, user):
        api = instance()
        cursor = api.services.cursors.sign(("orders", "orders/x"), user.uid, "export", {})
        response = api.http.get(PATH, params={"cursor": cursor}, headers=user.headers)
        assert set(response.json()["data"]) == {"exportedAt", "account", "profile", "orders", "auditLog", "nextCursor"}
        assert code(user.get(PATH, params={"cursor": f"x{cursor}"})) == (400, "INVALID_CURSOR")


class TestParts:
    def exports(self, backend, uid, **sizes):
        """The parts, read one after the other."""
        identity = Identity(IdentityToolkit(backend.project_id, "k", f"127.0.0.1:{backend.suite.ports.auth}"))
        service = ExportService(backend.firestore, identity=identity, clock=utc_now, **sizes)
        ctx = Context("r", Deadline.after(60), Caller(uid=uid, role=None, auth_time=int(time.time())))
        parts, after = [], None
        while True:
            parts.append(json.loads(b"".join(service.export(ctx, after, list))))
            if parts[-1]["nextCursor"] is None:
                return parts
            after = tuple(parts[-1]["nextCursor"])

    @pytest.fixture(scope="class")
    @classmethod
    def reader(cls, backend):
        """Somebody with many notifications and orders."""
        user = backend.user()
        nobody = {"userId": user.uid, "version": 0}
        backend.firestore.commit(
            [
                *(Create(f"users/{user.uid}/notifications/n{n}", {"readAt": None, "n": n}) for n in range(7)),
                *(Create(f"orders/{user.uid}-{n}", {**nobody, "status": "pending", "n": n}) for n in range(5)),
            ],
            Deadline.after(60),
        )
        return user

    @pytest.mark.parametrize(("page", "part", "parts"), [(2, 4, 3), (3, 3, 4), (1, 1, 13), (300, 30_000, 1)])
    def test_together_they_are_complete(self, backend, reader, page, part, parts):
        found = self.exports(backend, reader.uid, page=page, part=part)
        assert len(found) == parts
        notifications = [row["n"] for part in found for row in part.get("notifications", ())]
        orders = [row["n"] for part in found for row in part.get("orders", ())]
        assert notifications == list(range(7))
        assert orders == list(range(5))

    @pytest.mark.parametrize("failing", range(1, QUERIES + 2))
    def test_a_database_that_fails_in_the_middle_ends_the_part(self, instance, reader, failing):
        """Whichever of its queries is not answered, nor any after it: what was sent is complete JSON, and leads on."""
        api = instance(RATE_LIMIT_SCALE="1000")
        get = api.as_user(reader).get
        get("/v1/users/me/devices")  # the process knows the revocations
        api.faults.follow(lambda call: AWAY if call.method == "RunQuery" and call.nth >= failing else None)
        first = get(PATH).json()["data"]
        api.faults.reset()
        parts = [first]
        while (cursor := parts[-1]["nextCursor"]) is not None:
            parts.append(get(PATH, params={"cursor": cursor}).json()["data"])
        assert len(parts) == (2 if failing <= QUERIES else 1)
        assert [row["n"] for part in parts for row in part.get("notifications", ())] == list(range(7))
        assert [row["n"] for part in parts for row in part.get("orders", ())] == list(range(5))

    def test_what_is_in_memory_is_a_page(self, backend, reader):
        identity = Identity(IdentityToolkit(backend.project_id, "k", f"127.0.0.1:{backend.suite.ports.auth}"))
        service = ExportService(backend.firestore, identity=identity, clock=utc_now, page=1)
        ctx = Context("r", Deadline.after(60), Caller(uid=reader.uid, role=None, auth_time=0))
        pieces = list(service.export(ctx, None, str))
        assert max(piece.count(b'"path"') for piece in pieces) == 1
