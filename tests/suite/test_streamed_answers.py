"""Answers that come bit by bit, where something stands before the functions' process: several codebases, `--cold`."""

import os
import shutil
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit

import pytest
from tests.suite.harness import eventually, http, project_in, running

MAIN = """\
import os
import time

from firebase_functions import https_fn


@https_fn.on_request(timeout_sec=600)
def ticks(request: https_fn.Request) -> https_fn.Response:
    def events():
        try:
            while True:
                yield f"data: {os.getpid()}\\n\\n"
                time.sleep(0.05)
        finally:
            print("ticks ended", flush=True)

    return https_fn.Response(events(), mimetype="text/event-stream")


@https_fn.on_request()
def breaks(request: https_fn.Request) -> https_fn.Response:
    def halves():
        yield "half"
        time.sleep(0.2)
        os._exit(3)

    return https_fn.Response(halves(), mimetype="text/plain")


@https_fn.on_request()
def hello(request: https_fn.Request) -> https_fn.Response:
    return https_fn.Response("hello")
"""
OTHER = "".join(
    line.replace("def ", "def other", 1) if line.startswith("def ") else line for line in MAIN.splitlines(True)
)


@pytest.fixture(scope="module", params=["two codebases", "cold"])
def served(request, tmp_path_factory):
    names = ["functions", "other"] if request.param == "two codebases" else ["functions"]
    codebases = [{"source": name, "codebase": name, "runtime": "python311"} for name in names]
    directory = project_in(tmp_path_factory.mktemp("streams"), "demo-streams", {"functions": codebases}, MAIN)
    if "other" in names:
        shutil.copytree(directory / "functions", directory / "other")
        (directory / "other" / "main.py").write_text(OTHER)
    with running(directory, cold=request.param == "cold") as suite:
        yield suite


def begin(url, method="GET"):
    """The connection, and the answer with its body still to be read."""
    parts = urlsplit(url)
    connection = HTTPConnection(parts.netloc, timeout=30)
    connection.request(method, parts.path)
    return connection, connection.getresponse()


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_an_endless_answer_comes_bit_by_bit_and_ends_with_its_client(served):
    connection, answer = begin(served.function_url("ticks"))
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/event-stream; charset=utf-8")
    lines = [answer.readline() for _ in range(3)]
    assert lines[::2] == [lines[0]] * 2
    answer.close()
    connection.close()
    pid = int(lines[0].split()[1])
    eventually(lambda: "ticks ended" in served.lines.text() or not is_alive(pid))


def test_head_is_answered_with_the_length(served):
    connection, answer = begin(served.function_url("hello"), "HEAD")
    assert (answer.status, answer.headers["Content-Length"], answer.read()) == (200, "5", b"")
    connection.close()
    assert http("GET", served.function_url("hello")).headers["Content-Length"] == "5"


def test_an_answer_that_is_broken_off_does_not_look_whole(served):
    connection, answer = begin(served.function_url("breaks"))
    with pytest.raises((HTTPException, OSError)):
        answer.read()
    connection.close()
    eventually(lambda: http("GET", served.function_url("hello")).text == "hello")
