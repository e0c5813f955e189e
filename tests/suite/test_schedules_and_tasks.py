"""Scheduled functions and task queues."""

import base64
import datetime as dt
import json
import zoneinfo

from tests.suite.harness import eventually, http


def nights(suite):
    return [document.to_dict() for document in suite.database.collection("nights").stream()]


def test_a_schedule_runs_when_the_clock_passes_its_time(suite):
    """0 3 * * * in Sydney."""
    now = suite.control.advance_clock(0)
    local = now.astimezone(zoneinfo.ZoneInfo("Australia/Sydney"))
    due = local.replace(hour=3, minute=0, second=0, microsecond=0)
    if due <= local:
        due += dt.timedelta(days=1)
    before = len(nights(suite))
    suite.control.advance_clock((due - local).total_seconds() - 1)
    assert suite.control.await_idle()
    assert len(nights(suite)) == before
    suite.control.advance_clock(2)
    assert suite.control.await_idle()
    assert [night["job"] for night in nights(suite) if night["time"] == due] == [
        "firebase-schedule-nightly-australia-southeast1"
    ]


def test_a_schedule_can_be_run_now(suite):
    before = len(nights(suite))
    suite.control.run_function("nightly")
    assert suite.control.await_idle()
    assert len(nights(suite)) == before + 1


def test_a_task_reaches_its_function_with_data_and_headers(suite):
    queue = (
        f"http://{suite.environment['CLOUD_TASKS_EMULATOR_HOST']}/projects/demo-sample/locations/australia-southeast1"
    )
    body = base64.b64encode(json.dumps({"data": {"n": 7}}).encode()).decode()
    answer = http(
        "POST",
        f"{queue}/queues/work/tasks",
        {"task": {"httpRequest": {"headers": {"Content-Type": "application/json"}, "body": body}}},
    )
    assert answer.status == 200
    [worked] = eventually(lambda: [document.to_dict() for document in suite.database.collection("worked").stream()])
    assert worked == {"data": {"n": 7}, "queue": "work"}


def test_firebase_admin_enqueues(suite, monkeypatch):
    """Unmodified: it expects a task's name as Google's emulator spells it."""
    import firebase_admin
    from firebase_admin import functions

    monkeypatch.setenv("CLOUD_TASKS_EMULATOR_HOST", suite.environment["CLOUD_TASKS_EMULATOR_HOST"])
    app = firebase_admin.initialize_app(options={"projectId": "demo-sample"}, name="enqueues")
    try:
        queue = functions.task_queue("locations/australia-southeast1/functions/work", app=app)
        assert queue.enqueue({"data": {"n": 8}}, functions.TaskOptions(task_id="by-admin")) == "by-admin"
    finally:
        firebase_admin.delete_app(app)
    worked = suite.database.collection("worked")
    eventually(lambda: {"n": 8} in [document.get("data") for document in worked.stream()])
