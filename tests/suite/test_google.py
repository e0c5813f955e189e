"""Google's Auth and Functions emulators beside fireemu's Firestore. Skipped where firebase-tools is not installed."""

import dataclasses
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.suite.harness import ROOT, Lines, copy_of_sample, database_of, eventually, http

from firesuite.errors import SuiteError
from firesuite.google import GoogleEmulators, check_services, find_executable, require_firestore, services_named
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


@needs_firebase_tools
@pytest.mark.parametrize("services", ["auth", "auth,functions"])
def test_the_tests_of_a_project_pass_as_they_do_without(tmp_path, services):
    copy_of_sample(tmp_path)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "tests", f"--firesuite-google={services}"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    # All of them: none is skipped.
    assert re.search(r"= [1-9]\d* passed in ", done.stdout), done.stdout


def test_an_emulator_that_google_does_not_have_is_refused(tmp_path):
    project = Project.load(copy_of_sample(tmp_path / "project"))
    with pytest.raises(SuiteError, match="Google's emulators can serve auth, firestore, functions, not storage"):
        Suite(project, google=frozenset({"storage"})).start()


def test_without_firebase_tools_one_sentence_says_how_to_install_it(tmp_path, monkeypatch):
    monkeypatch.delenv("FIRESUITE_FIREBASE_TOOLS", raising=False)
    with pytest.raises(SuiteError, match="firebase-tools is not installed: run `npm install"):
        find_executable(tmp_path)


class TestAll:
    """`--google all` needs Java 21 and a JAR of 137 MB, which are not on the machines that run these tests: what is
    shown here is what it says without them, and how it would start the emulator with them."""

    @pytest.fixture
    def executable(self, tmp_path, monkeypatch):
        """firebase-tools as it lies on disk, with the one file that says which JAR it wants."""
        package = tmp_path / "firebase-tools"
        executable = package / "lib" / "bin" / "firebase.js"
        information = package / "lib" / "emulator" / "downloadableEmulatorInfo.json"
        for path in (executable, information):
            path.parent.mkdir(parents=True)
        executable.write_text("")
        information.write_text('{"firestore": {"downloadPathRelativeToCacheDir": "cloud-firestore-emulator-v1.jar"}}')
        monkeypatch.setenv("FIRESUITE_FIREBASE_TOOLS", str(executable))
        monkeypatch.setenv("FIREBASE_EMULATORS_PATH", str(tmp_path / "cache"))
        return executable

    @pytest.fixture
    def java(self, tmp_path, monkeypatch):
        """Installs a `java` that says what version it is."""
        binaries = tmp_path / "bin"
        binaries.mkdir()
        monkeypatch.setenv("PATH", str(binaries))

        def install(line):
            (binaries / "java").write_text(f"#!/bin/sh\necho '{line}' >&2\n")
            (binaries / "java").chmod(0o755)

        return install

    def test_without_java(self, executable, java):
        with pytest.raises(SuiteError, match="Java is not installed: Google's Firestore emulator needs version 21"):
            require_firestore(executable)

    @pytest.mark.parametrize(
        ("line", "version"), [('openjdk version "17.0.15" 2025-04-15', "17"), ('java version "1.8.0_401"', "8")]
    )
    def test_with_an_old_java(self, executable, java, line, version):
        java(line)
        with pytest.raises(SuiteError, match=f"Java is {version}: Google's Firestore emulator needs version 21"):
            require_firestore(executable)

    def test_without_the_download(self, executable, java):
        java('openjdk version "21.0.2" 2024-01-16')
        with pytest.raises(SuiteError, match=r"cache/cloud-firestore-emulator-v1.jar is missing: run `.*:firestore`"):
            require_firestore(executable)

    def test_it_is_refused_before_anything_is_started(self, executable, tmp_path, monkeypatch):
        project = Project.load(copy_of_sample(tmp_path / "project"))
        monkeypatch.setattr("firesuite.google._JAVA_MAJOR", 999)
        with pytest.raises(SuiteError, match=r"Java is (not installed|\d+).*: Google's Firestore emulator needs"):
            Suite(project, ports=Ports.free(), google=services_named("all")).start()

    def test_how_it_would_be_started(self, executable, java, tmp_path):
        java('openjdk version "21.0.2" 2024-01-16')
        (tmp_path / "cache").mkdir()
        (tmp_path / "cache" / "cloud-firestore-emulator-v1.jar").write_text("")
        project, ports = Project.load(copy_of_sample(tmp_path / "project")), Ports.free()
        emulators = GoogleEmulators(project, ports, services_named("all"), tmp_path / "google")
        assert emulators.command()[-1] == "auth,firestore,functions"
        written = json.loads((tmp_path / "google" / "firebase.json").read_text())
        assert written["emulators"]["firestore"] == {"host": "127.0.0.1", "port": ports.firestore}
        assert written["firestore"]["rules"] == str(project.directory / "firestore.rules")

    def test_firestore_alone_is_refused(self):
        with pytest.raises(SuiteError, match="Google's Firestore knows only Google's users"):
            check_services(services_named("firestore,functions"))
