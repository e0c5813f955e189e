"""What becomes of requests while the services cannot be made, and of the first one after."""

import firebase_admin
import google.auth
import httpx
import pytest
from firebase_functions import https_fn
from flask import Flask, request
from google.auth.credentials import AnonymousCredentials
from google.auth.exceptions import DefaultCredentialsError

from wattle import callables
from wattle.api import create_api
from wattle.kit.clock import utc_now
from wattle.services import Process

SETTINGS = {
    "GCLOUD_PROJECT": "demo-wattle",
    "WEB_API_KEY": "k",
    "SIGNING_SECRET": "the tests' own, 32 characters at least",
}


@pytest.fixture
def process(monkeypatch):
    """One as Cloud Run starts it, where Google says who we are."""
    monkeypatch.setattr("wattle.kit.logging.configure", lambda _level: None)
    monkeypatch.setattr(google.auth, "default", lambda **_: (AnonymousCredentials(), "demo-wattle"))
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)
    yield Process(utc_now)
    for app in list(firebase_admin._apps.values()):
        firebase_admin.delete_app(app)


@pytest.fixture
def http(process):
    with httpx.Client(transport=httpx.WSGITransport(create_api(process.services)), base_url="http://api") as client:
        yield client


@pytest.fixture
def outage(monkeypatch):
    """The metadata server does not answer, once it has `answered` so many times."""

    def begin(answered):
        left, default = [answered], google.auth.default

        def failing(**arguments):
            left[0] -= 1
            if left[0] < 0:
                raise DefaultCredentialsError("no metadata server")
            return default(**arguments)

        monkeypatch.setattr(google.auth, "default", failing)
        return lambda: monkeypatch.setattr(google.auth, "default", default)

    return begin


def live(http):
    return http.get("/health", headers={"X-Request-Id": "request-1"})


def refusal(response):
    body = response.json()
    assert body["success"] is False
    assert response.headers["X-Request-Id"] == body["requestId"] == "request-1"
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    return response.status_code, body["code"], response.headers.get("Retry-After")


@pytest.mark.parametrize("answered", [0, 1, 2])
def test_without_the_metadata_server_the_next_request_connects(http, outage, caplog, answered):
    """Firestore, Identity Toolkit and FCM each ask it for credentials."""
    end = outage(answered)
    assert refusal(live(http)) == (503, "UNAVAILABLE", "2")
    assert [record.message for record in caplog.records] == ["a dependency failed"]
    end()
    assert live(http).status_code == 200


def test_a_callable_is_told_in_its_protocol(process, outage, caplog):
    handler = callables.exported(process.services, https_fn.on_call(), "createOrder")
    app = Flask("callables")
    app.add_url_rule("/", "call", lambda: handler(request), methods=["POST"])
    end = outage(1)
    answer = app.test_client().post("/", json={"data": {}})
    assert (answer.status_code, answer.json["error"]["status"]) == (503, "UNAVAILABLE")
    assert [record.message for record in caplog.records] == ["a dependency failed"]
    end()
    answer = app.test_client().post("/", json={"data": {}})
    assert answer.json["error"]["details"]["code"] == "TOKEN_MISSING"


def test_wrong_settings_are_our_fault_until_they_are_mended(http, monkeypatch):
    with monkeypatch.context() as mistake:
        mistake.delenv("SIGNING_SECRET")
        assert refusal(live(http)) == (500, "INTERNAL", None)
    assert live(http).status_code == 200
