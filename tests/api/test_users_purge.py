"""The purge: after the grace period nothing leads to a user any more, whatever happened while it ran."""

import itertools
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import grpc
import pytest
from tests.backend import eventually

from firesuite.faults import Failure, Faults, each, nothing
from wattle.accounts.sessions import SessionService
from wattle.adapters.firestore import Create, Firestore, Query, Update
from wattle.adapters.firestore.client import open_channel
from wattle.adapters.identity import Identity
from wattle.adapters.identity_toolkit import IdentityToolkit, IdentityUnavailable
from wattle.devices.service import DeviceService
from wattle.kit.clock import utc_now
from wattle.kit.retry import Deadline
from wattle.privacy.erasure import ErasureService, pseudonym

ADDRESS = {"name": "A B", "line1": "1 George St", "city": "Sydney", "postalCode": "2000", "country": "AU"}
PAST = datetime(2026, 1, 1, tzinfo=UTC)


class Killed(BaseException):
    """The process ends here."""


class Unsteady(Identity):
    """Identity Toolkit that does what it is asked, and then the connection breaks, as often as `breaks` says."""

    breaks = 0

    def change(self, *arguments, **options):
        super().change(*arguments, **options)
        self._break()

    def delete(self, uid):
        super().delete(uid)
        self._break()

    def _break(self):
        if self.breaks:
            self.breaks -= 1
            raise IdentityUnavailable("a fault of the test")


@pytest.fixture
def faults():
    return Faults()


@pytest.fixture(scope="module")
def channel(backend):
    channel, _ = open_channel(f"127.0.0.1:{backend.suite.ports.firestore}")
    yield channel
    channel.close()


@pytest.fixture
def identity(backend):
    return Unsteady(IdentityToolkit(backend.project_id, "k", f"127.0.0.1:{backend.suite.ports.auth}"))


@pytest.fixture
def erasure(backend, channel, faults, identity):
    """A purge of its own, two documents at a time, whose calls to Firestore follow a plan."""
    faulty = grpc.intercept_channel(channel, faults)
    firestore = Firestore(backend.project_id, faulty, (("authorization", "Bearer owner"),))
    return ErasureService(
        firestore,
        identity=identity,
        sessions=SessionService(firestore, utc_now),
        devices=DeviceService(firestore, None, utc_now),
        clock=utc_now,
        at_once=2,
    )


def documents(backend, *queries):
    return [row for query in queries for row in backend.firestore.query(query, Deadline.after(60))]


def traces(backend, uid):
    """Every document that leads to a user, but the revocation that keeps his last tokens out until they expire."""
    below = [Query(f"users/{uid}/{name}", everywhere=True) for name in
             ("devices", "notifications", "deliveries", "consents", "counters")]  # fmt: skip
    by_id = [Query(name, where=[("userId", "==", uid)]) for name in ("orders", "deferrals", "installations")]
    audit = [
        Query("auditLog", where=[("actor", "==", uid)]),
        Query("auditLog", where=[("target", "==", f"users/{uid}")]),
    ]
    found = [row.path for row in documents(backend, *below, *by_id, *audit)]
    return found + ([f"users/{uid}"] if backend.document(f"users/{uid}") else [])


def left(backend, user):
    """He deleted his account, and the grace period is over."""
    assert user.delete("/v1/users/me").status_code == 200
    backend.firestore.commit([Update(f"users/{user.uid}", {"purgeAt": PAST})], Deadline.after(60))
    return user


def stored(backend, uid, *, orders=3, notifications=5):
    """A user's data as it is stored, without waiting for triggers; the ids of his orders."""
    ids = [f"o{n}-{uid}" for n in range(orders)]
    writes = [Create(f"users/{uid}/notifications/n{n}", {"readAt": None}) for n in range(notifications)]
    writes += [Create(f"users/{uid}/consents/c{n}", {"granted": True}) for n in range(2)]
    writes.append(Create(f"deferrals/{uid}", {"userId": uid, "dueAt": utc_now() + timedelta(days=9)}))
    for order_id in ids:
        order = {"userId": uid, "version": 2, "status": "confirmed", "total": 1100, "note": "x", "shippingAddress": {}}
        writes.append(Create(f"orders/{order_id}", order))
        writes += [Create(f"orders/{order_id}/events/{n}", {"reason": "ill", "type": "status"}) for n in (1, 2)]
    backend.firestore.commit(writes, Deadline.after(60))
    return ids


COUNTS = {"notifications": 5, "consents": 2, "deferrals": 1, "orders": 3, "devices": 0}


class TestPurge:
    def test_everything_goes_and_the_books_stay(self, backend, admin, people):
        user = backend.user()
        user.patch("/v1/users/me", {"displayName": "Mia"})
        consent = {"promotions": True, "consentSource": "sign-up"}
        user.patch("/v1/users/me/notification-preferences", consent)
        device = {"fid": f"one-{user.uid}", "platform": "ios", "appVersion": "1.0.0", "locale": "en-AU"}
        user.put("/v1/users/me/devices/phone", device)
        items = [{"productId": backend.product(unitPrice=1000), "quantity": 1}]
        body = {"items": items, "shippingAddress": ADDRESS, "note": "ring twice"}
        order = user.post("/v1/orders", body).json()["data"]
        status = {"status": "confirmed", "reason": "Mia called"}
        admin.post(f"/v1/admin/orders/{order['id']}/status", status)
        admin.post(f"/v1/admin/users/{user.uid}/disable", {"reason": "Mia was rude"})
        admin.post(f"/v1/admin/users/{user.uid}/enable")
        eventually(lambda: backend.document(f"users/{user.uid}/notifications/{order['id']}-2"))
        user = left(backend, people.sign_in(user.email))
        assert len(traces(backend, user.uid)) >= 8

        backend.suite.control.run_function("purgeDaily")
        eventually(lambda: backend.document(f"purges/{pseudonym(user.uid)}"))
        assert backend.suite.control.await_idle()

        assert traces(backend, user.uid) == []
        assert people.account(user.uid) is None
        kept = backend.document(f"orders/{order['id']}")
        assert (kept["total"], kept["tax"], kept["status"]) == (1100, 100, "confirmed")
        assert kept["items"][0]["unitPrice"] == 1000
        assert (kept["userId"], kept["shippingAddress"], kept["note"]) == (None, None, None)
        assert backend.document(f"orders/{order['id']}/events/2")["reason"] is None
        about = documents(backend, Query("auditLog", where=[("target", "==", f"users/{pseudonym(user.uid)}")]))
        assert {entry.data["action"] for entry in about} == {"user.disable", "user.enable"}
        assert {entry.data["diff"].get("reason") for entry in about} == {None}
        proof = backend.document(f"purges/{pseudonym(user.uid)}")
        assert proof["counts"] | {"deliveries": 1} == {
            "devices": 1,
            "notifications": 1,
            "deliveries": 1,
            "consents": 1,
            "orders": 1,
            "auditLog": 2,
        }
        assert abs(proof["purgedAt"] - datetime.now(UTC)) < timedelta(minutes=1)
        assert user.uid not in repr(proof)
        # His last token is valid for up to an hour, and opens nothing: not even a new profile.
        for path in ("/v1/users/me", "/v1/products"):
            assert user.get(path).json()["code"] == "ACCOUNT_DELETED"
        assert backend.document(f"users/{user.uid}") is None
        # The shop goes on with the order, and tells nobody.
        moved = admin.post(f"/v1/admin/orders/{order['id']}/status", {"status": "shipped"})
        assert moved.status_code == 200
        assert backend.suite.control.await_idle()
        assert traces(backend, user.uid) == []

    def test_not_before_its_time(self, backend, erasure, people, member):
        member.delete("/v1/users/me")
        assert erasure.purge(member.uid, Deadline.after(60)) is False
        assert backend.document(f"users/{member.uid}")["deletedAt"] is not None
        assert people.account(member.uid).get("disabled", False) is False

    def test_not_who_came_back(self, backend, erasure, people, member):
        left(backend, member)
        people.sign_in(member.email).get("/v1/users/me")
        assert erasure.purge(member.uid, Deadline.after(60)) is False
        assert people.account(member.uid) is not None
        assert backend.document(f"users/{member.uid}")["deletedAt"] is None

    def test_not_who_came_back_as_far_as_firebase_knows(self, backend, erasure, people, member):
        """The claim was taken away, and then the process ended before the commit."""
        left(backend, member)
        backend.account(member.uid, customAttributes="{}")
        assert erasure.purge(member.uid, Deadline.after(60)) is False
        assert backend.document(f"users/{member.uid}")["deletedAt"] is None
        assert people.sign_in(member.email).get("/v1/users/me").status_code == 200

    def test_not_who_comes_back_just_before_it_begins(self, backend, erasure, faults, people, member):
        left(backend, member)
        again = people.sign_in(member.email)

        def plan(call):
            if call.method == "Commit" and call.nth == 1:
                return Failure(grpc.StatusCode.ABORTED)
            if call.method == "BatchGetDocuments" and call.nth == 3:  # the second attempt
                assert again.get("/v1/users/me").status_code == 200
            return None

        faults.follow(plan)
        assert erasure.purge(member.uid, Deadline.after(60)) is False
        assert len(faults.calls) > 4
        assert people.account(member.uid).get("disabled", False) is False
        assert people.sign_in(member.email).patch("/v1/users/me", {"locale": "en-AU"}).status_code == 200

    def test_who_was_disabled_meanwhile_is_purged_all_the_same(self, backend, erasure, admin, member):
        left(backend, member)
        admin.post(f"/v1/admin/users/{member.uid}/disable")
        assert erasure.purge(member.uid, Deadline.after(60)) is True
        assert traces(backend, member.uid) == []

    def test_whose_account_was_removed_elsewhere_too(self, backend, erasure, identity, member):
        left(backend, member)
        identity.delete(member.uid)
        assert erasure.purge(member.uid, Deadline.after(60)) is True
        assert traces(backend, member.uid) == []

    def test_once_begun_nobody_comes_back(self, backend, erasure, people, member):
        left(backend, member)
        again = people.sign_in(member.email)
        assert erasure._begin(member.uid, Deadline.after(60)) is True
        assert again.get("/v1/users/me").json()["code"] == "ACCOUNT_DELETED"
        signed = backend.http.post("/v1/auth/login", json={"email": member.email, "password": "correct horse"})
        assert signed.json()["code"] == "INVALID_CREDENTIALS"
        assert erasure.purge(member.uid, Deadline.after(60)) is True

    def test_twice_and_twice_at_once_is_once(self, backend, erasure, member):
        orders = stored(backend, member.uid)
        left(backend, member)
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda _: erasure.purge(member.uid, Deadline.after(60)), range(2)))
        assert erasure.purge(member.uid, Deadline.after(60)) is False
        assert traces(backend, member.uid) == []
        assert backend.document(f"purges/{pseudonym(member.uid)}")["counts"] == COUNTS
        assert all(backend.document(f"orders/{order_id}")["total"] == 1100 for order_id in orders)

    def test_one_that_fails_does_not_keep_the_others_waiting(self, backend, erasure, identity, people):
        users = [left(backend, people.verified()) for _ in range(3)]
        identity.breaks = 1
        assert erasure.purge_due(Deadline.after(60)) >= 2
        waiting = [user.uid for user in users if backend.document(f"users/{user.uid}")]
        assert len(waiting) == 1
        assert erasure.purge_due(Deadline.after(60)) >= 1
        assert all(traces(backend, user.uid) == [] for user in users)

    def test_without_time_it_waits_for_the_next_run(self, backend, erasure, member):
        left(backend, member)
        assert erasure.purge_due(Deadline.after(5)) == 0
        assert erasure.purge(member.uid, Deadline.after(60)) is True


def killed_at(number):
    """The process ends at this call; a commit takes effect first, which nobody learns any more.

    Not within a rollback: the locks would stay until Firestore gives them up, a minute later.
    """

    lost = []

    def plan(call):
        if call.number == number and call.method == "Commit":
            lost.append(call)
            return Failure(grpc.StatusCode.UNAVAILABLE, after=True)
        if (call.number == number and call.method != "Rollback") or (lost and call.number == number + 1):
            raise Killed
        return None

    return plan


class TestKilled:
    def test_at_every_call(self, backend, erasure, faults, people):
        """Whichever call to Firestore is the last of a run, the next run completes it, and counts nothing twice."""
        for number in itertools.count(1):
            user = backend.user()
            orders = stored(backend, user.uid, orders=3)
            # As `DELETE /v1/users/me` leaves it behind; that one waits for the next second.
            backend.account(user.uid, customAttributes='{"accountState":"deleted"}')
            profile = {"deletedAt": PAST, "purgeAt": PAST, "notificationPreferences": {}, "version": 1}
            backend.firestore.commit([Create(f"users/{user.uid}", profile)], Deadline.after(60))

            faults.follow(killed_at(number))
            try:
                erasure.purge(user.uid, Deadline.after(60))
                last = len(faults.calls) < number
            except Killed:
                last = False
                faults.follow(nothing)
                erasure.purge(user.uid, Deadline.after(60))
            assert traces(backend, user.uid) == []
            assert people.account(user.uid) is None
            assert backend.document(f"purges/{pseudonym(user.uid)}")["counts"] == COUNTS
            assert {backend.document(f"orders/{order_id}")["userId"] for order_id in orders} == {None}
            if last:
                break
        assert number > 30

    def test_between_firebase_and_firestore(self, backend, erasure, identity, member):
        """The first time after the account was disabled, the second time after it was removed."""
        stored(backend, member.uid)
        left(backend, member)
        for _ in range(2):
            identity.breaks = 1
            with pytest.raises(IdentityUnavailable):
                erasure.purge(member.uid, Deadline.after(60))
            assert backend.document(f"users/{member.uid}")
        assert erasure.purge(member.uid, Deadline.after(60)) is True
        assert traces(backend, member.uid) == []
        assert identity.account(member.uid) is None
        assert backend.document(f"purges/{pseudonym(member.uid)}")["counts"] == COUNTS

    def test_commits_whose_answer_is_lost_count_once(self, backend, erasure, faults, member):
        stored(backend, member.uid)
        left(backend, member)
        faults.follow(each("Commit", Failure(grpc.StatusCode.UNAVAILABLE, after=True), times=9))
        assert erasure.purge(member.uid, Deadline.after(60)) is True
        assert traces(backend, member.uid) == []
        assert backend.document(f"purges/{pseudonym(member.uid)}")["counts"] == COUNTS
