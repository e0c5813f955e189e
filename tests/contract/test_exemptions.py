"""Fields without an index, and fields that the TTL policy reads, against what the code writes to them.

A field that grows with time, such as `createdAt`, makes its index a hot spot at about 500 writes a second (Firestore,
"Best practices: hotspots"), so in collections that grow with use it has none.
"""

import json
from datetime import UTC, datetime, timedelta

from tests.conftest import ROOT
from tests.contract.index_needs import COLLECTION, GROUP, Indexes

INDEXES = Indexes.read(json.loads((ROOT / "firestore.indexes.json").read_text(encoding="utf-8")))

# Times with an index, in collections at the root: why they are no hot spot.
RARE = {
    ("products", "updatedAt"): "written by administrators, not by what is sold",
    ("auditLog", "at"): "written by administrators, three times for each order: see docs/scale.md",
    **dict.fromkeys(
        (("revocations", "at"), ("revocations", "leasedUntil")),
        "people sign out everywhere once a year, and their accounts are hardly ever changed",
    ),
    **dict.fromkeys(
        (("broadcasts", "createdAt"), ("broadcasts", "scheduledAt"), ("broadcasts", "updatedAt")),
        "ordered by administrators, and sent five chunks a second",
    ),
    ("deferrals", "dueAt"): "only messages in somebody's quiet hours, and spread over the ends of those",
}

# The same of times with an index over all collections of their name, wherever those are.
RARE_IN_GROUPS = {
    ("devices", "lastSeenAt"): "once a day and phone at most: see docs/scale.md",
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


def times_of(written):
    """(collection group, field, whether at the root) of every field that a time is written to."""
    return {key for key, found in written.items() if any(map(is_time, found))}


def indexed(group, field, scope):
    # Without an override a field has an index for each collection, and none over all of them.
    return any(scope == found for found, _ in INDEXES.overrides.get((group, field), {(COLLECTION, "")}))


def test_no_time_makes_a_hot_spot(written):
    """A collection below a document has indexes of its own, so with this scope only those at the root are in danger."""
    found = {(group, field) for group, field, root in times_of(written) if root and indexed(group, field, COLLECTION)}
    assert found - set(RARE) == set(), "switch their index off, or say in RARE why it does no harm"
    assert set(RARE) <= found


def test_no_time_makes_a_hot_spot_over_all_collections(written):
    """An index over a collection group is one range, wherever its collections are; a composite one may begin so."""
    times = {(group, field) for group, field, _ in times_of(written)}
    found = {key for key in times if indexed(*key, GROUP)}
    found |= {
        (index.group, index.fields[0][0]) for index in INDEXES.composites if (index.group, index.fields[0][0]) in times
    }
    assert found - set(RARE_IN_GROUPS) == set(), (
        "find it by something else, or say in RARE_IN_GROUPS why it does no harm"
    )
    assert set(RARE_IN_GROUPS) <= found
