"""docs/privacy.md against what the code writes, and against what is left of somebody who was purged."""

import ast
import re
import uuid
from datetime import UTC, datetime, timedelta

from tests.api.orders import lines
from tests.backend import eventually
from tests.conftest import ROOT
from tools.migrations import load
from tools.verify_restore import GROUPS

from wattle.adapters.firestore import Create, Query, Update
from wattle.dead_letters.service import DeadLetterService, Letter
from wattle.kit.clock import utc_now
from wattle.kit.retry import Deadline
from wattle.privacy.erasure import ErasureService, pseudonym
from wattle.privacy.repository import BELOW_USER, COUNTERS

TEXT = (ROOT / "docs" / "privacy.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| `([A-Za-z/{}]+)` \| (.+?) \| .+? \| .+? \| (.+?) \|$", TEXT, re.MULTILINE)
FIELDS = {path.rpartition("/")[2].strip("{}"): re.sub(r"\*", "", fields).split(", ") for path, fields, _ in ROWS}
FIELDS["users"] = FIELDS.pop("uid")
ERASED = {
    ("users" if "{uid}" in path and path.endswith("}") else path.rpartition("/")[2]): how for path, _, how in ROWS
}
LEFT_OUT = {
    name.rpartition("/")[2]
    for cell in re.findall(
        r"^\| (`[^|]+) \| [^|]+ \|$", TEXT.partition("| not in it |")[2].partition("\n\n")[0], re.MULTILINE
    )
    for name in re.findall(r"`([^`]+)`", cell)
}
# Written by what a working day does not hold: `tools migrate` and the purge itself.
RARELY = {"consents", "purges", "migrations"}


def test_every_field_that_is_written_is_in_the_inventory(written):
    missing = {(group, field) for group, field, _ in written if field not in FIELDS.get(group, ())}
    assert missing == set(), "say in docs/privacy.md what it is for, and when it goes"


def collections_in(source):
    """The collections of the document paths and queries that a file spells out, run or not; `*` is what it inserts."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.JoinedStr):
            path = "".join(part.value if isinstance(part, ast.Constant) else "*" for part in node.values)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Query":
            path = node.args[0].value if isinstance(node.args[0], ast.Constant) else ""
        elif isinstance(node, ast.AnnAssign) and ast.unparse(node.target).endswith("COLLECTION"):
            path = node.value.value
        else:
            continue
        if re.fullmatch(r"(?:[A-Za-z]+|\*)(?:/(?:[A-Za-z]+|\*))*", path) and path != "*":
            # Of a path that begins with an insertion, that is a document.
            yield from (name for name in path.split("/")[path.startswith("*") :: 2] if name != "*")


def test_every_collection_that_the_code_spells_out_is_in_the_inventory():
    """A working day takes each branch of nothing; a new collection need not be written on it."""
    files = [*(ROOT / "functions/wattle").rglob("repository.py"), ROOT / "functions/wattle/idempotency/service.py"]
    files += [ROOT / "functions/wattle/redelivery.py", ROOT / "tools/migrate.py"]
    assert len(files) > 12
    found = {name for path in files for name in collections_in(path.read_text(encoding="utf-8"))}
    assert found <= FIELDS.keys(), "say in docs/privacy.md what it is for, and when it goes"
    assert len(found) > 15
    assert list(collections_in('f"users/{uid}/secrets/{n}"; f"{_path(uid)}/stars/{n}"; Query("rows", limit=1)')) == [
        *("users", "secrets", "stars", "rows")
    ]


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


def test_each_of_the_australian_privacy_principles_is_there():
    section = TEXT.partition("## Australian Privacy Principles")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| ([\d, ]+) [a-z]", section, re.MULTILINE)
    numbers = re.findall(r"\d+", " ".join(rows))
    assert [int(number) for number in numbers] == list(range(1, 14))


def everything(backend):
    """Every document of every collection of the inventory."""
    for group in FIELDS:
        yield from backend.firestore.query(Query(group, everywhere=True), Deadline.after(60))


class Somebody:
    """Who used all there is, with values of his own: `mark` is in them."""

    def __init__(self, backend, people, admin):
        self.mark = mark = uuid.uuid4().hex
        self.phone = f"491{uuid.uuid4().int % 1_000_000:06}"
        user = backend.user(email=f"{mark}@example.com", displayName=f"Zoe {mark}")
        profile = {
            "displayName": f"Zoe {mark}",
            "photoUrl": f"https://example.com/{mark}",
            "phoneNumber": f"+61{self.phone}",
        }
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
        self.news = {"audience": {"users": [user.uid]}, "kind": "account", "texts": texts}
        broadcast = admin.post("/v1/admin/push", self.news).json()["data"]["id"]
        eventually(lambda: backend.document(f"broadcasts/{broadcast}")["state"] == "sent")
        assert admin.post(f"/v1/admin/users/{user.uid}/disable", {"reason": mark}).status_code == 200
        assert admin.post(f"/v1/admin/users/{user.uid}/enable").status_code == 200
        self.user = people.sign_in(user.email)


def test_the_export_has_all_of_a_person_but_what_is_named(backend, people, admin):
    """The whole database is searched for somebody; what his export lacks of it is in the table of what it lacks."""
    one = Somebody(backend, people, admin)
    user = one.user
    admin.post("/v1/admin/push", {**one.news, "scheduledAt": in_days(1)})
    order = {"items": lines((backend.product(), 1)), "note": one.mark}
    assert user.post("/v1/orders", order, headers={"Idempotency-Key": one.mark}).status_code == 201
    deferral = {"userId": user.uid, "message": {"id": "m"}, "dueAt": datetime.now(UTC), "expiresAt": datetime.now(UTC)}
    backend.firestore.commit([Create(f"deferrals/test-{user.uid}", deferral)], Deadline.after(60))
    letter = Letter("onUserWritten", "test", f"users/{user.uid}", {"uid": user.uid}, datetime.now(UTC), None, None)
    erasure = ErasureService(backend.firestore, identity=None, sessions=None, devices=None, clock=utc_now)
    assert DeadLetterService(backend.firestore, erasure, utc_now).keep(letter, "a test", Deadline.after(60))
    # Somebody of the staff, too.
    people.appoint(user)
    user = people.sign_in(user.email)
    assert user.put(f"/v1/admin/users/{backend.user().uid}/role", {"role": None}).status_code == 200
    assert user.post("/v1/admin/push", {**one.news, "scheduledAt": in_days(1)}).status_code == 202
    assert backend.suite.control.await_idle()
    exported = set(re.findall(r'"path":"([^"]+)"', user.get("/v1/users/me/export").text))
    held = {document.path for document in everything(backend) if leads_to(document, one)}
    assert {group_of(path) for path in held - exported} == LEFT_OUT
    personal = {path for path, fields, _ in ROWS if "*" in fields}
    inside = {group_of(path) for path in exported}
    assert {name_of(path) for path in personal} - inside == LEFT_OUT - {"auditLog", "revocations"}


def test_nothing_of_a_person_is_left(backend, people, admin):
    """Somebody who used all there is; then the whole database is searched for him."""
    one = Somebody(backend, people, admin)
    user = one.user
    assert user.delete("/v1/users/me").status_code == 200
    assert backend.suite.control.await_idle()
    held = [document.path for document in everything(backend) if leads_to(document, one)]
    assert len(held) >= 12, held

    past = {"purgeAt": datetime(2026, 1, 1, tzinfo=UTC)}
    backend.firestore.commit([Update(f"users/{user.uid}", past)], Deadline.after(60))
    backend.suite.control.run_function("purgeDaily")
    eventually(lambda: backend.document(f"purges/{pseudonym(user.uid)}"))
    assert backend.suite.control.await_idle()
    left = {document.path for document in everything(backend) if leads_to(document, one)}
    # It keeps his last tokens out, and goes by its TTL.
    assert left == {f"revocations/{user.uid}"}
    assert people.account(user.uid) is None


def group_of(path):
    return path.split("/")[-2]


def name_of(path):
    """The collection group of a row of the inventory."""
    return "users" if path == "users/{uid}" else path.rpartition("/")[2]


def in_days(number):
    return (datetime.now(UTC) + timedelta(days=number)).isoformat()


def leads_to(document, one):
    return any(secret in f"{document.path} {document.data!r}" for secret in (one.mark, one.user.uid, one.phone))
