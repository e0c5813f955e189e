"""The hub, where tools find the suite."""

import json
import tempfile
from pathlib import Path

from tests.suite.harness import http


def test_it_lists_the_python_functions_and_not_the_twins(suite):
    emulators = http("GET", f"http://127.0.0.1:{suite.ports.hub}/emulators").json()
    assert emulators["functions"]["port"] == suite.ports.functions
    assert emulators["functions"]["listen"][0]["port"] == suite.ports.functions
    assert emulators["hub"]["port"] == suite.ports.hub
    assert emulators["firestore"]["port"] == suite.ports.firestore
    assert emulators["auth"]["port"] == suite.ports.auth


def test_its_locator_points_to_itself(suite):
    origin = f"http://127.0.0.1:{suite.ports.hub}"
    assert http("GET", f"{origin}/").json()["origins"] == [origin]
    locator = json.loads((Path(tempfile.gettempdir()) / "hub-demo-sample.json").read_text())
    assert http("GET", f"{locator['origins'][0]}/emulators").status == 200


def test_background_triggers_can_be_switched_off_through_it(suite):
    origin = f"http://127.0.0.1:{suite.ports.hub}/functions"
    assert http("PUT", f"{origin}/disableBackgroundTriggers").json() == {"enabled": False}
    suite.database.document("orders/unseen").set({"n": 1})
    assert http("PUT", f"{origin}/enableBackgroundTriggers").json() == {"enabled": True}
    assert suite.control.await_idle()
    assert not [seen for seen in suite.database.collection("seen").stream() if seen.get("order") == "unseen"]
