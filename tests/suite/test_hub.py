"""The hub, where tools find the suite."""

import json
import subprocess
import tempfile

import pytest
from tests.suite.harness import http

from firesuite.hub import Locator


def test_it_lists_the_python_functions_and_not_the_twins(suite):
    emulators = http("GET", f"http://127.0.0.1:{suite.ports.hub}/emulators").json()
    assert emulators["functions"]["port"] == suite.ports.functions
    assert emulators["functions"]["listen"][0]["port"] == suite.ports.functions
    assert emulators["hub"]["port"] == suite.ports.hub
    assert emulators["firestore"]["port"] == suite.ports.firestore
    assert emulators["auth"]["port"] == suite.ports.auth
    assert "hosting" not in emulators


def test_it_says_where_it_is(suite):
    origin = f"http://127.0.0.1:{suite.ports.hub}"
    assert http("GET", f"{origin}/").json()["origins"] == [origin]


@pytest.fixture
def locator_file(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path / "hub-demo-x.json"


def test_the_locator_names_the_hub_while_the_suite_runs(locator_file):
    locator = Locator("demo-x", 4400)
    locator.write()
    assert json.loads(locator_file.read_text())["origins"] == ["http://127.0.0.1:4400"]
    locator.remove()
    assert not locator_file.exists()


def test_the_locator_of_another_live_suite_is_left_alone(locator_file):
    Locator("demo-x", 4400).write()
    other = Locator("demo-x", 4401)
    other.write()
    other.remove()
    assert json.loads(locator_file.read_text())["origins"] == ["http://127.0.0.1:4400"]


def test_the_locator_of_a_suite_that_was_killed_is_replaced(locator_file):
    with subprocess.Popen(["true"]) as gone:
        pass
    locator_file.write_text(json.dumps({"origins": ["http://127.0.0.1:1"], "pid": gone.pid}))
    Locator("demo-x", 4400).write()
    assert json.loads(locator_file.read_text())["origins"] == ["http://127.0.0.1:4400"]


def test_background_triggers_can_be_switched_off_through_it(suite):
    origin = f"http://127.0.0.1:{suite.ports.hub}/functions"
    assert http("PUT", f"{origin}/disableBackgroundTriggers").json() == {"enabled": False}
    suite.database.document("orders/unseen").set({"n": 1})
    assert http("PUT", f"{origin}/enableBackgroundTriggers").json() == {"enabled": True}
    assert suite.control.await_idle()
    assert not [seen for seen in suite.database.collection("seen").stream() if seen.get("order") == "unseen"]
