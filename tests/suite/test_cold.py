"""`--cold`: every request starts a process, which serves its one function and knows which."""

import concurrent.futures
import re

import pytest
from tests.suite.harness import copy_of_sample, eventually, http, running


@pytest.fixture(scope="module")
def cold(tmp_path_factory):
    directory = copy_of_sample(tmp_path_factory.mktemp("cold"))
    main = directory / "functions" / "main.py"
    main.write_text(
        f"{main.read_text()}\nTARGET_AT_IMPORT = os.environ.get('FUNCTION_TARGET')\n".replace(
            '"version": VERSION,', '"version": VERSION, "imported_as": TARGET_AT_IMPORT,'
        )
    )
    with running(directory, cold=True) as suite:
        yield suite


def test_each_request_has_a_process_of_its_own_that_knows_its_function(cold):
    names = ("FUNCTION_TARGET", "FUNCTION_SIGNATURE_TYPE", "K_SERVICE")
    url = cold.function_url("web") + "/a?" + "&".join(f"env={name}" for name in names)
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        answers = [answer.json() for answer in pool.map(lambda _: http("GET", url), range(3))]
    assert len({answer["pid"] for answer in answers}) == 3
    assert {answer["imported_as"] for answer in answers} == {"web"}
    assert answers[0]["environment"] == {
        "FUNCTION_TARGET": "web",
        "FUNCTION_SIGNATURE_TYPE": "http",
        "K_SERVICE": "web",
    }
    eventually(lambda: len(re.findall(r"^web cold start \d+ ms$", cold.lines.text("functions"), re.MULTILINE)) >= 3)


def test_an_event_starts_one_too_and_is_answered(cold):
    cold.database.document("orders/cold").set({"n": 1})
    assert cold.control.await_idle()
    [seen] = cold.database.collection("seen").stream()
    assert seen.get("after") == {"n": 1}
    eventually(lambda: "onorder cold start" in cold.lines.text("functions"))


def test_a_function_that_is_not_there(cold):
    answer = http("GET", cold.function_url("web").replace("/web", "/wbe"))
    assert answer.status == 404
    assert answer.text.startswith("Function australia-southeast1-wbe does not exist, valid functions are: ")


def test_a_stop_in_the_midst_of_cold_starts_leaves_nothing(tmp_path):
    """Each start tells the reaper of its process, and of its end: by then the suite may have stopped."""
    with (
        running(copy_of_sample(tmp_path / "project"), cold=True) as suite,
        concurrent.futures.ThreadPoolExecutor(6) as pool,
    ):
        url = suite.function_url("web") + "/slow?seconds=30"
        calls = [pool.submit(http, "GET", url) for _ in range(6)]
        eventually(lambda: "web cold start" in suite.lines.text("functions"))
        suite.stop()
        for call in calls:
            assert call.exception(30) is not None or call.result().status >= 500
    assert "Traceback" not in suite.lines.text()
