"""The running backend as tests see it: HTTP to the functions, gRPC to Firestore, REST to Auth and the FCM sink."""

import json
import os
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

import httpx
from tests.described import ApiClient

from firesuite.suite import Suite
from wattle.adapters.firestore import Create, Firestore
from wattle.adapters.firestore.client import open_channel
from wattle.kit.retry import Deadline

PATIENCE = float(os.environ.get("TEST_PATIENCE", "60"))
"""Seconds that a test waits for something that must happen; only a failing test waits that long."""


def eventually(what: Callable[[], object]) -> object:
    """The first true value of `what()`; fails when there is none in time."""
    deadline = time.monotonic() + PATIENCE
    while True:
        value = what()
        if value:
            return value
        assert time.monotonic() < deadline, "this did not happen in time"
        time.sleep(0.02)


@dataclass(frozen=True)
class User:
    """A signed-in user and his client: `user.get("/v1/users/me")`."""

    uid: str
    email: str
    token: str
    http: httpx.Client = field(repr=False)

    @property
    def headers(self):
        return {"Authorization": f"Bearer {self.token}"}

    def request(self, method, path, *, headers=None, **options):
        return self.http.request(method, path, headers={**self.headers, **(headers or {})}, **options)

    def get(self, path, **options):
        return self.request("GET", path, **options)

    def post(self, path, body=None, **options):
        return self.request("POST", path, json={} if body is None else body, **options)

    def put(self, path, body, **options):
        return self.request("PUT", path, json=body, **options)

    def patch(self, path, body, **options):
        return self.request("PATCH", path, json=body, **options)

    def delete(self, path, **options):
        return self.request("DELETE", path, **options)


class Backend:
    """One suite, and shortcuts to its services."""

    def __init__(self, suite: Suite) -> None:
        self.suite = suite
        self.project_id = suite.project.project_id
        self.api = suite.function_url("api")
        self.http = ApiClient(base_url=self.api, timeout=60)
        self._rest = httpx.Client(timeout=60, headers={"Authorization": "Bearer owner"})
        channel, credentials = open_channel(f"127.0.0.1:{suite.ports.firestore}")
        self._channel = channel
        self.firestore = Firestore(self.project_id, channel, credentials)

    def close(self) -> None:
        self.http.close()
        self._rest.close()
        self._channel.close()

    @property
    def identity(self) -> str:
        return f"http://127.0.0.1:{self.suite.ports.auth}/identitytoolkit.googleapis.com/v1"

    def user(self, role: str | None = None, **account) -> User:
        """A new user, signed in."""
        email = account.pop("email", f"{uuid.uuid4().hex}@example.com")
        body = {"email": email, "password": "correct horse", "returnSecureToken": True, **account}
        signed = self._post("/accounts:signUp?key=k", body)
        if role:
            attributes = json.dumps({"role": role})
            self.account(signed["localId"], customAttributes=attributes)
            signed = self._post("/accounts:signInWithPassword?key=k", body)
        return User(signed["localId"], email, signed["idToken"], self.http)

    def account(self, uid: str, **changes) -> None:
        """Change an account as an administrator of the project."""
        self._post(f"/projects/{self.project_id}/accounts:update", {"localId": uid, **changes})

    def product(self, **data) -> str:
        """A new product for sale, by its id."""
        product_id = f"p{uuid.uuid4().hex[:12]}"
        stored = {
            "name": "Flat white",
            "description": "Milk, espresso.",
            "unitPrice": 500,
            "currency": "AUD",
            "active": True,
            "stock": None,
            "updatedAt": datetime.now(UTC),
            "version": 1,
        }
        self.firestore.commit([Create(f"products/{product_id}", stored | data)], Deadline.after(60))
        return product_id

    def document(self, path: str):
        """The fields of a document, None where there is none."""
        found = self.firestore.get(path, Deadline.after(60))
        return found and found.data

    def pushes(self, uid_or_target: str) -> list[dict]:
        """The messages that the FCM sink accepted for a target."""
        url = f"http://127.0.0.1:{self.suite.ports.fcm}/v1/projects/{self.project_id}/messages"
        messages = [entry["message"] for entry in self._rest.get(url).json()["messages"]]
        return [m for m in messages if uid_or_target in (m.get("fid"), m.get("token"))]

    def script_target(self, target: str, error: str | None) -> None:
        """Have FCM refuse messages to a target."""
        url = f"http://127.0.0.1:{self.suite.ports.fcm}/v1/projects/{self.project_id}/targets/{target}"
        self._rest.put(url, json={"error": error}).raise_for_status()

    def _post(self, path: str, body: dict) -> dict:
        response = self._rest.post(self.identity + path, json=body)
        response.raise_for_status()
        return response.json()
