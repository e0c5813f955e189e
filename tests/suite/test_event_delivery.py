"""The bridge to the functions: how long it waits for an answer."""

import threading
import time

import pytest

from firesuite.bridge import Bridge
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


def test_what_is_debugged_is_waited_for_and_entered_once(slow):
    port, requests = slow
    assert deliver(port, "onorder", debugged=True).status == 200
    assert len(requests) == 1


@pytest.mark.parametrize("name", ["onorder", "onsign"])
def test_what_does_not_answer_in_time_is_504_with_the_seconds_that_were_waited(slow, name):
    answer = deliver(slow[0], name)
    assert (answer.status, answer.body.decode()) == (504, f"{name} did not answer within its 1 s.")
