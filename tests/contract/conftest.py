"""What a working day writes to Firestore, for the tests that hold files against it."""

from datetime import UTC, datetime, timedelta

import pytest
from tests.api.orders import lines
from tests.contract.recording import Recording
from tests.in_process import Instance

from wattle.catalog.stock import SHARDED_FROM
from wattle.dead_letters.service import Letter
from wattle.inbox.message import Message, Text
from wattle.kit.retry import Deadline
from wattle.users.preferences import Kind


@pytest.fixture(scope="session")
def written(backend, admin):
    """By (collection group, field, whether at the root) the values that a working day writes, sentinels as None."""
    one = Instance(backend)
    recording = Recording()
    one.faults.follow(recording)
    person = one.as_user(backend.user())
    shop = one.as_user(admin)
    tea = {"name": "Tea", "unitPrice": 1, "currency": "AUD", "stock": SHARDED_FROM}
    product = shop.post("/v1/admin/products", tea).json()["data"]["id"]
    shop.patch(f"/v1/admin/products/{product}", {"unitPrice": 2})
    for number in range(5):  # more than a rate limit lets pass without writing it down
        order = {"items": lines((product, 1))}
        placed = person.post("/v1/orders", order, headers={"Idempotency-Key": f"k{number}"})
    shop.post(f"/v1/admin/orders/{placed.json()['data']['id']}/status", {"status": "confirmed"})
    device = {"fid": f"c{person.uid[:21]}", "platform": "ios", "appVersion": "1.0", "locale": "en-AU"}
    assert person.put("/v1/users/me/devices/phone", device).status_code == 200
    one.services.push.tell(person.uid, message("now"), Deadline.after(60))
    assert person.patch("/v1/users/me", {"timezone": "Etc/UTC"}).status_code == 200
    hours = {"start": in_hours(-2), "end": in_hours(2)}
    assert person.patch("/v1/users/me/notification-preferences", {"quietHours": hours}).status_code == 200
    one.services.push.tell(person.uid, message("later"), Deadline.after(60))
    texts = {"en": {"title": "Tea", "body": "Fresh tea"}}
    news = {
        "audience": {"users": [person.uid]},
        "kind": "account",
        "texts": texts,
        "scheduledAt": (datetime.now(UTC) + timedelta(days=30)).isoformat(),
    }
    assert shop.post("/v1/admin/push", news).status_code == 202
    letter = Letter("onOrderWritten", "event-1", "orders/x", {}, datetime.now(UTC), None, {"userId": person.uid})
    one.services.dead_letters.keep(letter, "INTERNAL", Deadline.after(60))
    assert person.post("/v1/auth/logout", {"everywhere": True}).status_code == 200
    found = {}
    for write in recording.writes:
        segments = write.update.name.partition("/documents/")[2].split("/")
        for field, value in write.update.fields.items():
            found.setdefault((segments[-2], field, len(segments) == 2), []).append(value)
        for transform in write.update_transforms:
            found.setdefault((segments[-2], transform.field_path, len(segments) == 2), []).append(None)
    yield found
    one.close()


def message(name):
    return Message(f"m-{name}", Kind.ACCOUNT, {"en": Text("Tea", "Fresh tea")}, {})


def in_hours(hours):
    return (datetime.now(UTC) + timedelta(hours=hours)).strftime("%H:%M")
