"""firebase_admin as Google's documentation shows it, on a machine where nobody is logged in to Google."""

import json
import os
import stat
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from tests.suite.harness import http, project_in, running

FIRESUITE = [sys.executable, "-m", "firesuite.cli"]
ADMIN = """
import datetime as dt
import json

import firebase_admin
from firebase_admin import auth, firestore, storage

app = firebase_admin.initialize_app()
database = firestore.client()


def used():
    from firebase_admin import messaging

    auth.create_custom_token("alice")
    database.document("used/firestore").set({"by": "admin"})
    blob = storage.bucket().blob("a folder/a file.txt")
    blob.upload_from_string("what is in it")
    return {
        "message": messaging.send(messaging.Message(fid="phone", notification=messaging.Notification("Hello"))),
        "bucket": blob.bucket.name,
        "url": blob.generate_signed_url(dt.timedelta(minutes=5), version="v4"),
        "account": app.credential.get_credential().service_account_email,
    }
"""
MAIN = f"""{ADMIN}
from firebase_functions import https_fn


@https_fn.on_request()
def admin(request: https_fn.Request) -> https_fn.Response:
    return used()
"""
NOBODY = {"GOOGLE_APPLICATION_CREDENTIALS", "CLOUDSDK_CONFIG"}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project whose main.py makes its clients while it is imported, in a home without gcloud's settings."""
    firebase_json = {"functions": {"runtime": "python311"}, "storage": {}}
    directory = project_in(tmp_path_factory.mktemp("admin"), "demo-admin", firebase_json, MAIN)
    with pytest.MonkeyPatch.context() as patch:
        for name in NOBODY:
            patch.delenv(name, raising=False)
        patch.setenv("HOME", str(directory))
        yield directory


@pytest.fixture(scope="module")
def suite(project):
    with running(project) as started:
        yield started


def check(used, text_of):
    assert used["message"].startswith("projects/demo-admin/messages/")
    assert used["bucket"] == "demo-admin.appspot.com"
    assert used["account"] == "firesuite@demo-admin.iam.gserviceaccount.com"
    assert text_of(used["url"]) == "what is in it"


def test_functions_use_all_of_firebase_admin(suite):
    answer = http("GET", suite.function_url("admin"))
    assert answer.status == 200, suite.lines.text()
    check(answer.json(), lambda url: http("GET", url).text)
    assert suite.database.document("used/firestore").get().to_dict() == {"by": "admin"}
    sink = f"http://{suite.environment['FCM_EMULATOR_HOST']}/v1/projects/demo-admin"
    assert [sent["message"]["fid"] for sent in http("GET", f"{sink}/messages").json()["messages"]] == ["phone"]


def test_the_account_is_the_runs_own_and_nobody_elses(suite):
    file = Path(suite.environment["GOOGLE_APPLICATION_CREDENTIALS"])
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    token_url = json.loads(file.read_text(encoding="utf-8"))["token_uri"]
    assert token_url.startswith(f"http://{suite.environment['FIREBASE_EMULATOR_HUB']}/")
    with urllib.request.urlopen(token_url, b"") as answer:
        assert json.load(answer)["access_token"] == "owner"


def test_the_account_of_another_suite_is_nobodys_own(project, monkeypatch):
    """As the README has it, a program takes the suite's environment for its own; its next suite is another one."""
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/tmp/firesuite-gone/firesuite-credentials.json")
    with running(project) as started:
        assert http("GET", started.function_url("admin")).status == 200


def test_what_exec_runs_uses_all_of_firebase_admin_and_the_account_is_gone_afterwards(project):
    (project / "client.py").write_text(
        f"{ADMIN}\nimport os, urllib.request\nanswer = used()\n"
        "text = urllib.request.urlopen(answer['url']).read().decode()\n"
        "print(json.dumps({**answer, 'text': text, 'file': os.environ['GOOGLE_APPLICATION_CREDENTIALS']}))\n",
        encoding="utf-8",
    )
    done = subprocess.run(
        [*FIRESUITE, "exec", "--ports", "free", "--", sys.executable, "client.py"],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    used = json.loads(done.stdout)
    check(used, lambda _url: used["text"])
    assert not Path(used["file"]).exists()


def test_a_sitecustomize_of_the_users_own_still_runs(project):
    (project / "own").mkdir()
    (project / "own" / "sitecustomize.py").write_text("import sys\nsys.own_ran = True\n", encoding="utf-8")
    done = subprocess.run(
        [*FIRESUITE, "exec", "--ports", "free", "--", sys.executable, "-c", "import sys; print(sys.own_ran)"],
        cwd=project,
        env={**os.environ, "PYTHONPATH": str(project / "own")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "True\n", done.stderr


def test_who_has_an_account_of_his_own_keeps_it(project, monkeypatch):
    own = str(project / "own.json")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", own)
    (project / "functions" / "main.py").write_text(
        MAIN.replace("return used()", "import os; return os.environ['GOOGLE_APPLICATION_CREDENTIALS']").replace(
            "database = firestore.client()", ""
        ),
        encoding="utf-8",
    )
    with running(project) as started:
        assert "GOOGLE_APPLICATION_CREDENTIALS" not in started.environment
        assert http("GET", started.function_url("admin")).text == own
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS")
    (project / "functions" / ".env").write_text(f"GOOGLE_APPLICATION_CREDENTIALS={own}\n", encoding="utf-8")
    with running(project) as started:
        assert http("GET", started.function_url("admin")).text == own
