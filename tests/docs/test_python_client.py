"""The client of docs/clients/python.md against what stands before the API: Cloud Run refuses in plain text."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from tests.docs.blocks import blocks_of
from tests.scripted import Answer, ScriptedServer

# What Cloud Run says when no instance is free, and what Google's front end says when none could be started.
BUSY = Answer(429, b"Rate exceeded.", {"Content-Type": "text/plain", "Retry-After": "7"})
DOWN = Answer(503, b"Service Unavailable", {"Content-Type": "text/plain"})
SESSION = Answer(200, {"success": True, "data": {"idToken": "token", "refreshToken": "refresh"}})
ORDER = Answer(201, {"success": True, "data": {"id": "order"}})
REFUSED = Answer(409, {"success": False, "code": "OUT_OF_STOCK", "message": "None left.", "requestId": "r1"})
BODY = {"items": [{"productId": "flat-white", "quantity": 2}]}


@pytest.fixture
def server():
    running = ScriptedServer()
    yield running
    running.close()


@pytest.fixture
def guide():
    """What the page's first block defines. Its pauses are over at once, and kept in `slept`."""
    (code,) = [block for block in blocks_of(Path("docs/clients/python.md")) if "class Wattle:" in block.text]
    defined = {}
    exec(code.text, defined)
    slept = []
    defined["time"] = SimpleNamespace(sleep=slept.append)
    return SimpleNamespace(Wattle=defined["Wattle"], WattleError=defined["WattleError"], slept=slept)


@pytest.fixture
def api(guide, server):
    """A client that is signed in; the server has forgotten how."""
    server.answer = SESSION
    signed_in = guide.Wattle(f"http://{server.host}", "alice@example.com", "wattle-demo")
    server.requests.clear()
    server.keys.clear()
    return signed_in


def test_what_cloud_run_refuses_is_sent_again_with_the_same_key(guide, server, api):
    server.first, server.answer = [BUSY, DOWN], ORDER
    assert api.call("POST", "/v1/orders", key="tap", json=BODY)["data"] == {"id": "order"}
    assert server.keys == ["tap"] * 3
    assert len({body for _, body in server.requests}) == 1
    asked, random = guide.slept
    assert asked == 7
    assert 0 <= random <= 1


@pytest.mark.parametrize("answer", [BUSY, DOWN, Answer(503), Answer(503, [])], ids=["text", "down", "empty", "list"])
def test_after_the_last_attempt_the_error_has_the_status(guide, server, api, answer):
    server.answer = answer
    with pytest.raises(guide.WattleError, match=str(answer.status)) as refused:
        api.call("GET", "/v1/orders")
    assert (refused.value.status, refused.value.code) == (answer.status, None)
    assert len(server.requests) == 4


def test_without_a_key_an_order_is_sent_once(guide, server, api):
    server.answer = BUSY
    with pytest.raises(guide.WattleError, match="Rate exceeded"):
        api.call("POST", "/v1/orders", json=BODY)
    assert len(server.requests) == 1


def test_a_refusal_of_the_api_has_its_code(guide, server, api):
    server.answer = REFUSED
    with pytest.raises(guide.WattleError, match=r"OUT_OF_STOCK: None left\. \(request r1\)") as refused:
        api.call("POST", "/v1/orders", key="tap", json=BODY)
    assert (refused.value.status, refused.value.code) == (409, "OUT_OF_STOCK")
    assert len(server.requests) == 1
