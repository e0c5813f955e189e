"""What the first read of a transaction brings along."""

import pytest

from wattle.adapters.firestore import Condition, Update, guarded, track_usage


class Decided(Condition):
    """Wants a document, and holds where there is one."""

    def __init__(self, path):
        self.path = path
        self.found = ...
        self.asked = 0
        self.begun = 0

    @property
    def wanted(self):
        return self.path if self.found is ... else None

    def begin(self):
        self.begun += 1

    def learn(self, found):
        self.found = found

    def __call__(self):
        self.asked += 1
        if self.found is None:
            raise PermissionError


def put(firestore, soon, *paths):
    firestore.commit([Update(path, {"at": path}, upsert=True) for path in paths], soon)


class TestExpected:
    def test_one_round_trip_for_what_is_asked_for_one_after_the_other(self, firestore, soon, path, faults):
        put(firestore, soon, path, f"{path}-2")

        def work(transaction):
            transaction.expect([f"{path}-2", f"{path}-missing"])
            first = transaction.get([path, f"{path}-3"])
            assert faults.calls == ["Commit", "BatchGetDocuments"]
            return [*first, *transaction.get([f"{path}-missing", f"{path}-2"])]

        with track_usage() as usage:
            found = firestore.transaction(work, soon)
        assert [document and document.data for document in found] == [
            {"at": path},
            None,
            None,
            {"at": f"{path}-2"},
        ]
        assert faults.calls == ["Commit", "BatchGetDocuments", "Rollback"]
        assert usage.reads == 4

    def test_what_was_not_expected_is_read(self, firestore, soon, path):
        put(firestore, soon, path, f"{path}-2")

        def work(transaction):
            transaction.expect([path])
            transaction.get([path])
            return transaction.get([path, f"{path}-2"])

        assert [document.data["at"] for document in firestore.transaction(work, soon)] == [path, f"{path}-2"]

    def test_a_projection_is_not_taken_for_the_document(self, firestore, soon, path):
        put(firestore, soon, path)

        def work(transaction):
            transaction.expect([path])
            assert transaction.get([path], fields=())[0].data == {}
            return transaction.get([path])[0].data

        assert firestore.transaction(work, soon) == {"at": path}

    def test_what_came_along_belongs_to_the_transaction(self, firestore, soon, path):
        """It is read under its locks, and again at each attempt."""
        put(firestore, soon, path, f"{path}-2")
        seen = []

        def work(transaction):
            transaction.expect([f"{path}-2"])
            transaction.get([path])
            if not seen:
                # As optimistic as the database is: whoever writes in between makes this start again, or waits.
                transaction.rollback()
                firestore.commit([Update(f"{path}-2", {"at": "changed"}, upsert=True)], soon)
            seen.append(transaction.get([f"{path}-2"])[0].data["at"])
            transaction.write(Update(path, {"saw": seen[-1]}))

        firestore.transaction(work, soon)
        assert firestore.get(path, soon).data["saw"] == "changed"


class TestCondition:
    def test_it_comes_with_the_first_read_and_is_asked_before_the_commit(self, firestore, soon, path, faults):
        put(firestore, soon, path, f"{path}-decides")
        condition = Decided(f"{path}-decides")

        def work(transaction):
            (found,) = transaction.get([path])
            transaction.get([f"{path}-other"])
            transaction.write(Update(path, {"n": 1}))
            return found.data

        with guarded(lambda: condition), track_usage() as usage:
            assert firestore.transaction(work, soon) == {"at": path}
        assert (condition.found.data, condition.asked, condition.begun) == ({"at": f"{path}-decides"}, 1, 0)
        assert faults.calls == ["Commit", "BatchGetDocuments", "BatchGetDocuments", "Commit"]
        assert (usage.reads, usage.writes) == (3, 1)

    def test_nothing_is_committed_where_it_does_not_hold(self, firestore, soon, path, faults):
        condition = Decided(f"{path}-decides")

        def work(transaction):
            transaction.get([path])
            transaction.write(Update(path, {"n": 1}, upsert=True))

        with guarded(lambda: condition), pytest.raises(PermissionError):
            firestore.transaction(work, soon)
        assert faults.calls == ["BatchGetDocuments", "Rollback"]
        assert firestore.get(path, soon) is None

    def test_what_is_read_outside_of_a_transaction_sends_for_it(self, firestore, soon, path):
        condition = Decided(path)
        with guarded(lambda: condition):
            firestore.get(path, soon)
        assert (condition.begun, condition.asked) == (1, 0)
