"""The fault interceptor: Google's client and a plain channel, over the real Firestore."""

import asyncio
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from google.api_core.exceptions import Aborted, DeadlineExceeded, ServiceUnavailable
from google.api_core.retry import Retry
from google.auth.credentials import AnonymousCredentials
from google.cloud import firestore
from google.cloud.firestore_v1.base_query import FieldFilter
from google.cloud.firestore_v1.types import firestore as messages
from google.protobuf.empty_pb2 import Empty
from tests.suite.harness import database_of

from firesuite.faults import (
    LOST,
    RETRIABLE,
    Call,
    Died,
    Failure,
    Faults,
    at,
    at_random,
    each,
    mentioning,
    nth,
)

UNAVAILABLE, ABORTED = grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.ABORTED


@pytest.fixture(scope="module")
def project(suite):
    """A project without triggers."""
    name = f"demo-faults-{uuid.uuid4().hex[:8]}"
    session = suite.control.session(suite.control.create_session(name).name)
    yield name
    session.delete_session()


@pytest.fixture
def faults():
    return Faults()


@pytest.fixture
def client(suite, project, faults):
    """Google's client with the faults in it."""
    client = database_of(suite, project)
    faults.install(client)
    yield client
    client.close()


@pytest.fixture
def document(client):
    """One that is nobody else's and says n = 0; the faults' record is empty again."""
    document = client.document(f"things/{uuid.uuid4().hex}")
    document.set({"n": 0})
    return document


def value(suite, project, document):
    """What is stored, by a client without faults."""
    plain = database_of(suite, project)
    found = plain.document(document.path).get().to_dict()
    plain.close()
    return found["n"]


class TestGooglesClient:
    def test_without_a_plan_everything_works_and_is_recorded(self, faults, document):
        faults.reset()
        document.update({"n": 1})
        assert document.get().to_dict() == {"n": 1}
        assert [found.id for found in document.parent.where(filter=FieldFilter("n", "==", 1)).stream()] == [document.id]
        assert faults.calls == ["Commit", "BatchGetDocuments", "RunQuery"]
        assert faults.written == [document.path]

    def test_the_nth_commit_fails_before_it_left(self, suite, project, faults, document):
        faults.follow(nth("Commit", 2, Failure(ABORTED)))
        document.update({"n": 1})
        with pytest.raises(Aborted, match="injected"):
            document.update({"n": 2})
        assert value(suite, project, document) == 1
        assert faults.written == [document.path], "the second one was never sent"

    def test_the_nth_commit_fails_after_it_took_effect(self, suite, project, faults, document):
        faults.follow(nth("Commit", 2, Failure(ABORTED, after=True)))
        document.update({"n": 1})
        with pytest.raises(Aborted):
            document.update({"n": 2})
        assert value(suite, project, document) == 2

    def test_what_the_client_tries_again_is_tried_again(self, suite, project, faults, document):
        """Which is how an increment that is not guarded comes to be counted twice."""
        faults.follow(nth("Commit", 1, Failure(UNAVAILABLE, after=True)))
        document.update({"n": firestore.Increment(1)})
        assert faults.calls == ["Commit", "Commit"]
        assert value(suite, project, document) == 2

    def test_a_stream_breaks_before_its_first_answer_or_after_its_last(self, faults, document):
        faults.follow(each("RunQuery", Failure(ABORTED)))
        with pytest.raises(Aborted):
            list(document.parent.stream())
        faults.follow(each("RunQuery", Failure(ABORTED, after=True)))
        # Its own default is an AttributeError here: query.py looks for `_retry` where the transport has none (2.34.1).
        never = Retry(predicate=lambda _error: False)
        found = document.parent.stream(retry=never)
        assert next(found).exists
        with pytest.raises(Aborted):
            list(found)
        assert list(document.parent.stream())

    def test_a_listener_hears_through_it(self, faults, document):
        heard = []
        watch = document.on_snapshot(lambda snapshots, *_: heard.append(snapshots[0].to_dict()))
        deadline = time.monotonic() + 60
        while not heard and time.monotonic() < deadline:
            time.sleep(0.01)
        watch.unsubscribe()
        assert heard == [{"n": 0}]
        assert "Listen" in faults.calls

    def test_installed_again_it_is_there_once(self, faults, client, document):
        faults.install(client)
        faults.reset()
        client.document(document.path).get()
        assert faults.calls == ["BatchGetDocuments"]

    def test_a_client_of_another_kind_is_refused(self, faults):
        with pytest.raises(TypeError, match="not into a dict"):
            faults.install({})


class TestAsyncio:
    def test_google_s_asynchronous_client(self, suite, project, faults, document, monkeypatch):
        monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", suite.environment["FIRESTORE_EMULATOR_HOST"])

        async def main():
            client = firestore.AsyncClient(project=project, credentials=AnonymousCredentials())
            faults.install(client)
            mine = client.document(document.path)
            faults.follow(nth("Commit", 1, Failure(ABORTED)))
            with pytest.raises(Aborted):
                await mine.update({"n": 1})
            assert (await mine.get()).to_dict() == {"n": 0}
            faults.follow(nth("Commit", 1, Failure(ABORTED, after=True)))
            with pytest.raises(Aborted):
                await mine.update({"n": 2})
            assert (await mine.get()).to_dict() == {"n": 2}
            assert faults.calls == ["Commit", "BatchGetDocuments"]
            faults.slow(1)
            started = time.monotonic()
            await asyncio.gather(*(mine.get() for _ in range(20)))
            assert 1 <= time.monotonic() - started < 20
            faults.slow(600)
            with pytest.raises(DeadlineExceeded):
                await mine.update({"n": 3}, retry=None, timeout=0.3)
            await client._firestore_api_internal.transport.close()

        asyncio.run(main())
        assert value(suite, project, document) == 3


class TestLatency:
    def test_each_call_takes_so_much_longer(self, faults, document):
        faults.slow(0.2)
        for call in (document.get, lambda: document.update({"n": 1}), lambda: list(document.parent.stream())):
            started = time.monotonic()
            call()
            assert time.monotonic() - started >= 0.2

    def test_only_the_methods_that_are_named(self, faults, document):
        faults.slow(600, "Commit")
        assert document.get().exists
        faults.reset()
        document.update({"n": 1})

    def test_a_deadline_that_passes_meanwhile(self, suite, project, faults, document):
        faults.slow(600, "Commit")
        started = time.monotonic()
        with pytest.raises(DeadlineExceeded):
            document.update({"n": 1}, retry=None, timeout=0.3)
        assert time.monotonic() - started < 60
        assert value(suite, project, document) == 1, "it took effect; only its answer came too late"

    def test_calls_side_by_side_wait_side_by_side(self, suite, project, document, faults):
        """Made with `future`, as a program does that sends several at once: no thread is held up."""
        faults.slow(1)
        channel = grpc.intercept_channel(grpc.insecure_channel(suite.environment["FIRESTORE_EMULATOR_HOST"]), faults)
        get = channel.unary_unary(
            "/google.firestore.v1.Firestore/GetDocument",
            request_serializer=messages.GetDocumentRequest.serialize,
            response_deserializer=Empty.FromString,
        )
        name = f"projects/{project}/databases/(default)/documents/{document.path}"
        owner = (("authorization", "Bearer owner"),)
        started = time.monotonic()
        pending = [get.future(messages.GetDocumentRequest(name=name), metadata=owner) for _ in range(20)]
        assert time.monotonic() - started < 20
        assert [call.exception() for call in pending] == [None] * 20
        assert 1 <= time.monotonic() - started < 20
        channel.close()


class TestPlans:
    def make(self, plan, *methods):
        """What a plan does to calls of these methods."""
        counts, outcomes = {}, []
        for number, method in enumerate(methods, 1):
            counts[method] = counts.get(method, 0) + 1
            outcomes.append(plan(Call(method, number, counts[method], None)))
        return outcomes

    def test_by_number(self):
        failure = Failure(UNAVAILABLE)
        methods = ("Commit", "RunQuery", "Commit", "Commit")
        assert self.make(at(2, failure), *methods) == [None, failure, None, None]
        assert self.make(nth("Commit", 2, failure), *methods) == [None, None, failure, None]
        assert self.make(each("Commit", failure, times=2), *methods) == [failure, None, failure, None]

    def test_by_what_the_request_speaks_of(self, faults, client):
        faults.follow(mentioning("secrets/", but_not=("secrets/public",)))
        client.document("secrets/public").set({})
        with pytest.raises(ServiceUnavailable):
            client.document("secrets/a").set({}, retry=None)

    def test_a_seed_decides_whatever_the_threads_do(self):
        methods = ["Commit", "RunQuery"] * 500
        plan = at_random(7, 0.1)
        first = self.make(plan, *methods)
        assert first == self.make(at_random(7, 0.1), *methods)
        assert first != self.make(at_random(8, 0.1), *methods)
        calls = [Call(method, 0, number // 2 + 1, None) for number, method in enumerate(methods)]
        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(plan, calls)) == first
        failures = [failure for failure in first if failure]
        assert 60 < len(failures) < 140
        assert {failure.status for failure in failures} == set(RETRIABLE)
        lost = [failure for failure in failures if failure.after]
        assert lost
        assert {failure.status for failure in lost} <= set(LOST)

    def test_chance_among_failures_of_ones_own(self):
        failure = Failure(ABORTED)
        assert set(self.make(at_random(1, 0.5, failure), *["Commit"] * 50)) == {None, failure}

    def test_a_process_may_die(self, suite, project, faults, document):
        faults.follow(nth("Commit", 1, Failure(None, after=True)))
        with pytest.raises(Died):
            document.update({"n": 1})
        assert value(suite, project, document) == 1
