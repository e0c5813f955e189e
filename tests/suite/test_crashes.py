"""A function that ends its process takes nobody with it but who waits for it, who is answered as in production."""

import pytest
from tests.suite.harness import eventually, http, project_in, running

PYTHON = {"functions": {"runtime": "python311"}}
MAIN = """
import ctypes
import os
import signal
import time

import firebase_admin
from firebase_admin import firestore
from firebase_functions import firestore_fn, https_fn, options, scheduler_fn

firebase_admin.initialize_app()


def die(how):
    if how == "segfault":
        ctypes.string_at(0)
    if how == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    os._exit(int(how))


@https_fn.on_request()
def web(request: https_fn.Request) -> https_fn.Response:
    if how := request.args.get("die"):
        die(how)
    if request.args.get("wait"):
        print("waiting", flush=True)
        time.sleep(30)
    return {"pid": os.getpid()}


@https_fn.on_call()
def called(request: https_fn.CallableRequest):
    die(request.data)


def counted(event):
    attempts = firestore.client().document(f"attempts/{event.params['id']}")
    attempts.set({"ids": firestore.ArrayUnion([event.id]), "count": firestore.Increment(1)}, merge=True)
    if attempts.get().get("count") < 3:
        die("3")


@firestore_fn.on_document_created(document="once/{id}")
def once(event: firestore_fn.Event) -> None:
    counted(event)


@firestore_fn.on_document_created(document="again/{id}")
def again(event: firestore_fn.Event) -> None:
    counted(event)


again.__firebase_endpoint__.eventTrigger["retry"] = True


@scheduler_fn.on_schedule(schedule="every day 00:00")
def nightly(event: scheduler_fn.ScheduledEvent) -> None:
    die("4")
"""


@pytest.fixture(scope="module")
def suite(tmp_path_factory):
    directory = project_in(tmp_path_factory.mktemp("crashes"), "demo-crashes", PYTHON, MAIN)
    with running(directory) as started:
        yield started


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("0", ""),
        ("1", "exited with code 1"),
        ("3", "exited with code 3"),
        ("4", "exited with code 4"),
        ("segfault", "was sent SIGSEGV!"),
        ("killed", "was sent SIGKILL!"),
    ],
)
def test_a_request_gets_503_the_log_the_status_and_the_next_request_another_process(suite, how, said):
    url = suite.function_url("web")
    before = http("GET", url).json()["pid"]
    del suite.lines[:]
    answer = http("POST", f"{url}?die={how}", {"with": "a body that nobody reads"})
    assert answer.status == 503
    assert "connection to the instance had an error" in answer.text
    assert eventually(lambda: http("GET", url)).json()["pid"] != before
    eventually(lambda: "web POST / 503 the process died before it answered" in suite.lines.text("functions"))
    eventually(lambda: said in suite.lines.text("functions"))
    suite.check()


def test_a_callable_gets_503_too(suite):
    assert http("POST", suite.function_url("called"), {"data": "3"}).status == 503


def test_who_else_waited_for_the_process_is_answered(suite):
    from concurrent.futures import ThreadPoolExecutor

    url = suite.function_url("web")
    del suite.lines[:]
    with ThreadPoolExecutor(3) as pool:
        waiting = [pool.submit(http, "GET", f"{url}?wait=1") for _ in range(2)]
        eventually(lambda: suite.lines.text("functions").count("waiting") == 2)
        assert http("GET", f"{url}?die=3").status == 503
        assert [future.result().status for future in waiting] == [503, 503]


def test_an_event_without_retry_is_lost_and_one_with_retry_comes_again_after_its_wait(suite):
    suite.database.document("once/a").create({})
    suite.database.document("again/b").create({})

    def count(name):
        return suite.database.document(f"attempts/{name}").get().to_dict()["count"]

    eventually(lambda: suite.control.functions().retry_waiting == 1)
    for _ in range(3):
        suite.control.advance_clock(60)
        suite.control.await_settled(60)
    assert count("a") == 1
    assert count("b") == 3
    assert len(suite.database.document("attempts/b").get().get("ids")) == 1, "the same event each time"


def test_a_schedule_that_ends_its_process_is_told(suite):
    suite.control.run_function("nightly")
    eventually(lambda: "nightly event 503 the process died" in suite.lines.text("functions"))
    assert http("GET", suite.function_url("web")).json()["pid"]
