"""Faults of Firestore at every call of every route.

Each call that a route makes fails in turn: before it takes effect, or after it did and its answer is lost; alone, or
with all that follow it. The caller is answered with success or a documented 503 with Retry-After, and when he repeats a
refused call, with its idempotency key where the route takes one, it has been done exactly once.
"""

import itertools
import uuid
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace
from unittest import mock

import grpc
import pytest
from tests.api.orders import place, stock
from tests.effects import Effects, effects_of
from tests.in_process import Instance
from tests.samples import World, sample

from firesuite.faults import AWAY, Failure, at, at_random, nothing
from wattle.adapters.firestore import FirestoreError, Query, Update, rpc, transaction
from wattle.adapters.firestore import messages as m
from wattle.api import ROUTES
from wattle.http.routing import Access
from wattle.kit.retry import Deadline

ABORTED = Failure(grpc.StatusCode.ABORTED)
LOST = Failure(grpc.StatusCode.UNAVAILABLE, after=True)
PAST = datetime(2026, 1, 1, tzinfo=UTC)


def from_on(number, failure):
    """Every call from this one on fails."""
    return lambda call: failure if call.number >= number else None


class Planned:
    """A plan, and what it did: the methods that `failed`, and the transactions that this left `open`.

    A read that begins a transaction is not lost after it took effect: nobody would know the transaction, and its locks
    would last until the server forgets it, which takes a minute.
    """

    def __init__(self, plan) -> None:
        self._plan = plan
        self.failed = []
        self.open = set()

    def __call__(self, call):
        failure = self._plan(call)
        if failure is None:
            return None
        self.failed.append(call.method)
        if call.method in ("Commit", "Rollback"):
            self.open.add(call.request.transaction)
        begins = call.method == "BatchGetDocuments" and call.request.HasField("new_transaction")
        return Failure(failure.status) if begins else failure


PLANS = {
    "refused": lambda number: at(number, AWAY),
    "aborted": lambda number: at(number, ABORTED),
    "answer lost": lambda number: at(number, LOST),
    "away from then on": lambda number: from_on(number, AWAY),
    "answers lost from then on": lambda number: from_on(number, LOST),
}

CONTAINED = {
    "GET /v1/screens/home": lambda data: any(section["status"] == "error" for section in data.values()),
    "POST /v1/batch": lambda data: any(answer["status"] == 503 for answer in data),
}
"""Where an answer with success may say of a part of it that it failed."""

ALREADY = {
    "POST /v1/auth/password": "TOKEN_REVOKED",
    "DELETE /v1/users/me": "ACCOUNT_DELETED",
}
"""What a repeat is told where the first call ended the session that it comes with."""

LOGGED = {
    "PUT /v1/admin/users/{user_id}/role",
    "POST /v1/admin/users/{user_id}/disable",
    "POST /v1/admin/users/{user_id}/enable",
}
"""Where a repeat is an entry of its own in the audit log. Accounts are changed outside of the transaction: an entry
that is left out because nothing is to do any more could be the only one."""

SEEDS = (1, 2)
TRIES = 30

_addresses = (f"10.3.{n >> 8 & 255}.{n & 255}" for n in itertools.count(1))


@dataclass
class Once:
    """The call of a route by one who repeats it until it succeeds, as an app does."""

    route: object
    call: object
    headers: dict
    http: object
    faults: object
    forget: object
    run_out: object
    written: set[str] = field(default_factory=set)
    times: int = 0

    def send(self, plan):
        """The answer, and the methods that failed. Then transactions and leases that were left open are forgotten, as
        the server does in time."""
        self.times += 1
        planned = Planned(plan)
        self.faults.follow(planned)
        body = {} if self.call.body is None else {"json": self.call.body}
        response = self.http.request(self.route.method, self.call.path, headers=self.headers, **body)
        self.written |= set(self.faults.written)
        self.faults.follow(nothing)
        for id_ in planned.open - {b""}:
            self.forget(id_)
        for path in self.written:
            if path.startswith("revocations/"):
                self.run_out(path)
        return response, planned.failed


@pytest.fixture(scope="module")
def stage(backend, people):
    """An instance whose calls fail as planned, and what calls are about."""
    instance = Instance(backend, RATE_LIMIT_SCALE="1000")
    instance.http.get("/v1/users/me", headers=backend.user().headers)  # it knows the revocations of the last hour
    world = World(backend, people, instance.as_user(backend.user(role="admin")))

    def forget(transaction_id):
        request = m.RollbackRequest(database=backend.firestore._database, transaction=transaction_id)
        with suppress(FirestoreError):  # it is over
            backend.firestore._rpc.rollback(request, Deadline.after(60))

    def run_out(path):
        found = backend.document(path)
        if found is not None and found.get("holder") is not None:
            backend.firestore.commit([Update(path, {"leasedUntil": PAST})], Deadline.after(60))

    # Waiting is tested elsewhere: between attempts, and for the second after a revocation.
    no_wait = SimpleNamespace(sleep=lambda _seconds: None)
    with (
        mock.patch.object(rpc, "time", no_wait),
        mock.patch.object(transaction, "time", no_wait),
        mock.patch.object(instance.services.sessions, "_pause"),
    ):
        yield SimpleNamespace(
            instance=instance, world=world, backend=backend, people=people, forget=forget, run_out=run_out
        )
    instance.close()


def prepared(stage, route):
    """A call of a route by somebody new."""
    stage.instance.faults.follow(nothing)
    owner = stage.backend.user()
    call = sample(stage.world, route, owner)
    caller = stage.world.admin if route.access is Access.ADMIN else owner
    headers = {"X-Forwarded-For": next(_addresses), **call.headers}
    if route.access is not Access.PUBLIC:
        headers |= caller.headers
    if route.idempotent:
        headers["Idempotency-Key"] = uuid.uuid4().hex
    return Once(route, call, headers, stage.instance.http, stage.instance.faults, stage.forget, stage.run_out)


def is_done(once, response):
    name = once.route.name
    if response.is_success:
        return not (name in CONTAINED and CONTAINED[name](response.json()["data"]))
    return once.times > 1 and name in ALREADY and response.json()["code"] == ALREADY[name]


def left_by(stage, once):
    return effects_of(stage.backend, stage.people, once.written)


@dataclass(frozen=True)
class Done:
    """What a call leaves behind, and what of it is different each time."""

    effects: Effects
    different: frozenset

    def missed_by(self, once, effects):
        """(what is missing, what is too much); two empty lists where everything is as it should be."""
        found, wanted = Counter(effects.without(self.different)), Counter(self.effects.without(self.different))
        missing, extra = list((wanted - found).elements()), list((found - wanted).elements())
        if once.times > 1 and once.route.name in LOGGED:
            assert any(line.startswith("auditLog/*") for line in found)
            missing, extra = ([x for x in some if not x.startswith("auditLog/*")] for some in (missing, extra))
        return missing, extra


@pytest.fixture(scope="module")
def done(stage):
    made = {}

    def of(route):
        if route.name not in made:
            runs = []
            for _ in range(2):
                once = prepared(stage, route)
                response, _ = once.send(nothing)
                assert response.is_success, response.text
                runs.append(left_by(stage, once))
            made[route.name] = Done(runs[0], runs[0].differing(runs[1]))
        return made[route.name]

    return of


@pytest.mark.parametrize("kind", PLANS)
@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
def test_every_call_fails_in_turn(stage, done, route, kind):
    wanted = done(route)
    once = prepared(stage, route)
    for number in itertools.count(1):
        if wanted.effects.documents:
            once = prepared(stage, route)
        response, failed = once.send(PLANS[kind](number))
        if not failed:
            break
        where = f"call {number} of {route.name}, {failed[0]}: {kind}"
        if not response.is_success:
            assert response.status_code == 503, f"{where}: {response.status_code} {response.text}"
            assert int(response.headers["Retry-After"]) > 0, where
        if not is_done(once, response):
            response, _ = once.send(nothing)
            assert is_done(once, response), f"{where}, repeated: {response.status_code} {response.text}"
        assert wanted.missed_by(once, left_by(stage, once)) == ([], []), where


CHANGING = [route for route in ROUTES if route.method != "GET"]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("route", CHANGING, ids=lambda route: route.name)
def test_a_client_that_repeats_until_it_succeeds(stage, done, route, seed):
    wanted = done(route)
    once = prepared(stage, route)
    for attempt in range(TRIES):
        response, _ = once.send(at_random(seed * TRIES + attempt, share=0.3))
        if is_done(once, response):
            break
        assert response.is_success or response.status_code == 503, response.text
    else:
        pytest.fail(f"refused {TRIES} times")
    assert wanted.missed_by(once, left_by(stage, once)) == ([], [])


class TestFireemusOwnFaults:
    """The whole backend through real HTTP, triggers and all, while fireemu refuses its nth read, begin or commit."""

    OPERATIONS = ("firestore.read", "firestore.beginTransaction", "firestore.commit")
    CODES = ("ABORTED", "UNAVAILABLE", "DEADLINE_EXCEEDED")

    @pytest.mark.parametrize("code", CODES)
    @pytest.mark.parametrize("operation", OPERATIONS)
    @pytest.mark.parametrize("pieces", [20, 2000], ids=["in one place", "in shards"])
    def test_one_order_whatever_fails(self, backend, user, pieces, operation, code):
        product = backend.product(stock=pieces)
        control = backend.suite.control
        try:
            for number in range(1, 5):
                rule = {
                    "match": {"operation": operation, "nth": number},
                    "action": {"type": "returnError", "code": code},
                }
                control.put_fault_plan([rule])
                headers = {"Idempotency-Key": f"order-{number}"}
                answers = [place(user, (product, 1), headers=headers) for _ in range(2)]
                if answers[0].status_code != 201:
                    assert answers[0].status_code == 503
                    assert "Retry-After" in answers[0].headers
                assert answers[1].status_code == 201
        finally:
            control.clear_fault_plan()
        shards = backend.firestore.query(Query(f"products/{product}/stock"), Deadline.after(60))
        assert stock(backend, product) + sum(shard.data["left"] for shard in shards) == pieces - 4
        orders = backend.firestore.query(Query("orders", where=[("userId", "==", user.uid)]), Deadline.after(60))
        assert len(orders) == 4
