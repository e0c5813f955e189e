"""HTTP and callable functions, reached directly."""

import concurrent.futures
import itertools
import json
import re
import time

from tests.suite.harness import eventually, http


def test_the_function_sees_the_path_below_its_url_as_in_production(suite):
    answer = http("GET", suite.function_url("web") + "/a/b%20c?x=1&y=2").json()
    assert answer["path"] == "/a/b c"
    assert answer["root"] == ""
    assert answer["query"] == {"x": "1", "y": "2"}


def test_the_bare_url_is_the_root(suite):
    assert http("GET", suite.function_url("web")).json()["path"] == "/"


def test_every_method_arrives(suite):
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
        assert http(method, suite.function_url("web") + "/").json()["method"] == method


def test_all_functions_live_in_one_process(suite):
    calls = [http("GET", suite.function_url("web")).json()["pid"] for _ in range(5)]
    assert len(set(calls)) == 1


def test_the_environment_names_the_services_and_the_settings(suite):
    names = [
        "GREETING",
        "FUNCTIONS_EMULATOR",
        "GCLOUD_PROJECT",
        "TZ",
        "K_SERVICE",
        "FUNCTION_TARGET",
        "FUNCTION_SIGNATURE_TYPE",
        *suite.environment,
    ]
    query = "&".join(f"env={name}" for name in names)
    seen = http("GET", f"{suite.function_url('web')}?{query}").json()["environment"]
    assert seen["GREETING"] == "good day"
    assert seen["FUNCTIONS_EMULATOR"] == "true"
    assert seen["TZ"] == "UTC"
    assert {name: seen[name] for name in suite.environment} == dict(suite.environment)
    assert json.loads(seen["FIREBASE_CONFIG"]) == {
        "projectId": "demo-sample",
        "storageBucket": "demo-sample.appspot.com",
        "databaseURL": "https://demo-sample.firebaseio.com",
    }
    # One process is all functions: these are the function's whose request it is.
    assert (seen["K_SERVICE"], seen["FUNCTION_TARGET"], seen["FUNCTION_SIGNATURE_TYPE"]) == ("web", "web", "http")


def test_a_callable_answers(suite):
    answer = http("POST", suite.function_url("add"), {"data": {"a": 20, "b": 22}})
    assert answer.json() == {"result": {"sum": 42, "uid": None}}


def test_a_callables_error_keeps_its_code(suite):
    answer = http("POST", suite.function_url("add"), {"data": {"b": 22}})
    assert answer.status == 400
    assert answer.json()["error"] == {"status": "INVALID_ARGUMENT", "message": "a is missing"}


def test_a_callable_knows_who_calls(suite):
    sign_up = (
        f"http://{suite.environment['FIREBASE_AUTH_EMULATOR_HOST']}/identitytoolkit.googleapis.com/v1/accounts:signUp"
    )
    user = http("POST", f"{sign_up}?key=any", {"returnSecureToken": True}).json()
    answer = http(
        "POST",
        suite.function_url("add"),
        {"data": {"a": 1, "b": 1}},
        {"Authorization": f"Bearer {user['idToken']}"},
    )
    assert answer.json()["result"]["uid"] == user["localId"]


def test_an_unknown_function_is_answered_as_googles_emulator_does(suite):
    answer = http("GET", suite.function_url("web").replace("/web", "/wbe"))
    assert answer.status == 404
    assert answer.text.startswith(
        "Function australia-southeast1-wbe does not exist, valid functions are: australia-southeast1-add, "
    )


def test_another_region_or_project_is_not_found(suite):
    url = suite.function_url("web")
    assert http("GET", url.replace("australia-southeast1", "us-central1")).status == 404
    assert http("GET", url.replace("demo-sample", "demo-other")).status == 404
    assert http("GET", url.partition("/demo-sample")[0] + "/").status == 404


def test_an_exception_is_a_500_and_its_traceback_is_shown(suite):
    assert http("GET", suite.function_url("web") + "/crash").status == 500
    eventually(lambda: 'raise ValueError("asked to")' in suite.lines.text("functions"))


def test_each_invocation_is_one_line_with_status_and_duration(suite):
    http("GET", suite.function_url("web") + "/line")
    eventually(lambda: re.search(r"^web GET /line 200 \d+ ms$", suite.lines.text("functions"), re.MULTILINE))


def test_requests_run_beside_each_other_up_to_the_functions_concurrency(suite):
    """20 requests of 0.3 s with a concurrency of 20 take little more than one; one after the other they take 6 s."""
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        url = suite.function_url("web") + "/slow?seconds=0.3&at=1"
        answers = list(pool.map(lambda _: http("GET", url).json(), range(20)))
    spans = [(answer["started"], answer["ended"]) for answer in answers]
    assert max(started for started, _ in spans) < min(ended for _, ended in spans)


def test_a_concurrency_of_one_means_one_at_a_time(suite):
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: http("GET", suite.function_url("alone")).json(), range(4)))
    spans = sorted((answer["started"], answer["ended"]) for answer in answers)
    for (_, ended), (started, _) in itertools.pairwise(spans):
        assert started >= ended


def test_an_error_is_shown_with_the_request_that_caused_it(suite):
    http("POST", suite.function_url("web") + "/crash?n=1", {"colour": "teal"})
    text = eventually(
        lambda: re.search(
            r"^web POST /crash 500 \d+ ms\n(?:  .*\n)*?  ValueError: asked to$",
            suite.lines.text("functions"),
            re.MULTILINE,
        )
    )[0]
    assert "  request: POST /crash?n=1\n    content_type: application/json\n" in text
    assert '    body: {"colour": "teal"}\n' in text
    assert "flask/app.py" not in text


def test_a_function_that_takes_longer_than_its_timeout_is_504_for_the_caller(suite):
    """As Cloud Run answers; `hasty` has a second."""
    started = time.monotonic()
    answer = http("GET", suite.function_url("hasty") + "?seconds=25")
    assert (answer.status, answer.text) == (504, "upstream request timeout")
    assert time.monotonic() - started < 25
    eventually(lambda: "did not answer within its 1 s" in suite.lines.text("functions"))
    assert http("GET", suite.function_url("hasty") + "?seconds=0").text == "done"


def test_a_function_of_one_request_at_a_time_that_calls_itself_gets_504_and_the_reason(suite):
    answer = http("GET", suite.function_url("selfish"))
    assert answer.status == 504
    eventually(
        lambda: (
            "production would start another instance, here is one" in suite.lines.text("functions")
            or "selfish GET / 504 did not answer" in suite.lines.text("functions")
        )
    )
    assert http("GET", suite.function_url("web")).status == 200


def test_a_request_is_as_large_as_cloud_run_takes_it(suite):
    limit = 32 * 1024 * 1024
    assert http("POST", suite.function_url("web"), "x" * limit).json()["method"] == "POST"
    answer = http("POST", suite.function_url("web"), "x" * (limit + 1))
    assert (answer.status, answer.text) == (413, "Request Entity Too Large")
    assert http("POST", suite.function_url("add"), "x" * (limit + 1)).status == 413
    eventually(lambda: "web POST / 413 of 33,554,433 bytes" in suite.lines.text("functions"))
