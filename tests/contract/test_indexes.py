"""firestore.indexes.json has exactly the indexes that the code's queries need, tested both ways.

Every list of the route table is asked for with every combination of its parameters, and every other query is made by a
call of `OTHERS`. A query in the code that nothing here makes fails the test and is named; so does a parameter that
nothing here has a value for.
"""

import itertools
import json
import time
from datetime import UTC, datetime

import pytest
from tests.conftest import ROOT
from tests.contract.index_needs import Indexes, need_of
from tests.contract.recording import Recording, Sites

from firesuite.ports import Ports
from firesuite.project import Project
from firesuite.suite import Suite
from wattle.accounts.repository import RevocationRepository
from wattle.adapters.firestore import Create, Firestore, FirestoreError
from wattle.adapters.firestore import messages as m
from wattle.adapters.firestore.client import open_channel
from wattle.api import ROUTES
from wattle.broadcasts.repository import BroadcastRepository
from wattle.devices.repository import DeviceRepository
from wattle.http.routing import bind
from wattle.inbox.repository import NotificationRepository
from wattle.kit.retry import Deadline
from wattle.orders.repository import OrderRepository
from wattle.privacy.repository import PersonalDataRepository
from wattle.push.repository import DeliveryRepository
from wattle.schema import PageParameters

FILE = json.loads((ROOT / "firestore.indexes.json").read_text(encoding="utf-8"))
INDEXES = Indexes.read(FILE)
NOW = datetime(2026, 1, 1, tzinfo=UTC)

# How much of a list, not which list.
HOW_MUCH = {"limit", "cursor"}
# Of parameters whose type does not say one that will do.
VALUES = {
    "fields": "id",
    "email": "somebody@example.com",
    "target": "orders/some",
    "createdTo": "2026-02-01T00:00:00Z",
}


def within(firestore, work):
    """A query inside a transaction."""
    firestore.transaction(lambda transaction: work(transaction) and None, Deadline.after(60))


OTHERS = (
    lambda f: RevocationRepository(f).since(NOW, None, 10, Deadline.after(60)),
    lambda f: list(DeviceRepository(f).of_users(["u"], Deadline.after(60))),
    lambda f: DeviceRepository(f).of_user("u", Deadline.after(60)),
    lambda f: within(f, lambda t: DeviceRepository(f).of_user_in(t, "u")),
    lambda f: within(f, lambda t: DeviceRepository(f).unseen_since_in(t, NOW, 10)),
    lambda f: NotificationRepository(f).count_unread("u", Deadline.after(60)),
    lambda f: within(f, lambda t: NotificationRepository(f).unread_in(t, "u", NOW, 10)),
    lambda f: within(f, lambda t: DeliveryRepository(f).in_state_in(t, "u", "n", ["queued", "leased"])),
    lambda f: DeliveryRepository(f).of_notification("u", "n", Deadline.after(60)),
    lambda f: DeliveryRepository(f).due(NOW, 10, Deadline.after(60)),
    lambda f: DeliveryRepository(f).count("b", "state", "sent", Deadline.after(60)),
    lambda f: DeliveryRepository(f).count("b", "code", "UNREGISTERED", Deadline.after(60)),
    lambda f: DeviceRepository(f).subscribed("t", 10, Deadline.after(60)),
    lambda f: BroadcastRepository(f).waiting_chunks("b", Deadline.after(60)),
    lambda f: BroadcastRepository(f).begun_chunks("b", Deadline.after(60)),
    lambda f: BroadcastRepository(f).in_state("scheduled", "scheduledAt", NOW, 10, Deadline.after(60)),
    lambda f: BroadcastRepository(f).in_state("sending", "updatedAt", NOW, 10, Deadline.after(60)),
    lambda f: PersonalDataRepository(f).due(NOW, 10, Deadline.after(60)),
    lambda f: PersonalDataRepository(f).below_user("u", "devices", None, 10, Deadline.after(60)),
    lambda f: PersonalDataRepository(f).owned("orders", "u", None, 10, Deadline.after(60)),
    lambda f: PersonalDataRepository(f).owned("deferrals", "u", None, 10, Deadline.after(60)),
    lambda f: within(f, lambda t: PersonalDataRepository(f).pseudonymise_audit_in(t, "nobody", "p", 10)),
    lambda f: OrderRepository(f).events("o", 2, 10, Deadline.after(60)),
)


def lists():
    """Each route that answers with a page, with the model of its parameters."""
    for route in ROUTES:
        query = bind(route).query
        if query is not None and issubclass(query, PageParameters):
            yield route, query


def values(name, schema, definitions):
    """Values to try for a parameter besides leaving it out, by its JSON schema."""
    if name in VALUES:
        return [VALUES[name]]
    for part in schema.get("anyOf", [schema]):
        kind = definitions[part["$ref"].rpartition("/")[2]] if "$ref" in part else part
        if "enum" in kind:
            # A status is as good as another; of sorts each is another query.
            return kind["enum"] if "$ref" not in part else kind["enum"][:1]
        if kind.get("format") == "date-time":
            return ["2026-01-01T00:00:00Z"]
        if kind.get("type") in {"boolean", "integer"}:
            return ["true" if kind["type"] == "boolean" else "5"]
    raise AssertionError(f"no value for the parameter {name}: give it one in VALUES")


def combinations(model):
    """The parameters of every way to ask for a list."""
    schema = model.model_json_schema()
    names = {
        name: values(name, property_, schema.get("$defs", {}))
        for name, property_ in schema["properties"].items()
        if name not in HOW_MUCH
    }
    for chosen in itertools.product(*([None, *options] for options in names.values())):
        yield {name: value for name, value in zip(names, chosen, strict=True) if value is not None}


@pytest.fixture(scope="module")
def recorded(backend, admin):
    """Everything that was asked, and the places in the code that asked it."""
    from tests.in_process import Instance

    sites = Sites()
    one = Instance(backend, RATE_LIMIT_SCALE="1000")
    recording = Recording()
    one.faults.follow(recording)
    refused = []
    with sites.watched():
        for route, model in lists():
            path = route.path.replace("{order_id}", own_order(backend, admin)).replace("{user_id}", admin.uid)
            assert "{" not in path, f"say here what stands in {route.path}"
            for parameters in combinations(model):
                before = len(recording.queries)
                answer = one.as_user(admin).get(path, params=parameters)
                if answer.status_code == 200:
                    continue
                if answer.status_code != 400 or len(recording.queries) > before:
                    refused.append((path, parameters, answer.text))
        for call in OTHERS:
            try:
                call(one.firestore)
            except FirestoreError as error:
                refused.append(str(error))
    yield recording.queries, sites, refused
    one.close()


def own_order(backend, user):
    order = {"userId": user.uid, "deletedAt": None, "version": 1, "number": "W", "status": "pending", "currency": "AUD"}
    amounts = {"items": [], "subtotal": 0, "tax": 0, "total": 0, "shippingAddress": None, "note": None}
    order_id = f"index{time.monotonic_ns()}"
    order |= amounts | {"createdAt": NOW, "updatedAt": NOW, "changedAt": NOW, "shard": 0}
    backend.firestore.commit([Create(f"orders/{order_id}", order)], Deadline.after(60))
    return order_id


@pytest.fixture(scope="module")
def needs(recorded):
    return {need_of(query) for query in recorded[0]}


def test_nothing_is_refused_whatever_is_asked_for(recorded):
    assert recorded[2] == []


def test_every_query_of_the_code_was_made(recorded):
    _, sites, _ = recorded
    assert len(sites.places) > 15
    assert sites.missing == [], "these queries are made by no call of this test: add one to OTHERS"


def test_every_query_has_its_index(needs):
    assert [need for need in needs if not INDEXES.meets(need)] == []


def test_no_index_is_unused(needs):
    used = frozenset().union(*(INDEXES.serving(need) for need in needs))
    assert INDEXES.composites - used == frozenset()
    singles = frozenset().union(*(INDEXES.singles(need) for need in needs if not INDEXES.serving(need)))
    extra = {
        (group, field, scope, way)
        for (group, field), indexes in INDEXES.overrides.items()
        for scope, way in indexes
        if (group, field, scope, way) not in singles
    }
    assert extra == set()


def test_no_index_does_what_another_does(needs):
    for need in needs:
        assert len(INDEXES.serving(need)) <= 1, need


class TestTheLocalFirestoreAgrees:
    """Without any index it refuses exactly those that need one: so the tests of the API would notice a missing one."""

    @pytest.fixture(scope="class")
    @classmethod
    def bare(cls, tmp_path_factory):
        directory = tmp_path_factory.mktemp("bare")
        (directory / "node_modules").symlink_to(ROOT / "node_modules")
        files = {
            "firebase.json": {
                "firestore": {"rules": "firestore.rules", "indexes": "firestore.indexes.json"},
                "emulators": {"ui": {"enabled": False}},
            },
            ".firebaserc": {"projects": {"default": "demo-bare"}},
            "firestore.indexes.json": {"indexes": [], "fieldOverrides": []},
        }
        for name, content in files.items():
            (directory / name).write_text(json.dumps(content), encoding="utf-8")
        (directory / "firestore.rules").write_text((ROOT / "rules" / "firestore.rules").read_text(encoding="utf-8"))
        with Suite(Project.load(directory), ports=Ports.free()) as suite:
            channel, credentials = open_channel(f"127.0.0.1:{suite.ports.firestore}")
            yield Firestore("demo-bare", channel, credentials)
            channel.close()

    def refused(self, firestore, query):
        request = m.RunQueryRequest(parent=firestore._root)
        request.structured_query.CopyFrom(query)
        # What document holds a collection makes no difference for its indexes, but for cursors.
        request.structured_query.ClearField("start_at")
        try:
            firestore._rpc.run_query(request, Deadline.after(60))
        except FirestoreError as error:
            if "requires an index" in str(error):
                return True
            raise
        return False

    def test_it_refuses_what_needs_an_index(self, bare, recorded):
        nothing = Indexes.read({"indexes": [], "fieldOverrides": []})
        found = {}
        for query in recorded[0]:
            need = need_of(query)
            if need not in found:
                found[need] = self.refused(bare, query)
        assert {need for need, refused in found.items() if refused} == {n for n in found if not nothing.meets(n)}
        assert sum(found.values()) >= len(INDEXES.composites)
