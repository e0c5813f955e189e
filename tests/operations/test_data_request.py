"""A person who cannot sign in any more wants his data, then to be forgotten: staff do it with a custom token."""

import json

import httpx
import pytest
from tests.api.orders import code, placed
from tests.backend import User, eventually

from wattle.adapters.firestore import Update
from wattle.kit.clock import utc_now
from wattle.kit.retry import Deadline
from wattle.privacy.erasure import pseudonym


@pytest.fixture
def for_him(backend, user):
    """Signed in by staff, as docs/operations/data-request.md does it. The emulator takes a custom token as JSON."""
    assert user.get("/v1/users/me").status_code == 200
    body = {"token": json.dumps({"uid": user.uid}), "returnSecureToken": True}
    signed = httpx.post(f"{backend.identity}/accounts:signInWithCustomToken?key=k", json=body).json()
    return User(user.uid, user.email, signed["idToken"], backend.http)


def test_he_is_found_by_his_address(admin, for_him):
    (found,) = admin.get("/v1/admin/users", params={"email": for_him.email}).json()["data"]
    assert found["id"] == for_him.uid
    assert admin.get("/v1/admin/users", params={"email": "nobody@example.com"}).json()["data"] == []


def test_a_copy_then_gone_today(backend, admin, for_him):
    order = placed(for_him, (backend.product(), 1))
    copy = for_him.get("/v1/users/me/export").json()["data"]
    assert [row["path"] for row in copy["orders"]] == [f"orders/{order['id']}"]
    assert copy["nextCursor"] is None
    assert for_him.delete("/v1/users/me").status_code == 200
    assert code(for_him.get("/v1/users/me")) == (403, "ACCOUNT_DELETED")
    backend.firestore.commit([Update(f"users/{for_him.uid}", {"purgeAt": utc_now()})], Deadline.after(60))
    backend.suite.control.run_function("purgeDaily")
    proof = eventually(lambda: backend.document(f"purges/{pseudonym(for_him.uid)}"))
    assert proof["counts"]["orders"] == 1
    assert admin.get("/v1/admin/users", params={"email": for_him.email}).json()["data"] == []
