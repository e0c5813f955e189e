"""The control API, each call against the real fireemu."""

import datetime as dt

import pytest
from google.api_core.exceptions import Aborted
from tests.suite.harness import http

from firesuite.control import ControlError, Session


def test_a_session_is_a_project_of_its_own(suite):
    assert suite.control.create_session("demo-worker-1") == Session("demo-worker-1", "demo-worker-1")
    session = suite.control.session("demo-worker-1")
    assert Session("demo-worker-1", "demo-worker-1") in suite.control.sessions()
    session.reset()
    session.delete_session()
    assert "demo-worker-1" not in [entry.name for entry in suite.control.sessions()]


def test_a_fault_hits_the_nth_operation_and_is_reported(suite):
    rule = {
        "match": {"operation": "firestore.commit", "nth": 2},
        "action": {"type": "returnError", "code": "ABORTED"},
    }
    suite.control.put_fault_plan([rule])
    try:
        document = suite.database.document("faults/a")
        document.set({"n": 1})
        with pytest.raises(Aborted):
            document.set({"n": 2})
        document.set({"n": 3})
        [fired] = suite.control.fault_plan()["fired"]
        assert (fired["operation"], fired["occurrence"]) == ("firestore.commit", 2)
    finally:
        suite.control.clear_fault_plan()
    assert suite.control.fault_plan()["plan"] in (None, {}) or not suite.control.fault_plan()["plan"]["rules"]


def test_a_snapshot_brings_the_data_back(suite):
    document = suite.database.document("snapshots/a")
    document.set({"n": 1})
    suite.control.await_idle()
    suite.control.snapshot("before")
    document.set({"n": 2})
    suite.control.restore("before")
    assert document.get().to_dict() == {"n": 1}
    suite.control.delete_snapshot("before")


def test_the_clock_is_moved_and_set(suite):
    now = suite.control.advance_clock(0)
    assert suite.control.advance_clock(1.5) - now == dt.timedelta(seconds=1.5)
    assert suite.control.set_clock(now) == now


def test_the_rules_say_what_they_decided(suite):
    documents = (
        f"http://{suite.environment['FIRESTORE_EMULATOR_HOST']}/v1/projects/demo-sample/databases/(default)/documents"
    )
    suite.control.rules_requests()  # from here on they are kept
    assert http("GET", f"{documents}/secrets/a").status == 403
    [request, *_] = suite.control.rules_requests()
    assert "secrets/a" in str(request)


def test_a_refusal_is_in_fireemus_words(suite):
    with pytest.raises(ControlError, match='unknown function "nobody"') as caught:
        suite.control.run_function("nobody")
    assert caught.value.status == 400


def test_the_functions_status_lists_what_events_can_reach(suite):
    status = suite.control.functions()
    assert status.runner_alive
    assert set(status.functions) == {"onorder", "online", "flaky", "hopeless", "nightly", "work"}
