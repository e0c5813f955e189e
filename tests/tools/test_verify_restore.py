"""verify-restore: what is planted in a copy of a shop is found and named, wherever the run was stopped."""

import json
import os
import subprocess
import sys
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from google.api_core.exceptions import ServiceUnavailable
from google.cloud.firestore import Client
from tests.api.orders import move, placed
from tests.backend import eventually
from tests.conftest import ROOT
from tools.verify_restore import GROUPS, State, rows, verify

from tools import restore_checks, verify_restore
from wattle.adapters.firestore import Query
from wattle.kit.retry import Deadline
from wattle.privacy.erasure import pseudonym

PAST, NOW = datetime(2026, 1, 1, tzinfo=UTC), datetime.now(UTC)


@pytest.fixture(scope="module")
def databases(backend, monkeypatch_module):
    """Makes empty databases: Clients, each of a project of its own."""
    monkeypatch_module.setenv("FIRESTORE_EMULATOR_HOST", f"127.0.0.1:{backend.suite.ports.firestore}")
    sessions = []

    def make():
        sessions.append(backend.suite.control.create_session(f"demo-{uuid.uuid4().hex[:10]}"))
        return Client(project=sessions[-1].project)

    yield make
    for session in sessions:
        backend.suite.control.session(session.name).delete_session()


@pytest.fixture(scope="module")
def monkeypatch_module():
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@pytest.fixture(scope="module")
def shop(backend, admin, databases):
    """Documents as the running backend made them, by path: two people, their orders, phones, messages, a broadcast."""
    owners = []
    for name in ("a", "b"):
        user = backend.user(displayName=name)
        assert user.get("/v1/users/me").status_code == 200
        device = {"fid": f"f{uuid.uuid4().hex[:21]}", "platform": "ios", "appVersion": "1.0.0", "locale": "en-AU"}
        assert user.put("/v1/users/me/devices/phone", device).status_code == 200
        orders = [placed(user, (backend.product(), 2)) for _ in range(2)]
        move(admin, orders[0], "confirmed", "shipped")
        for version in (2, 3):
            path = f"users/{user.uid}/notifications/{orders[0]['id']}-{version}"
            eventually(
                lambda path=path: (
                    backend.document(f"{path}/deliveries/phone")["state"] == "sent" if backend.document(path) else None
                )
            )
        owners += [f"users/{user.uid}", *(f"orders/{order['id']}" for order in orders)]
    texts = {"en": {"title": "Hello", "body": "There is cake."}}
    news = {"audience": {"users": [owners[0].partition("/")[2]]}, "kind": "account", "texts": texts}
    broadcast = f"broadcasts/{admin.post('/v1/admin/push', news).json()['data']['id']}"
    eventually(lambda: backend.document(broadcast)["state"] == "sent")
    owners.append(broadcast)
    client = Client(project=backend.project_id)
    found = {
        row.path: row.data
        for group in GROUPS
        for row in rows(client, group, None)
        if "/".join(row.path.split("/")[:2]) in owners
    }
    installations = {data["installation"] for path, data in found.items() if "/devices/" in path}
    found |= {
        row.path: row.data for row in rows(client, "installations", None) if row.path.partition("/")[2] in installations
    }
    found |= {f"products/p{number}": {"name": "Tea", "unitPrice": number, "updatedAt": NOW} for number in range(30)}
    assert {path.split("/")[-2] for path in found} >= {
        "orders",
        "events",
        "notifications",
        "deliveries",
        "counters",
        "devices",
        "chunks",
    }
    return found


@pytest.fixture(scope="module")
def source(shop, databases):
    client = databases()
    fill(client, shop)
    return client


@pytest.fixture
def restored(shop, databases):
    client = databases()
    fill(client, shop)
    return client


def fill(client, documents):
    batch = client.batch()
    for path, data in documents.items():
        batch.set(client.document(path), data)
    batch.commit()


def findings(source, restored, path, at=None):
    """All that a run from the beginning finds."""
    state = State(path / f"{uuid.uuid4().hex}.json", {})
    verify(verify_restore._steps(source, restored, at), state, lambda _: None)
    return {finding for step in state.steps.values() for finding in step.findings}, state


def listed(state):
    return sorted((name, finding) for name, step in state.steps.items() for finding in step.findings)


def a(shop, *parts):
    """The first path of these collections."""
    return min(path for path in shop if path.split("/")[::2] == list(parts))


class TestFindings:
    def test_a_complete_copy_has_none(self, source, restored, shop, tmp_path):
        found, state = findings(source, restored, tmp_path)
        assert found == set()
        compared = [state.steps[group] for group in GROUPS]
        assert sum(step.counts[0] for step in compared) == len(shop)
        assert all(step.counts[0] == step.counts[1] and step.digests[0] == step.digests[1] for step in compared)

    @pytest.mark.parametrize(
        ("parts", "also"),
        [
            (("users",), []),
            (("products",), []),
            (("orders",), ["{path}: is missing, and has"]),
            (("orders", "events"), ["{path}: is missing"]),
            (("users", "notifications"), ["its notification is missing", "counters/inbox: says"]),
            (("users", "notifications", "deliveries"), []),
            (("users", "counters"), ["{path}: says 0 unread"]),
            (("users", "devices"), ["its device is missing"]),
            (("installations",), ["its installation is missing"]),
            (("broadcasts",), ["{path}: is missing, and has 1 chunks"]),
        ],
        ids=lambda value: "/".join(value) if isinstance(value, tuple) else "",
    )
    def test_what_is_lost_is_named(self, source, restored, shop, tmp_path, parts, also):
        path = a(shop, *parts)
        restored.document(path).delete()
        found, _ = findings(source, restored, tmp_path)
        assert f"{path}: is missing" in found
        alone, _ = findings(None, restored, tmp_path)
        for text in also:
            assert any(text.format(path=path) in finding for finding in alone), (text, alone)
        assert alone <= found

    @pytest.mark.parametrize(
        ("parts", "change", "also"),
        [
            (("orders",), {"total": 1}, "its amounts do not add up"),
            (("orders",), {"version": 9}, "/events/9: is missing"),
            (("users", "counters"), {"unread": 77}, "says 77 unread"),
            (("users", "devices"), {"installation": "x"}, "its installation is missing"),
            (("broadcasts",), {"chunksDone": 5}, "says 5 chunks are done, 1 are"),
            (("products",), {"unitPrice": 0.0}, None),  # an integer before
            (("products",), {"name": None}, None),
            (("products",), {"updatedAt": NOW + timedelta(microseconds=1)}, None),
            (("users",), {"locale": "", "new": 1}, None),
        ],
        ids=str,
    )
    def test_what_is_changed_is_named_by_its_fields(self, source, restored, shop, tmp_path, parts, change, also):
        path = a(shop, *parts)
        restored.document(path).update(change)
        found, _ = findings(source, restored, tmp_path)
        assert f"{path}: differs in {', '.join(sorted(change))}" in found
        assert also is None or any(also in finding for finding in found), found

    def test_what_is_too_much_is_named(self, source, restored, shop, tmp_path):
        order = a(shop, "orders")
        restored.document("products/zzz").set({"name": "?"})
        restored.document(f"{order}/events/99").set({"type": "status"})
        found, _ = findings(source, restored, tmp_path)
        assert {"products/zzz: is not in the source", f"{order}/events/99: is not in the source"} <= found
        assert f"{order}/events/99: is of a version that the order has not" in found

    def test_what_may_have_expired_is_no_loss(self, source, restored, shop, tmp_path):
        source.document("idempotencyKeys/old").set({"expiresAt": PAST})
        restored.document("idempotencyKeys/older").set({"expiresAt": PAST})
        try:
            found, state = findings(source, restored, tmp_path)
        finally:
            source.document("idempotencyKeys/old").delete()
        assert found == set()
        assert state.steps["idempotencyKeys"].expired == 2

    def test_who_was_erased_after_the_backup_has_to_be_again(self, source, restored, shop, tmp_path):
        user = a(shop, "users")
        proof = source.document(f"purges/{pseudonym(user.partition('/')[2])}")
        proof.set({"counts": {}})
        try:
            found, _ = findings(source, restored, tmp_path)
        finally:
            proof.delete()
        assert f"{user}: was erased after the backup, and has to be again" in found


class TestStopped:
    def test_anywhere_it_goes_on_and_finds_the_same(self, source, restored, shop, tmp_path, monkeypatch):
        for module, name in ((verify_restore, "_PAGE"), (restore_checks, "_AT_ONCE")):
            monkeypatch.setattr(module, name, 4)
        for path in (a(shop, "orders", "events"), a(shop, "users", "notifications"), "products/p17"):
            restored.document(path).delete()
        whole, state = findings(source, restored, tmp_path)
        assert len(whole) >= 5
        once = listed(state)
        state_path, asked, stops = tmp_path / "state.json", [], 0
        stream = verify_restore.rows

        def breaking(client, group, after, at=None):
            for number, row in enumerate(stream(client, group, after, at)):
                if number == 9:
                    raise ServiceUnavailable("a fault of the test")
                asked.append(row.path)
                yield row

        monkeypatch.setattr(verify_restore, "rows", breaking)
        monkeypatch.setattr(restore_checks, "rows", breaking)
        while True:
            state = State.load(state_path, {})
            try:
                verify(verify_restore._steps(source, restored, None), state, lambda _: None)
                break
            except ServiceUnavailable:
                stops += 1
                assert stops < 60
        assert listed(state) == once
        assert stops >= 3

    def test_what_is_in_memory_is_a_page(self, source, restored, tmp_path, monkeypatch):
        monkeypatch.setattr(verify_restore, "_PAGE", 5)
        asked = []
        real = verify_restore._row
        monkeypatch.setattr(verify_restore, "_row", lambda found: asked.append(found.reference.path) or real(found))
        stream = rows(source, "products", None)
        next(stream)
        assert len(asked) == 5
        assert len(list(stream)) == 29


class TestCommand:
    def run(self, *arguments):
        command = [sys.executable, "-m", "tools", "verify-restore", *arguments]
        return subprocess.run(
            command, cwd=ROOT, env=os.environ, capture_output=True, text=True, timeout=60, check=False
        )

    def test_complete(self, source, restored, tmp_path):
        state = tmp_path / "state.json"
        done = self.run("--source", source.project, "--restored", restored.project, "--state", state)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "products: 30 " in done.stdout
        assert "Complete, and it hangs together." in done.stdout
        assert all(step["done"] for step in json.loads(state.read_text())["steps"].values())

    def test_not_complete(self, source, restored, shop, tmp_path):
        restored.document("products/p3").delete()
        restored.document("strangers/x").set({"n": 1})
        done = self.run("--source", source.project, "--restored", restored.project, "--state", tmp_path / "state.json")
        assert done.returncode == 1, done.stdout + done.stderr
        assert "  products/p3: is missing\n" in done.stdout
        assert "strangers: nobody compares this collection" in done.stdout
        assert "2 findings: do not switch over." in done.stdout

    def test_the_state_of_another_comparison_is_refused(self, source, restored, tmp_path):
        state = tmp_path / "state.json"
        state.write_text(json.dumps({"about": {"source": "x", "restored": "y", "at": ""}, "steps": {}}))
        done = self.run("--source", source.project, "--restored", restored.project, "--state", state)
        assert done.returncode == 2
        assert "of another comparison" in done.stderr

    def test_a_moment_has_a_time_zone(self):
        done = self.run("--restored", "x", "--at", "2026-11-26T03:00:00")
        assert done.returncode == 2
        assert "time zone" in done.stderr


def test_two_databases_of_one_project(source, shop, tmp_path):
    """As a restore makes them: gcloud firestore databases restore --destination-database=restored."""
    restored = Client(project=source.project, database="restored")
    fill(restored, shop)
    restored.document("products/p3").delete()
    assert findings(source, restored, tmp_path)[0] == {"products/p3: is missing"}


def test_the_shop_is_as_the_backend_left_it(backend, shop):
    """So that what the checks call right is what the code writes."""
    assert len(backend.firestore.query(Query(f"{a(shop, 'orders')}/events"), Deadline.after(60))) >= 1


def test_the_source_is_read_as_it_was(source, restored, tmp_path):
    """What changed since the backup is no loss."""
    path = source.document("products/p3")
    before, at = path.get().to_dict(), datetime.now(UTC)
    path.update({"name": "Coffee"})
    try:
        assert findings(source, restored, tmp_path)[0] == {"products/p3: differs in name"}
        assert findings(source, restored, tmp_path, at=at)[0] == set()
    finally:
        path.set(before)
