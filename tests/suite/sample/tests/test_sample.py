"""What a project's tests look like with firesuite's fixtures. tests/suite/test_pytest_plugin.py runs them."""

import os
import time

import firebase_admin
import grpc
import pytest
from firebase_admin import messaging
from google.api_core.exceptions import Aborted, AlreadyExists

from firesuite.errors import SuiteError
from firesuite.faults import Failure, nth
from firesuite.pytest.calls import CallError


def orders_seen(firestore):
    return sorted(entry.get("order") for entry in firestore.collection("seen").stream())


def test_firebase_admin_in_a_test_sends_to_the_sink(fcm):
    app = firebase_admin.initialize_app(name="of the test")
    try:
        messaging.send(messaging.Message(fid="my-phone"), app=app)
    finally:
        firebase_admin.delete_app(app)
    assert len(fcm.sent_to("my-phone")) == 1


class TestFresh:
    """Each finds nothing of the other, in whatever order they run."""

    @pytest.mark.parametrize("attempt", range(4))
    def test_documents_accounts_and_messages_are_gone(self, firestore, auth, fcm, functions, attempt):
        firestore.document("orders/a").create({"n": attempt})
        assert auth.user("me", email="me@example.com").uid == "me"
        fcm.script("phone", "UNREGISTERED")
        functions.await_idle()
        assert orders_seen(firestore) == ["a"]

    def test_an_event_that_fails_is_not_the_next_tests(self, firestore, functions):
        firestore.document("flaky/left-behind").set({})
        with pytest.raises(SuiteError, match="1 events failed and wait for a retry"):
            functions.await_idle()

    def test_a_clock_that_was_moved_is_set_back(self, clock):
        clock.advance(days=2)

    def test_to_the_real_time(self, clock):
        assert abs(clock.now().timestamp() - time.time()) < 3600


class TestFunctions:
    def test_https_and_callable(self, functions, auth):
        user = auth.user(claims={"role": "admin"})
        answer = functions.request("web", "POST", "/a?b=c", json={"n": 1}, user=user)
        assert (answer.status, answer.json()["path"], answer.json()["query"]) == (200, "/a", {"b": "c"})
        assert functions.call("add", {"a": 1, "b": 2}, user=user) == {"sum": 3, "uid": user.uid}
        with pytest.raises(CallError) as caught:
            functions.call("add", {})
        assert (caught.value.status, caught.value.message) == ("INVALID_ARGUMENT", "a is missing")

    def test_schedules_and_tasks(self, functions, firestore, clock):
        functions.run("nightly")
        functions.enqueue("work", {"n": 1})
        functions.await_idle()
        assert [entry.get("data") for entry in firestore.collection("worked").stream()] == [{"n": 1}]
        clock.advance(days=2)
        assert len(list(firestore.collection("nights").stream())) == 3

    def test_it_has_a_project_of_its_own(self, firesuite, firestore):
        worker = os.environ.get("PYTEST_XDIST_WORKER")
        assert firestore.project == firesuite.project.project_id == ("demo-sample" + (f"-{worker}" if worker else ""))


class TestAuth:
    def test_users(self, auth):
        user = auth.user(displayName="Ada", emailVerified=True)
        assert auth.account(user.uid)["displayName"] == "Ada"
        with pytest.raises(SuiteError, match="EMAIL_EXISTS"):
            auth.user(email=user.email)
        auth.change(user.uid, disableUser=True)
        with pytest.raises(SuiteError, match="USER_DISABLED"):
            auth.sign_in(user.email)
        auth.delete(user.uid)
        assert auth.account(user.uid) is None


class TestFaults:
    def test_a_commit_fails_for_everybody(self, firestore, faults):
        faults.plan.fail("firestore.commit", "ABORTED", nth=2)
        firestore.document("things/a").create({})
        with pytest.raises(Aborted):
            firestore.document("things/b").create({})
        firestore.document("things/b").create({})
        assert [fault.occurrence for fault in faults.plan.fired] == [2]

    def test_an_answer_is_lost(self, firestore, faults):
        faults.channel.follow(nth("Commit", 1, Failure(grpc.StatusCode.UNAVAILABLE, after=True)))
        with pytest.raises(AlreadyExists):  # by the first attempt of the very same call
            firestore.document("things/a").create({})

    def test_reads_are_slow(self, firestore, faults):
        faults.channel.slow(0.2, "BatchGetDocuments")
        started = time.monotonic()
        firestore.document("things/a").get()
        assert time.monotonic() - started >= 0.2

    def test_an_event_comes_twice(self, firestore, faults, functions):
        faults.plan.deliver_twice("onorder")
        firestore.document("orders/a").set({})
        functions.await_idle()
        assert orders_seen(firestore) == ["a", "a"]

    def test_a_function_that_no_event_goes_to_is_a_mistake_in_the_test(self, faults):
        for plan in (faults.plan.crash, faults.plan.deliver_twice, faults.plan.time_out, faults.plan.lose):
            with pytest.raises(SuiteError, match="No events are delivered to 'onoder', but to: flaky, hopeless, "):
                plan("onoder")

    def test_the_handler_crashes(self, firestore, faults, functions):
        faults.plan.crash("onorder", nth=2)
        firestore.document("orders/a").set({})
        functions.await_idle()  # or this one may be in work still when all that is in work dies, and come again too
        firestore.document("orders/b").set({})
        functions.await_idle()
        assert orders_seen(firestore) == ["a", "b"]
        assert [(fault.function, fault.action) for fault in faults.plan.fired] == [("onorder", "crashRunner")]

    def test_an_event_takes_too_long_and_comes_again(self, firestore, faults, functions, clock):
        faults.plan.time_out("onorder")
        firestore.document("orders/a").set({})
        with pytest.raises(SuiteError, match="retry"):
            functions.await_idle()
        assert orders_seen(firestore) == []
        clock.advance(minutes=1)
        assert orders_seen(firestore) == ["a"]

    def test_an_event_is_put_off_or_lost(self, firestore, faults, functions, clock):
        faults.plan.lose("onorder", nth=1)
        faults.plan.delay("onorder", 60, nth=2)
        for name in "abc":
            firestore.document(f"orders/{name}").set({})
            time.sleep(0.05)  # for the events to be in this order too
        clock.advance(60)
        assert orders_seen(firestore) == ["b", "c"]

    def test_a_connection_breaks(self, firestore, faults):
        faults.plan.drop_connection("firestore.commit")
        with pytest.raises(Exception, match="RST_STREAM"):
            firestore.document("things/a").create({}, retry=None)
        firestore.document("things/a").create({})
