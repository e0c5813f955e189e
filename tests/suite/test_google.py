"""Google's Auth and Functions emulators beside fireemu's Firestore. Skipped where firebase-tools is not installed."""

import dataclasses
from pathlib import Path

import pytest
from tests.suite.harness import ROOT, Lines, copy_of_sample, database_of, eventually, http

from firesuite.errors import SuiteError
from firesuite.google import find_executable
from firesuite.ports import Ports, is_free
from firesuite.project import Project
from firesuite.suite import Suite


def is_installed():
    try:
        find_executable(ROOT)
    except SuiteError:
        return False
    return True


needs_firebase_tools = pytest.mark.skipif(not is_installed(), reason="firebase-tools is not installed")


@pytest.fixture(scope="module", params=["auth", "auth,functions"])
def google(request, tmp_path_factory):
    project = Project.load(copy_of_sample(tmp_path_factory.mktemp("google")))
    ports = Ports.free()
    with Suite(project, ports=ports, google=frozenset(request.param.split(",")), log=Lines()) as suite:
        suite.database = database_of(suite)
        yield suite
        suite.database.close()
    assert [name for name, port in dataclasses.asdict(ports).items() if not is_free(port)] == []
    left = [entry for entry in Path("/proc").iterdir() if entry.name.isdigit() and _works_in(entry, project.directory)]
    assert left == []


def _works_in(process, directory):
    try:
        return (process / "cwd").readlink().is_relative_to(directory)
    except OSError:
        return False


@needs_firebase_tools
def test_a_user_of_googles_auth_calls_a_function(google):
    sign_up = (
        f"http://{google.environment['FIREBASE_AUTH_EMULATOR_HOST']}/identitytoolkit.googleapis.com/v1/accounts:signUp"
    )
    user = http("POST", f"{sign_up}?key=any", {"returnSecureToken": True}).json()
    answer = http(
        "POST",
        google.function_url("add"),
        {"data": {"a": 1, "b": 2}},
        {"Authorization": f"Bearer {user['idToken']}"},
    )
    assert answer.json()["result"] == {"sum": 3, "uid": user["localId"]}


@needs_firebase_tools
def test_events_arrive_with_before_and_after(google):
    order = google.database.document("orders/a")
    order.set({"n": 1})
    order.update({"n": 2})
    order.delete()
    events = eventually(lambda: len(found := list(google.database.collection("seen").stream())) == 3 and found)
    states = [(event.get("before"), event.get("after")) for event in sorted(events, key=lambda event: event.get("at"))]
    assert states == [(None, {"n": 1}), ({"n": 1}, {"n": 2}), ({"n": 2}, None)]


@needs_firebase_tools
def test_a_schedule_arrives_with_its_job(google):
    google.control.run_function("nightly")
    eventually(
        lambda: (
            "firebase-schedule-nightly-australia-southeast1"
            in [night.get("job") for night in google.database.collection("nights").stream()]
        )
    )


@needs_firebase_tools
def test_the_hub_lists_googles_emulators_at_their_ports(google):
    emulators = http("GET", f"http://127.0.0.1:{google.ports.hub}/emulators").json()
    assert emulators["auth"]["port"] == google.ports.auth
    assert emulators["functions"]["port"] == google.ports.functions


def test_an_emulator_that_google_does_not_have_is_refused(tmp_path):
    project = Project.load(copy_of_sample(tmp_path / "project"))
    with pytest.raises(SuiteError, match="Google's emulators can serve auth, functions, not storage"):
        Suite(project, google=frozenset({"storage"})).start()


def test_without_firebase_tools_one_sentence_says_how_to_install_it(tmp_path, monkeypatch):
    monkeypatch.delenv("FIRESUITE_FIREBASE_TOOLS", raising=False)
    with pytest.raises(SuiteError, match="firebase-tools is not installed: run `npm install"):
        find_executable(tmp_path)
