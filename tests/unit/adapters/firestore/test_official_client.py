"""Our adapter and Google's client read and write the same."""

import os
from datetime import UTC, datetime

import pytest
from google.auth.credentials import AnonymousCredentials
from google.cloud import firestore as official
from google.cloud.firestore_v1.base_query import FieldFilter

from wattle.adapters.firestore import SERVER_TIMESTAMP, Create, Delete, Increment, Query, Reference, Update

MOMENT = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


@pytest.fixture(scope="module")
def google(emulator, project):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FIRESTORE_EMULATOR_HOST", emulator)
        client = official.Client(project=project.project, credentials=AnonymousCredentials())
    assert os.environ.get("FIRESTORE_EMULATOR_HOST") != emulator
    yield client
    client.close()


def data(google):
    return {
        "null": None,
        "true": True,
        "int": 2**63 - 1,
        "float": -0.5,
        "text": "h\u00e9",
        "bytes": b"\x00\xff",
        "time": MOMENT,
        "array": [1, "two", None, {"deep": [3]}],
        "map": {"a.b": {"c": 1}, "empty": {}},
        "reference": google.document("things/other"),
    }


def ours(values):
    return {**values, "reference": Reference("things/other")}


def test_what_theirs_writes_ours_reads(firestore, google, path, soon):
    google.document(path).create(data(google))
    assert firestore.get(path, soon).data == ours(data(google))


def test_what_ours_writes_theirs_reads(firestore, google, path, soon):
    firestore.commit([Create(path, ours(data(google)))], soon)
    found = google.document(path).get()
    assert found.to_dict() == data(google)
    mine = firestore.get(path, soon)
    assert (mine.create_time, mine.update_time) == (found.create_time, found.update_time)


def test_updates_are_the_same(firestore, google, path, soon):
    changes = {"map.x": 9, "n": None, "new.deep.er": [1]}
    stored = []
    for name, update in (
        ("theirs", lambda place: google.document(place).update(changes)),
        ("ours", lambda place: firestore.commit([Update(place, changes)], soon)),
    ):
        place = f"{path}-{name}"
        google.document(place).create({"map": {"x": 1, "y": 2}, "n": 1})
        update(place)
        stored.append(google.document(place).get().to_dict())
    assert stored[0] == stored[1] == {"map": {"x": 9, "y": 2}, "n": None, "new": {"deep": {"er": [1]}}}


def test_transforms_are_the_same(firestore, google, path, soon):
    google.document(f"{path}-t").create({"n": official.Increment(2), "at": official.SERVER_TIMESTAMP})
    firestore.commit([Create(f"{path}-o", {"n": Increment(2), "at": SERVER_TIMESTAMP})], soon)
    theirs, mine = (google.document(f"{path}-{which}").get().to_dict() for which in "to")
    assert (theirs["n"], type(theirs["at"])) == (mine["n"], type(mine["at"]))


def test_queries_find_the_same(firestore, google, path, soon):
    shelf = f"{path}/books"
    for n in range(6):
        google.document(f"{shelf}/b{n}").create({"n": n, "gone": None if n % 2 else 1, "tags": [n % 3]})
    collection = google.collection(shelf)
    pairs = [
        (collection.where(filter=FieldFilter("gone", "==", None)), Query(shelf, where=[("gone", "==", None)])),
        (collection.where(filter=FieldFilter("n", "in", [1, 9])), Query(shelf, where=[("n", "in", [1, 9])])),
        (
            collection.where(filter=FieldFilter("tags", "array_contains", 2)),
            Query(shelf, where=[("tags", "array-contains", 2)]),
        ),
        (
            collection.order_by("n", direction="DESCENDING").start_after({"n": 4}).limit(2).select(["n"]),
            Query(shelf, order_by=[("n", "desc")], after=[4], limit=2, fields=["n"]),
        ),
    ]
    for theirs, mine in pairs:
        expected = [(found.id, found.to_dict()) for found in theirs.stream()]
        assert [(found.id, found.data) for found in firestore.query(mine, soon)] == expected
        assert expected
    assert firestore.count(Query(shelf), soon) == collection.count().get()[0][0].value


def test_each_meets_the_preconditions_of_the_other(firestore, google, path, soon):
    from google.api_core.exceptions import AlreadyExists, FailedPrecondition

    firestore.commit([Create(path, {"n": 1})], soon)
    with pytest.raises(AlreadyExists):
        google.document(path).create({})
    seen = firestore.get(path, soon).update_time
    google.document(path).update({"n": 2}, official.Client.write_option(last_update_time=seen))
    with pytest.raises(FailedPrecondition):
        google.document(path).update({"n": 3}, official.Client.write_option(last_update_time=seen))
    firestore.commit([Delete(path)], soon)
    assert not google.document(path).get().exists
