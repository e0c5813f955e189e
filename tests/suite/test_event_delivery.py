"""The bridge to the functions: how long it waits for an answer."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.suite.harness import eventually, project_in, running

from firesuite.bridge import Bridge
from firesuite.errors import SuiteError
from firesuite.events import TriggerRequest
from firesuite.manifest import Manifest
from firesuite.server import Server

MANIFEST = """\
endpoints:
  onsign:
    entryPoint: onsign
    blockingTrigger: {eventType: providers/cloud.auth/eventTypes/user.beforeSignIn}
    timeoutSeconds: 1
  onorder:
    entryPoint: onorder
    eventTrigger: {eventType: google.cloud.firestore.document.v1.created}
    timeoutSeconds: 1
"""


@pytest.fixture
def slow():
    """A port whose answers take 1.5 s, and how many requests it got."""
    requests = []
    over = threading.Event()

    def app(environ, start_response):
        requests.append(time.monotonic())
        over.wait(1.5)
        start_response("200 OK", [("Content-Length", "0")])
        return []

    server = Server(app, service="a test")
    server.start()
    yield server.port, requests
    over.set()
    server.stop()


def deliver(port, name, **options):
    manifest = Manifest.parse(MANIFEST, "functions.yaml")
    bridge = Bridge("demo-test", manifest, port, **options)
    return bridge.deliver(manifest.endpoint(name), TriggerRequest({}, b""))


@pytest.mark.parametrize("firebase_tools", [False, True])
def test_what_is_debugged_is_waited_for_and_entered_once(slow, firebase_tools):
    port, requests = slow
    assert deliver(port, "onorder", debugged=True, firebase_tools=firebase_tools).status == 200
    assert len(requests) == 1


@pytest.mark.parametrize("name", ["onorder", "onsign"])
def test_what_does_not_answer_googles_emulator_in_time_is_504_with_the_seconds_that_were_waited(slow, name):
    answer = deliver(slow[0], name, firebase_tools=True)
    assert (answer.status, answer.body.decode()) == (504, f"{name} did not answer within its 1 s.")


MAIN = """\
import time

from firebase_functions import pubsub_fn


@pubsub_fn.on_message_published(topic="work", concurrency=1, timeout_sec=1)
def onwork(event: pubsub_fn.CloudEvent) -> None:
    time.sleep(float(event.data.message.json))
    print("worked", flush=True)
"""


def test_the_time_of_an_event_begins_when_it_has_a_place(tmp_path):
    document = {"functions": [{"source": "functions", "runtime": "python311"}]}
    with running(project_in(tmp_path, "demo-waiting", document, MAIN)) as suite, ThreadPoolExecutor(6) as pool:
        for sent in [pool.submit(suite.send_event, "onwork", 0.4) for _ in range(6)]:
            sent.result()
        eventually(lambda: suite.lines.text("functions").splitlines().count("worked") == 6)
        with pytest.raises(SuiteError, match="504"):
            suite.send_event("onwork", 2.5)
