"""Fields without an index, and fields that the TTL policy reads, against what the code writes to them.

A field that grows with time, such as `createdAt`, makes its index a hot spot at about 500 writes a second (Firestore,
"Best practices: hotspots"), so in collections that grow with use it has none.
"""

import json
from datetime import UTC, datetime, timedelta

import pytest
from tests.api.orders import lines
from tests.conftest import ROOT
from tests.contract.index_needs import COLLECTION, Indexes
from tests.contract.recording import Recording

from wattle.inbox.message import Message, Text
from wattle.kit.retry import Deadline
from wattle.users.preferences import Kind

INDEXES = Indexes.read(json.loads((ROOT / "firestore.indexes.json").read_text(encoding="utf-8")))

# Times with an index, in collections at the root: why they are no hot spot.
RARE = {
    ("products", "updatedAt"): "written by administrators, not by what is sold",
    ("auditLog", "at"): "written by administrators",
    ("revocations", "at"): "people sign out everywhere once a year",
    **dict.fromkeys(
        (("broadcasts", "createdAt"), ("broadcasts", "scheduledAt"), ("broadcasts", "updatedAt")),
        "ordered by administrators, and sent five chunks a second",
    ),
    ("deferrals", "dueAt"): "only messages in somebody's quiet hours, and spread over the ends of those",
}


@pytest.fixture(scope="module")
def written(backend, admin):
    """By (collection group, field, whether at the root) the values that a working day writes, sentinels as None."""
    from tests.in_process import Instance

    one = Instance(backend)
    recording = Recording()
    one.faults.follow(recording)
    person = one.as_user(backend.user())
    shop = one.as_user(admin)
    product = shop.post("/v1/admin/products", {"name": "Tea", "unitPrice": 1, "currency": "AUD"}).json()["data"]["id"]
    shop.patch(f"/v1/admin/products/{product}", {"unitPrice": 2})
    for number in range(5):  # more than a rate limit lets pass without writing it down
        order = {"items": lines((product, 1))}
        placed = person.post("/v1/orders", order, headers={"Idempotency-Key": f"k{number}"})
    shop.post(f"/v1/admin/orders/{placed.json()['data']['id']}/status", {"status": "confirmed"})
    device = {"fid": f"c{person.uid[:21]}", "platform": "ios", "appVersion": "1.0", "locale": "en-AU"}
    assert person.put("/v1/users/me/devices/phone", device).status_code == 200
    one.services.push.tell(person.uid, message("now"), Deadline.after(10))
    assert person.patch("/v1/users/me", {"timezone": "Etc/UTC"}).status_code == 200
    hours = {"start": in_hours(-2), "end": in_hours(2)}
    assert person.patch("/v1/users/me/notification-preferences", {"quietHours": hours}).status_code == 200
    one.services.push.tell(person.uid, message("later"), Deadline.after(10))
    texts = {"en": {"title": "Tea", "body": "Fresh tea"}}
    news = {
        "audience": {"users": [person.uid]},
        "kind": "account",
        "texts": texts,
        "scheduledAt": (datetime.now(UTC) + timedelta(days=30)).isoformat(),
    }
    assert shop.post("/v1/admin/push", news).status_code == 202
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


def is_time(value):
    return value is None or value.WhichOneof("value_type") == "timestamp_value"


def test_every_exempt_field_is_written(written):
    fields = {(group, field) for group, field, _ in written}
    assert {key for key in INDEXES.overrides if key not in fields} == set(), "no code writes these, or no call here"


def test_what_the_ttl_policy_reads_are_times_to_come(written):
    assert INDEXES.ttl
    for group, field in INDEXES.ttl:
        values = [value for key, found in written.items() for value in found if key[:2] == (group, field)]
        assert values, f"nothing here writes {group}.{field}"
        for value in values:
            assert value.timestamp_value.ToDatetime(UTC) > datetime.now(UTC) - timedelta(minutes=1)


def test_what_is_to_expire_has_a_ttl_policy(written):
    expiring = {(group, field) for group, field, _ in written if field == "expiresAt"}
    assert expiring == INDEXES.ttl


def test_no_time_makes_a_hot_spot(written):
    """A collection below a document has indexes of its own, so only those at the root are in danger."""
    times = {(group, field) for (group, field, root), found in written.items() if root and any(map(is_time, found))}
    indexed = {
        key for key in times if any(scope == COLLECTION for scope, _ in INDEXES.overrides.get(key, {(COLLECTION, "")}))
    }
    assert indexed - set(RARE) == set(), "switch their index off, or say in RARE why it does no harm"
    assert set(RARE) <= indexed
