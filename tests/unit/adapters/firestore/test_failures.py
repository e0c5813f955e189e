"""What the adapter does when Firestore is away, slow, contended, or does not say whether it committed."""

from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest

from firesuite.faults import Failure, at, each, nothing
from wattle.adapters.firestore import (
    AlreadyExists,
    Create,
    Firestore,
    FirestoreContention,
    FirestoreError,
    FirestoreUnavailable,
    Increment,
    Query,
    Update,
    track_usage,
)
from wattle.adapters.firestore.client import open_channel
from wattle.kit.retry import Deadline

UNAVAILABLE = grpc.StatusCode.UNAVAILABLE
ABORTED = grpc.StatusCode.ABORTED


def increment(firestore, path, deadline):
    def work(transaction):
        (found,) = transaction.get([path])
        transaction.write(Update(path, {"n": found.data["n"] + 1}))

    firestore.transaction(work, deadline)


@pytest.fixture
def counter(firestore, path, soon):
    firestore.commit([Create(path, {"n": 0})], soon)
    return path


@pytest.fixture
def fault_plan(project):
    """fireemu's own fault plan."""
    yield lambda *rules: project.put_fault_plan(rules)
    project.clear_fault_plan()


@pytest.fixture
def impatient(monkeypatch):
    """No pauses between the attempts of a transaction: there are up to 12."""
    monkeypatch.setattr("wattle.adapters.firestore.transaction.full_jitter", lambda *_, **__: 0.0)


def rule(operation, code, nth=1):
    return {"match": {"operation": operation, "nth": nth}, "action": {"type": "returnError", "code": code}}


class TestReads:
    def test_they_are_tried_again_while_firestore_is_away(self, firestore, faults, counter, soon):
        reads = {
            "GetDocument": lambda: firestore.get(counter, soon),
            "RunQuery": lambda: firestore.query(Query("things", limit=1), soon),
            "RunAggregationQuery": lambda: firestore.count(Query("things"), soon),
        }
        for method, read in reads.items():
            faults.follow(each(method, Failure(UNAVAILABLE), times=3))
            assert read()
            assert faults.calls == [method] * 4

    def test_five_times_at_most(self, firestore, faults, counter, soon):
        faults.follow(each("GetDocument", Failure(UNAVAILABLE), times=9))
        with pytest.raises(FirestoreUnavailable) as caught:
            firestore.get(counter, soon)
        assert len(faults.calls) == 5
        assert caught.value.maybe_applied is False

    def test_fireemus_own_fault_is_one_of_those(self, firestore, fault_plan, counter, soon):
        fault_plan(rule("firestore.read", "UNAVAILABLE"))
        assert firestore.get(counter, soon).data == {"n": 0}

    @pytest.mark.parametrize("status", [grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.INVALID_ARGUMENT])
    def test_what_trying_again_does_not_change_is_not_tried_again(self, firestore, faults, counter, soon, status):
        faults.follow(each("GetDocument", Failure(status), times=9))
        with pytest.raises(FirestoreError) as caught:
            firestore.get(counter, soon)
        assert not isinstance(caught.value, FirestoreUnavailable | FirestoreContention)
        assert len(faults.calls) == 1

    def test_a_stream_that_breaks_is_read_anew(self, firestore, faults, counter, soon):
        faults.follow(each("RunQuery", Failure(UNAVAILABLE, after=True)))
        found = firestore.query(Query("things", where=[("n", ">=", 0)]), soon)
        assert len({document.id for document in found}) == len(found)


class TestDeadlines:
    def test_nothing_is_sent_when_no_time_is_left(self, firestore, faults, counter):
        faults.follow(nothing)
        late = Deadline.after(-1)
        for call in (
            lambda: firestore.get(counter, late),
            lambda: firestore.commit([Update(counter, {"n": 5})], late),
            lambda: increment(firestore, counter, late),
        ):
            with pytest.raises(FirestoreUnavailable) as caught:
                call()
            assert caught.value.maybe_applied is False
        assert faults.calls == []

    def test_a_slow_firestore_does_not_hold_a_request_longer_than_it_has(self, firestore, faults, counter):
        faults.slow(600)  # the test's own patience is shorter
        with pytest.raises(FirestoreUnavailable):
            firestore.get(counter, Deadline.after(1))
        with pytest.raises(FirestoreUnavailable) as caught:
            firestore.commit([Update(counter, {"n": 5})], Deadline.after(1))
        assert caught.value.maybe_applied is True

    def test_a_server_that_is_not_there_is_unavailable(self):
        channel, credentials = open_channel("127.0.0.1:1")
        try:
            with pytest.raises(FirestoreUnavailable):
                Firestore("demo", channel, credentials).get("a/b", Deadline.after(0.5))
        finally:
            channel.close()


class TestCommits:
    def test_they_are_not_tried_again(self, firestore, faults, counter, soon):
        faults.follow(each("Commit", Failure(UNAVAILABLE)))
        with pytest.raises(FirestoreUnavailable) as caught:
            firestore.commit([Update(counter, {"n": Increment(1)})], soon)
        assert caught.value.maybe_applied is True
        assert faults.calls == ["Commit"]
        assert firestore.get(counter, soon).data == {"n": 0}

    def test_a_lost_answer_is_told_as_uncertain(self, firestore, faults, counter, soon):
        faults.follow(each("Commit", Failure(grpc.StatusCode.DEADLINE_EXCEEDED, after=True)))
        with pytest.raises(FirestoreUnavailable) as caught:
            firestore.commit([Update(counter, {"n": Increment(1)})], soon)
        assert caught.value.maybe_applied is True
        assert firestore.get(counter, soon).data == {"n": 1}

    def test_a_quota_that_is_used_up_is_certain(self, firestore, faults, counter, soon):
        faults.follow(each("Commit", Failure(grpc.StatusCode.RESOURCE_EXHAUSTED)))
        with pytest.raises(FirestoreUnavailable) as caught:
            firestore.commit([Update(counter, {"n": 5})], soon)
        assert caught.value.maybe_applied is False


class TestTransactions:
    def test_forty_increments_by_eight_threads_are_forty(self, firestore, counter):
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda _: increment(firestore, counter, Deadline.after(60)), range(40)))
        assert firestore.get(counter, Deadline.after(60)).data == {"n": 40}

    @pytest.mark.parametrize(
        "fault",
        [
            rule("firestore.commit", "ABORTED"),
            rule("firestore.commit", "UNAVAILABLE"),
            rule("firestore.read", "ABORTED"),
            rule("firestore.read", "UNAVAILABLE"),
            rule("firestore.beginTransaction", "UNAVAILABLE"),
        ],
    )
    def test_it_begins_again(self, firestore, fault_plan, counter, soon, fault):
        fault_plan(fault)
        increment(firestore, counter, soon)
        assert firestore.get(counter, soon).data == {"n": 1}

    @pytest.mark.parametrize("plan", [at(n, Failure(status)) for n in (1, 2) for status in (ABORTED, UNAVAILABLE)])
    def test_whatever_call_failed(self, firestore, faults, counter, soon, plan):
        faults.follow(plan)
        increment(firestore, counter, soon)
        faults.follow(nothing)
        assert firestore.get(counter, soon).data == {"n": 1}

    def test_contention_without_end_is_an_error_that_wrote_nothing(self, firestore, faults, counter, impatient):
        faults.follow(each("Commit", Failure(ABORTED), times=99))
        with pytest.raises(FirestoreContention):
            increment(firestore, counter, Deadline.after(60))
        assert faults.calls.count("Commit") == 12
        faults.follow(nothing)
        assert firestore.get(counter, Deadline.after(60)).data == {"n": 0}

    def test_it_ends_with_its_deadline(self, firestore, faults, counter):
        faults.follow(each("Commit", Failure(ABORTED), times=99))
        deadline = Deadline.after(0.2)
        with pytest.raises((FirestoreContention, FirestoreUnavailable)):
            increment(firestore, counter, deadline)
        assert faults.calls.count("Commit") < 12

    def test_after_a_lost_answer_it_is_uncertain_until_the_end(self, firestore, faults, path, soon):
        """The work looks whether its own document is there, and so makes it once."""
        seen = []

        def work(transaction):
            seen.append(transaction.uncertain)
            (found,) = transaction.get([path])
            if transaction.uncertain and found is not None:
                return "landed"
            transaction.write(Create(path, {"n": 1}))
            return "made"

        faults.follow(each("Commit", Failure(UNAVAILABLE, after=True)))
        assert firestore.transaction(work, soon) == "landed"
        assert seen == [False, True]
        assert firestore.get(path, soon).update_time == firestore.get(path, soon).create_time

    def test_an_uncertain_commit_that_had_no_effect_is_made_again(self, firestore, faults, path, soon):
        def work(transaction):
            (found,) = transaction.get([path])
            if transaction.uncertain and found is not None:
                return "landed"
            transaction.write(Create(path, {"n": 1}))
            return "made"

        faults.follow(each("Commit", Failure(UNAVAILABLE)))
        assert firestore.transaction(work, soon) == "made"
        assert firestore.get(path, soon).data == {"n": 1}

    def test_uncertain_once_is_uncertain_in_the_end(self, firestore, faults, counter, impatient):
        """A later ABORTED proves nothing of the first commit."""
        failures = [Failure(UNAVAILABLE, after=True)] + [Failure(ABORTED)] * 20
        faults.follow(lambda call: failures.pop(0) if call.method == "Commit" else None)
        with pytest.raises(FirestoreUnavailable) as caught:
            increment(firestore, counter, Deadline.after(60))
        assert caught.value.maybe_applied is True

    def test_what_the_work_raises_comes_out_and_nothing_is_written(self, firestore, faults, counter, soon):
        def work(transaction):
            transaction.get([counter])
            transaction.write(Update(counter, {"n": 9}))
            raise LookupError("no")

        faults.follow(nothing)
        with pytest.raises(LookupError):
            firestore.transaction(work, soon)
        assert faults.calls == ["BatchGetDocuments", "Rollback"], "the locks are given back"
        assert firestore.get(counter, soon).data == {"n": 0}
        increment(firestore, counter, Deadline.after(20))

    def test_one_that_only_reads_gives_its_locks_back(self, firestore, faults, counter, soon):
        faults.follow(nothing)
        assert firestore.transaction(lambda t: t.get([counter])[0].data, soon) == {"n": 0}
        assert faults.calls == ["BatchGetDocuments", "Rollback"]

    def test_a_rollback_that_fails_is_left_to_the_server(self, firestore, faults, counter, soon):
        faults.follow(each("Rollback", Failure(UNAVAILABLE)))
        assert firestore.transaction(lambda t: t.get([counter])[0].data, soon) == {"n": 0}

    def test_a_commit_that_is_refused_leaves_no_locks_behind(self, firestore, counter, soon):
        def again(transaction):
            transaction.get([counter])
            transaction.write(Create(counter, {"n": 0}))

        with pytest.raises(AlreadyExists):
            firestore.transaction(again, soon)
        firestore.commit([Update(counter, {"n": 7})], Deadline.after(2))
        assert firestore.get(counter, soon).data == {"n": 7}

    def test_a_connection_that_breaks_under_commit_and_rollback_leaves_no_locks_behind(
        self, firestore, faults, counter, impatient
    ):
        """Else each further attempt meets the locks of the first, and the client is told of contention."""
        failures = {"Commit": [Failure(UNAVAILABLE)], "Rollback": [Failure(UNAVAILABLE)] * 2}
        faults.follow(lambda call: failures[call.method].pop() if failures.get(call.method) else None)
        increment(firestore, counter, Deadline.after(60))
        assert faults.calls == ["BatchGetDocuments", "Commit", *["Rollback"] * 3, "BatchGetDocuments", "Commit"]

    def test_queries_in_it_see_one_state(self, firestore, counter, soon):
        def work(transaction):
            found = transaction.query(Query("things", where=[("n", "==", 0)]))
            (again,) = transaction.get([counter])
            transaction.write(Update(counter, {"n": len(found)}))
            return again.data["n"]

        with track_usage() as usage:
            assert firestore.transaction(work, soon) == 0
        assert usage.round_trips == 4, "begin, query, get, commit"
