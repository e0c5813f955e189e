"""A poisoned event: it fails until it is given up, is kept with all that it takes to handle it, and handled later."""

import os
import subprocess
import sys
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from tests.backend import eventually
from tests.conftest import ROOT
from tests.security.deployed import Deployed

from wattle.adapters.firestore import Query, Update
from wattle.dead_letters.service import Letter
from wattle.kit.clock import utc_now
from wattle.kit.retry import Deadline
from wattle.redelivery import GIVEN_UP_AFTER


@pytest.fixture(scope="module")
def function(backend):
    """onOrderWritten as Cloud Run runs it."""
    process = Deployed(backend, "onOrderWritten", "cloudevent")
    yield process
    process.close()


def mend(backend, user):
    if backend.document(f"users/{user.uid}"):
        sane = {"notificationPreferences": {"orders": True}}
        backend.firestore.commit([Update(f"users/{user.uid}", sane)], Deadline.after(60))


@pytest.fixture
def poisoned(backend, user):
    """Somebody whose profile a bug has spoilt, so that whatever is to be told to him fails."""
    assert user.get("/v1/users/me").status_code == 200
    spoilt = {"notificationPreferences": {"muted": "neither"}}
    backend.firestore.commit([Update(f"users/{user.uid}", spoilt)], Deadline.after(60))
    yield user
    mend(backend, user)


def confirmed(user, order_id):
    before = {"status": "pending", "userId": user.uid, "version": 1, "number": "W-1", "updatedAt": utc_now()}
    return f"orders/{order_id}", before, before | {"status": "confirmed", "version": 2}


def letters(backend, user):
    return backend.firestore.query(Query(f"users/{user.uid}/deadLetters"), Deadline.after(60))


def purge(backend, user):
    assert user.delete("/v1/users/me").status_code == 200
    due = {"purgeAt": datetime(2026, 1, 1, tzinfo=UTC)}
    backend.firestore.commit([Update(f"users/{user.uid}", due)], Deadline.after(60))
    backend.suite.control.run_function("purgeDaily")
    eventually(lambda: backend.document(f"users/{user.uid}") is None)


def replay(backend, *arguments):
    environment = {
        **os.environ,
        "FIRESTORE_EMULATOR_HOST": f"127.0.0.1:{backend.suite.ports.firestore}",
        "GCLOUD_PROJECT": backend.project_id,
    }
    command = [sys.executable, "-m", "tools", "replay", "--function", "onOrderWritten", *arguments]
    return subprocess.run(
        command,
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
        stdin=subprocess.DEVNULL,
    )


LATE = GIVEN_UP_AFTER + timedelta(minutes=1)


def test_it_comes_again_until_it_is_given_up(backend, function, poisoned):
    event, order_id = uuid.uuid4().hex, uuid.uuid4().hex
    path, before, after = confirmed(poisoned, order_id)
    for hours in (0, 1, 19.9):
        answer = function.deliver(path, before, after, event_id=event, time=utc_now() - timedelta(hours=hours))
        assert answer.status_code == 500, "so that Eventarc delivers it again"
    assert letters(backend, poisoned) == []
    with ThreadPoolExecutor(4) as pool:  # delivered more than once, as everything is
        times = [utc_now() - LATE] * 4
        answers = list(pool.map(lambda at: function.deliver(path, before, after, event_id=event, time=at), times))
    assert {answer.status_code for answer in answers} == {200}, "so that Eventarc is done with it"
    (letter,) = letters(backend, poisoned)
    assert (letter.data["function"], letter.data["document"]) == ("onOrderWritten", path)
    assert (letter.data["before"], letter.data["after"]) == (before, after)
    assert letter.data["reason"].startswith("INTERNAL: ValidationError: ")
    assert letter.data["expiresAt"] > utc_now() + timedelta(days=80)
    assert '"alarm":"event.GIVEN_UP"' in function.output
    assert poisoned.uid not in function.output


def test_it_is_handled_when_what_was_wrong_is_mended(backend, function, poisoned):
    order_id = uuid.uuid4().hex
    path, before, after = confirmed(poisoned, order_id)
    assert function.deliver(path, before, after, event_id="e-1", time=utc_now() - LATE).status_code == 200
    listed = replay(backend)
    assert listed.returncode == 1
    assert f"onOrderWritten {path}" in listed.stdout
    assert "--yes" in listed.stderr

    too_early = replay(backend, "--yes")
    assert too_early.returncode == 1, too_early.stdout
    assert f"onOrderWritten {path}" in too_early.stdout
    assert "redelivered 1 times: INTERNAL: ValidationError" in too_early.stdout
    assert backend.document(f"users/{poisoned.uid}/notifications/{order_id}-2") is None

    mend(backend, poisoned)
    done = replay(backend, "--yes")
    assert f"onOrderWritten {path}: handled" in done.stdout, done.stdout + done.stderr
    assert letters(backend, poisoned) == []
    assert backend.document(f"users/{poisoned.uid}/notifications/{order_id}-2")["title"] == "Order confirmed"


def test_handled_twice_it_is_told_once(backend, function, poisoned):
    order_id = uuid.uuid4().hex
    path, before, after = confirmed(poisoned, order_id)
    for event in ("e-1", "e-2"):  # the same change
        assert function.deliver(path, before, after, event_id=event, time=utc_now() - LATE).status_code == 200
    assert len(letters(backend, poisoned)) == 2
    mend(backend, poisoned)
    done = replay(backend, "--yes")
    assert done.stdout.count(f"onOrderWritten {path}: handled") == 2, done.stdout + done.stderr
    assert letters(backend, poisoned) == []
    assert len(backend.firestore.query(Query(f"users/{poisoned.uid}/notifications"), Deadline.after(60))) == 1
    assert backend.document(f"users/{poisoned.uid}/counters/inbox")["unread"] == 1


def test_it_goes_with_its_person(backend, function, poisoned, people):
    path, before, after = confirmed(poisoned, uuid.uuid4().hex)
    assert function.deliver(path, before, after, event_id="e-1", time=utc_now() - LATE).status_code == 200
    exported = poisoned.get("/v1/users/me/export").json()["data"]
    assert [letter["document"] for letter in exported["deadLetters"]] == [path]
    mend(backend, poisoned)
    purge(backend, people.sign_in(poisoned.email))
    assert letters(backend, poisoned) == []


def test_of_somebody_who_was_erased_nothing_is_kept(backend, function, user):
    """The purge itself changes documents, whose events may fail for longer than it takes."""
    user.get("/v1/users/me")
    path, before, after = confirmed(user, uuid.uuid4().hex)
    after.pop("version")  # so that it fails, whoever it is about
    purge(backend, user)
    answer = function.deliver(path, before, after, event_id="e-1", time=utc_now() - LATE)
    assert answer.status_code == 200, "so that Eventarc is done with it"
    assert letters(backend, user) == []
    (line,) = [line for line in function.output.splitlines() if "of somebody who was erased" in line]
    assert '"alarm":"event.GIVEN_UP"' in line


def test_nothing_is_kept_either_while_the_purge_runs(backend, function, poisoned):
    """It may be done with the dead letters already."""
    begun = {"purge": {"begunAt": utc_now(), "counts": {}}}
    backend.firestore.commit([Update(f"users/{poisoned.uid}", begun)], Deadline.after(60))
    path, before, after = confirmed(poisoned, uuid.uuid4().hex)
    assert function.deliver(path, before, after, event_id="e-1", time=utc_now() - LATE).status_code == 200
    assert letters(backend, poisoned) == []


def test_nobodys_event_is_kept_below_its_document():
    letter = Letter(
        "onBroadcastWritten", "a/b", "broadcasts/b1", {"broadcastId": "b1"}, utc_now(), None, {"state": "x"}
    )
    assert letter.path == "broadcasts/b1/deadLetters/onBroadcastWritten-a_b"
