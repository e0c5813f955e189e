"""Fields without an index, and fields that the TTL policy reads, against what the code writes to them.

A field that grows with time, such as `createdAt`, makes its index a hot spot at about 500 writes a second (Firestore,
"Best practices: hotspots"), so in collections that grow with use it has none.
"""

import json
from datetime import UTC, datetime, timedelta

from tests.conftest import ROOT
from tests.contract.index_needs import COLLECTION, Indexes

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
