"""docs/privacy.md against what the code writes, and against what is left of somebody who was purged."""

import re
import uuid
from datetime import UTC, datetime

from tests.api.orders import lines
from tests.backend import eventually
from tests.conftest import ROOT
from tools.migrations import load
from tools.verify_restore import GROUPS

from wattle.adapters.firestore import Query, Update
from wattle.kit.retry import Deadline
from wattle.privacy.erasure import pseudonym
from wattle.privacy.repository import BELOW_USER, COUNTERS

TEXT = (ROOT / "docs" / "privacy.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| `([A-Za-z/{}]+)` \| (.+?) \| .+? \| .+? \| (.+?) \|$", TEXT, re.MULTILINE)
FIELDS = {path.rpartition("/")[2].strip("{}"): re.sub(r"\*", "", fields).split(", ") for path, fields, _ in ROWS}
FIELDS["users"] = FIELDS.pop("uid")
ERASED = {
    ("users" if "{uid}" in path and path.endswith("}") else path.rpartition("/")[2]): how for path, _, how in ROWS
}
# Written by what a working day does not hold: `tools migrate` and the purge itself.
RARELY = {"consents", "purges", "migrations"}


def test_every_field_that_is_written_is_in_the_inventory(written):
    missing = {(group, field) for group, field, _ in written if field not in FIELDS.get(group, ())}
    assert missing == set(), "say in docs/privacy.md what it is for, and when it goes"


def test_every_collection_of_the_inventory_is_written(written):
    assert FIELDS.keys() - {group for group, _, _ in written} == RARELY
    assert load(), "migrations keep a ledger"


def test_it_says_of_each_what_the_purge_does():
    removed = {name for name, how in ERASED.items() if "purge: removed" in how}
    assert removed == {*BELOW_USER, COUNTERS, "users", "deferrals", "installations"}
    assert {name for name, how in ERASED.items() if "purge: made" in how} == {"orders", "events", "auditLog"}


def test_what_has_a_ttl_policy_says_so(written):
    expiring = {group for group, field, _ in written if field == "expiresAt"}
    assert {name for name, how in ERASED.items() if "TTL" in how} == expiring


def test_a_restored_database_is_verified_in_all_of_them():
    assert set(GROUPS) == FIELDS.keys()


def everything(backend):
    """Every document of every collection of the inventory."""
    for group in FIELDS:
        yield from backend.firestore.query(Query(group, everywhere=True), Deadline.after(60))


def test_nothing_of_a_person_is_left(backend, people, admin):
    """Somebody who used all there is, with values of his own; then the whole database is searched for them."""
    mark = uuid.uuid4().hex
    user = backend.user(email=f"{mark}@example.com", displayName=f"Zoe {mark}")
    profile = {"displayName": f"Zoe {mark}", "photoUrl": f"https://example.com/{mark}", "phoneNumber": "+61491570006"}
    assert user.patch("/v1/users/me", profile).status_code == 200
    consent = {"promotions": True, "consentSource": "sign-up"}
    assert user.patch("/v1/users/me/notification-preferences", consent).status_code == 200
    device = {"fid": f"f{mark[:21]}", "platform": "ios", "appVersion": "1.0.0", "locale": "en-AU"}
    assert user.put("/v1/users/me/devices/phone", device).status_code == 200
    assert user.put("/v1/users/me/topics/news", None).status_code == 200
    address = {"name": mark, "line1": mark, "city": "Sydney", "postalCode": "2000", "country": "AU"}
    order = {"items": lines((backend.product(), 1)), "note": mark, "shippingAddress": address}
    order_id = user.post("/v1/orders", order).json()["data"]["id"]
    status = {"status": "confirmed", "reason": mark}
    assert admin.post(f"/v1/admin/orders/{order_id}/status", status).status_code == 200
    eventually(lambda: backend.document(f"users/{user.uid}/notifications/{order_id}-2"))
    texts = {"en": {"title": "Hello", "body": "There is cake."}}
    news = {"audience": {"users": [user.uid]}, "kind": "account", "texts": texts}
    broadcast = admin.post("/v1/admin/push", news).json()["data"]["id"]
    eventually(lambda: backend.document(f"broadcasts/{broadcast}")["state"] == "sent")
    assert admin.post(f"/v1/admin/users/{user.uid}/disable", {"reason": mark}).status_code == 200
    assert admin.post(f"/v1/admin/users/{user.uid}/enable").status_code == 200
    user = people.sign_in(user.email)
    assert user.delete("/v1/users/me").status_code == 200
    assert backend.suite.control.await_idle()
    held = [document.path for document in everything(backend) if leads_to(document, user, mark)]
    assert len(held) >= 12, held

    past = {"purgeAt": datetime(2026, 1, 1, tzinfo=UTC)}
    backend.firestore.commit([Update(f"users/{user.uid}", past)], Deadline.after(60))
    backend.suite.control.run_function("purgeDaily")
    eventually(lambda: backend.document(f"purges/{pseudonym(user.uid)}"))
    assert backend.suite.control.await_idle()
    left = {document.path for document in everything(backend) if leads_to(document, user, mark)}
    # It keeps his last tokens out, and goes by its TTL.
    assert left == {f"revocations/{user.uid}"}
    assert people.account(user.uid) is None


def leads_to(document, user, mark):
    return any(secret in f"{document.path} {document.data!r}" for secret in (mark, user.uid, "491570006"))
