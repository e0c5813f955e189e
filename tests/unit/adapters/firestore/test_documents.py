"""Documents, queries and what they cost, in a real Firestore server."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wattle.adapters.firestore import (
    SERVER_TIMESTAMP,
    AlreadyExists,
    Create,
    Delete,
    FirestoreError,
    FirestoreUnavailable,
    Increment,
    PreconditionFailed,
    Query,
    Reference,
    Update,
    track_usage,
)
from wattle.kit.retry import Deadline

MOMENT = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
EVERYTHING = {
    "null": None,
    "true": True,
    "int": -(2**63),
    "float": 1.5,
    "text": "h\u00e9\U0001f600\x00",
    "bytes": b"\x00\xff",
    "time": MOMENT,
    "reference": Reference("things/other"),
    "array": [1, "two", None, {"deep": [3]}],
    "map": {"a.b": {"c": 1}, "empty": {}},
    "empty": [],
}
MOMENTS = st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31)).map(lambda moment: moment.replace(tzinfo=UTC))  # noqa: DTZ001 (hypothesis wants naive bounds)
TEXT = st.text(st.characters(codec="utf-8"), max_size=50)
# Firestore reserves __.*__; fireemu refuses control characters in a key, which production takes.
NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1, max_size=20).filter(
    lambda name: not (name.startswith("__") and name.endswith("__"))
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | TEXT
    | st.binary(max_size=50)
    | MOMENTS,
    lambda part: st.dictionaries(NAMES, part, max_size=4),
    max_leaves=12,
)


class TestValues:
    def test_each_type_comes_back_as_it_was(self, firestore, path, soon):
        firestore.commit([Create(path, EVERYTHING)], soon)
        found = firestore.get(path, soon)
        assert found.data == EVERYTHING
        assert [type(value) for value in found.data.values()] == [type(EVERYTHING[name]) for name in found.data]
        assert (found.path, found.id) == (path, path.partition("/")[2])
        assert found.create_time == found.update_time
        assert found.create_time.tzinfo is UTC

    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(value=VALUES)
    def test_whatever_is_written_is_read(self, firestore, path, value):
        soon = Deadline.after(60)
        firestore.commit([Update(path, {"value": value}, upsert=True)], soon)
        assert firestore.get(path, soon).data == {"value": value}

    def test_times_are_kept_in_utc(self, firestore, path, soon):
        sydney = MOMENT.astimezone(timezone(timedelta(hours=11)))
        firestore.commit([Create(path, {"at": sydney})], soon)
        assert firestore.get(path, soon).data["at"].isoformat() == MOMENT.isoformat()

    @pytest.mark.parametrize("value", [datetime(2026, 1, 1), object(), {1, 2}, 1j])  # noqa: DTZ001 (that is the point)
    def test_what_firestore_has_no_value_for_is_refused_before_it_is_sent(self, firestore, faults, path, soon, value):
        with pytest.raises(TypeError):
            firestore.commit([Create(path, {"value": value})], soon)
        assert faults.calls == []


class TestWrites:
    def test_create_is_for_what_is_not_there(self, firestore, path, soon):
        firestore.commit([Create(path, {"n": 1})], soon)
        with pytest.raises(AlreadyExists):
            firestore.commit([Create(path, {"n": 2})], soon)
        assert firestore.get(path, soon).data == {"n": 1}

    def test_update_is_for_what_is_there(self, firestore, path, soon):
        with pytest.raises(PreconditionFailed):
            firestore.commit([Update(path, {"n": 1})], soon)
        assert firestore.get(path, soon) is None
        firestore.commit([Update(path, {"n": 1}, upsert=True)], soon)
        assert firestore.get(path, soon).data == {"n": 1}

    def test_update_changes_what_it_names(self, firestore, path, soon):
        firestore.commit([Create(path, {"a": 1, "map": {"x": 1, "y": 2}, "b": 2})], soon)
        firestore.commit([Update(path, {"a": None, "map.x": 9, "map.z": {"deep": True}})], soon)
        assert firestore.get(path, soon).data == {"a": None, "map": {"x": 9, "y": 2, "z": {"deep": True}}, "b": 2}

    def test_update_may_ask_that_nobody_was_faster(self, firestore, path, soon):
        firestore.commit([Create(path, {"n": 1})], soon)
        seen = firestore.get(path, soon).update_time
        firestore.commit([Update(path, {"n": 2}, unless_changed_since=seen)], soon)
        with pytest.raises(PreconditionFailed):
            firestore.commit([Update(path, {"n": 3}, unless_changed_since=seen)], soon)
        assert firestore.get(path, soon).data == {"n": 2}

    def test_transforms(self, firestore, path, soon):
        before = datetime.now(UTC) - timedelta(minutes=1)
        firestore.commit([Create(path, {"at": SERVER_TIMESTAMP, "n": Increment(5)})], soon)
        firestore.commit([Update(path, {"n": Increment(-2), "other": 1})], soon)
        data = firestore.get(path, soon).data
        assert (data["n"], data["other"]) == (3, 1)
        assert data["at"] > before

    def test_all_or_nothing(self, firestore, path, soon):
        with pytest.raises(PreconditionFailed):
            firestore.commit([Create(path, {"n": 1}), Update(f"{path}-missing", {"n": 1})], soon)
        assert firestore.get(path, soon) is None

    def test_delete_what_is_there_and_what_is_not(self, firestore, path, soon):
        firestore.commit([Create(path, {})], soon)
        firestore.commit([Delete(path)], soon)
        firestore.commit([Delete(path)], soon)
        assert firestore.get(path, soon) is None


@pytest.fixture(scope="module")
def shelf(project, channel):
    """A collection of nine."""
    from wattle.adapters.firestore import Firestore

    firestore = Firestore(project.project, channel, (("authorization", "Bearer owner"),))
    name = f"shelves/s{id(channel)}/books"
    books = [
        Create(f"{name}/b{n}", {"n": n, "tags": [f"t{n % 3}"], "gone": None if n % 2 else "yes"}) for n in range(9)
    ]
    firestore.commit(books, Deadline.after(60))
    return name


class TestQueries:
    def ids(self, found):
        return [document.id for document in found]

    def test_filters(self, firestore, shelf, soon):
        def found(*where):
            return self.ids(firestore.query(Query(shelf, where=where), soon))

        assert found(("n", "==", 3)) == ["b3"]
        assert found(("n", ">=", 7)) == ["b7", "b8"]
        assert found(("n", "<", 2)) == ["b0", "b1"]
        assert found(("n", "in", [1, 5, 77])) == ["b1", "b5"]
        assert found(("tags", "array-contains", "t2")) == ["b2", "b5", "b8"]
        assert found(("gone", "==", None)) == ["b1", "b3", "b5", "b7"], "a field filter EQUAL null finds nothing"

    def test_pages_start_after_their_cursor(self, firestore, shelf, soon):
        order = [("n", "desc"), ("__name__", "desc")]
        first = firestore.query(Query(shelf, order_by=order, limit=4), soon)
        after = (first[-1].data["n"], Reference(first[-1].path))
        second = firestore.query(Query(shelf, order_by=order, after=after, limit=4), soon)
        assert self.ids(first + second) == [f"b{n}" for n in range(8, 0, -1)]

    def test_projections(self, firestore, shelf, soon):
        assert firestore.query(Query(shelf, fields=["n"], limit=1), soon)[0].data == {"n": 0}
        assert firestore.query(Query(shelf, fields=(), limit=1), soon)[0].data == {}
        assert firestore.get(f"{shelf}/b1", soon, fields=["n", "none"]).data == {"n": 1}

    def test_counts(self, firestore, shelf, soon):
        assert firestore.count(Query(shelf), soon) == 9
        assert firestore.count(Query(shelf, where=[("n", ">", 100)]), soon) == 0

    def test_a_query_that_needs_an_index_says_so(self, firestore, shelf, soon):
        query = Query(shelf, where=[("n", "==", 1)], order_by=[("gone", "desc"), ("other", "asc")])
        with pytest.raises(FirestoreError, match="index") as caught:
            firestore.query(query, soon)
        assert not isinstance(caught.value, FirestoreUnavailable | PreconditionFailed)


class TestUsage:
    def cost(self, work):
        with track_usage() as usage:
            work()
        return usage.reads, usage.writes, usage.deletes, usage.round_trips

    def test_as_firestore_bills_it(self, firestore, shelf, path, soon):
        assert self.cost(lambda: firestore.get(path, soon)) == (1, 0, 0, 1)
        assert self.cost(lambda: firestore.query(Query(shelf), soon)) == (9, 0, 0, 1)
        assert self.cost(lambda: firestore.query(Query(shelf, fields=(), limit=4), soon)) == (4, 0, 0, 1)
        assert self.cost(lambda: firestore.query(Query(shelf, where=[("n", "==", 99)]), soon)) == (1, 0, 0, 1)
        assert self.cost(lambda: firestore.count(Query(shelf), soon)) == (1, 0, 0, 1)
        writes = [Create(path, {}), Update(f"{path}-2", {"a": 1}, upsert=True), Delete(f"{path}-3")]
        assert self.cost(lambda: firestore.commit(writes, soon)) == (0, 2, 1, 1)

    def test_a_refused_commit_is_a_round_trip_and_no_write(self, firestore, path, soon):
        def refused():
            with pytest.raises(PreconditionFailed):
                firestore.commit([Update(path, {"a": 1})], soon)

        assert self.cost(refused) == (0, 0, 0, 1)

    def test_a_transaction_needs_no_round_trip_to_begin(self, firestore, path, soon):
        def work(transaction):
            assert transaction.get([path, f"{path}-2"]) == [None, None]
            transaction.write(Create(path, {}))

        assert self.cost(lambda: firestore.transaction(work, soon)) == (2, 1, 0, 2)

    def test_nothing_is_counted_outside(self, firestore, path, soon):
        with track_usage() as usage:
            pass
        firestore.get(path, soon)
        assert usage.round_trips == 0
