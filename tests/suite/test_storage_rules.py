"""Which of Storage's rules are in force, where firebase.json names some, none, or some that are not there."""

import pytest
from tests.suite.harness import http, project_in, running

from firesuite.errors import SuiteError

CLOSED = "service firebase.storage { match /b/{b}/o { match /{p=**} { allow write: if false; } } }\n"


def status_of_an_upload(suite, headers=None):
    bucket = f"{suite.project.project_id}.appspot.com"
    url = f"http://{suite.environment['FIREBASE_STORAGE_EMULATOR_HOST']}/v0/b/{bucket}/o?name=a.txt"
    return http("POST", url, "text", {"Content-Type": "text/plain", **(headers or {})}).status


@pytest.mark.parametrize("storage", [{}, [], [{"bucket": "other", "target": "other"}]])
def test_a_demo_project_without_rules_is_open_and_told_so(tmp_path, storage):
    with running(project_in(tmp_path, "demo-open", {"storage": storage})) as suite:
        assert status_of_an_upload(suite) == 200
        assert "names no storage.rules: Storage is open to everybody." in suite.lines.text("firesuite")


def test_another_project_without_rules_is_closed_to_all_but_the_admin_sdk(tmp_path):
    with running(project_in(tmp_path, "our-real-project", {"storage": {}})) as suite:
        assert status_of_an_upload(suite) == 403
        assert status_of_an_upload(suite, {"Authorization": "Bearer owner"}) == 200
        assert "Storage is closed to all but the Admin SDK." in suite.lines.text("firesuite")


def test_rules_that_are_named_are_in_force(tmp_path):
    (tmp_path / "storage.rules").write_text(CLOSED, encoding="utf-8")
    with running(project_in(tmp_path, "demo-ruled", {"storage": [{"rules": "storage.rules"}]})) as suite:
        assert status_of_an_upload(suite) == 403
        assert "names no storage.rules" not in suite.lines.text("firesuite")


@pytest.mark.parametrize("rules", ["gone.rules", 3, ""])
def test_rules_that_are_not_there_are_one_sentence(tmp_path, rules):
    with (
        pytest.raises(SuiteError, match=r"firebase\.json: storage\.rules names .*, which is not there\."),
        running(project_in(tmp_path, "demo-gone", {"storage": {"rules": rules}})),
    ):
        pass
