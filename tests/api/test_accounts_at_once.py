"""Several changes of one account at once, in the worst order, and after a process that was killed within one."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from types import SimpleNamespace
from unittest import mock

import pytest
from tests.api.test_accounts_failures import claims, status

from firesuite.faults import Died, Failure, nth
from wattle.accounts import lease as leases
from wattle.accounts.control import NOTHING
from wattle.accounts.lease import LeaseService
from wattle.adapters.firestore import FirestoreContention, Update, transaction
from wattle.kit.retry import Deadline

PAST = datetime(2026, 1, 1, tzinfo=UTC)
TOGETHER = 0.3
"""Seconds that one waits for the other between its look-up and its update: longer than they are apart."""


class Interleaved:
    """Identity Toolkit: two that look `uid` up meet there, if they can; then the `first` updates before the other."""

    def __init__(self, toolkit) -> None:
        self._toolkit = toolkit
        self.uid = None
        self.first = lambda _body: True
        self._met = threading.Barrier(2)
        self._updated = threading.Event()

    def administer(self, method, body):
        answer = None
        if method == "lookup" and body == {"localId": [self.uid]}:
            answer = self._toolkit.administer(method, body)
            with suppress(threading.BrokenBarrierError):
                self._met.wait(TOGETHER)
        elif method == "update" and body["localId"] == self.uid:
            if not self.first(body) and not self._met.broken:
                self._updated.wait(TOGETHER)
            answer = self._toolkit.administer(method, body)
            self._updated.set()
        return answer or self._toolkit.administer(method, body)

    def __getattr__(self, name):
        return getattr(self._toolkit, name)


@pytest.fixture
def api(instance):
    api = instance()
    # Those who end sessions and those who do not begin together.
    api.services.sessions._pause = lambda _seconds: None
    identity = api.services.accounts._identity
    api.identity = identity._toolkit = Interleaved(identity._toolkit)
    return api


@pytest.fixture
def call(api, admin):
    """Calls what administrators call about somebody."""

    def call(method, path, body=None, headers=admin.headers):
        return api.http.request(method, path, json=body, headers=headers)

    return call


def at_once(*calls):
    with ThreadPoolExecutor(len(calls)) as pool:
        return [answer.status_code for answer in pool.map(lambda call: call(), calls)]


class TestTwo:
    def test_a_role_that_was_taken_away_does_not_come_back_with_a_lock(self, api, backend, people, call, member):
        backend.account(member.uid, customAttributes=json.dumps({"role": "admin"}))
        api.identity.uid, api.identity.first = member.uid, lambda body: "disableUser" not in body
        path = f"/v1/admin/users/{member.uid}"
        done = at_once(
            lambda: call("PUT", f"{path}/role", {"role": None}),
            lambda: call("POST", f"{path}/disable", {}),
        )
        assert done == [200, 200]
        assert claims(people, member.uid) == {"accountState": "disabled"}
        assert call("POST", f"{path}/enable").json()["data"]["role"] is None

    def test_a_role_does_not_bring_back_who_deletes_his_account(self, api, backend, people, call, member):
        api.identity.uid, api.identity.first = member.uid, lambda body: "role" not in body.get("customAttributes", "")
        done = at_once(
            lambda: call("PUT", f"/v1/admin/users/{member.uid}/role", {"role": "admin"}),
            lambda: call("DELETE", "/v1/users/me", headers=member.headers),
        )
        assert done == [200, 200]
        assert claims(people, member.uid) == {"role": "admin", "accountState": "deleted"}
        assert backend.document(f"users/{member.uid}")["purgeAt"] is not None


@pytest.fixture
def patient(monkeypatch):
    """Waiting for others takes no time."""
    monkeypatch.setattr(transaction, "time", SimpleNamespace(sleep=lambda _seconds: None))


def taken(deadline_after, api, uid):
    """A change of an account by another request, which gives up when the deadline is near."""
    control = api.services.accounts._control
    control.change(uid, lambda *_: NOTHING, Deadline.after(deadline_after))


@pytest.mark.usefixtures("patient")
class TestKilled:
    def ending(self, api):
        """The process ends when Firebase Authentication has done its part."""
        administer = api.identity.administer

        def last(method, body):
            answer = administer(method, body)
            if method == "update":
                raise Died
            return answer

        return mock.patch.object(api.identity, "administer", last)

    def killed(self, api, member):
        """He deletes his account, and the process ends within it."""
        with self.ending(api), pytest.raises(Died):
            api.http.delete("/v1/users/me", headers=member.headers)

    def test_others_wait_until_nothing_of_it_can_arrive_any_more(self, api, backend, people, call, member):
        self.killed(api, member)
        assert claims(people, member.uid) == {"accountState": "deleted"}
        with pytest.raises(FirestoreContention):
            taken(leases._RESERVE, api, member.uid)
        api.clock.advance(seconds=leases.LEASED.total_seconds() + 1)
        assert call("PUT", f"/v1/admin/users/{member.uid}/role", {"role": "admin"}).status_code == 200
        assert claims(people, member.uid) == {"role": "admin", "accountState": "deleted"}

    def test_the_session_goes_on_and_the_call_is_repeated(self, api, backend, people, member):
        self.killed(api, member)
        assert set(backend.document(f"revocations/{member.uid}")) == {"holder", "leasedUntil", "expiresAt"}
        assert member.get("/v1/products").status_code == 200
        assert member.patch("/v1/users/me", {"locale": "en-AU"}).status_code == 200
        api.clock.advance(seconds=leases.LEASED.total_seconds() + 1)
        assert api.http.delete("/v1/users/me", headers=member.headers).status_code == 200
        assert claims(people, member.uid) == {"accountState": "deleted"}

    def test_so_does_the_purge(self, api, backend, people, member):
        member.delete("/v1/users/me")
        backend.firestore.commit([Update(f"users/{member.uid}", {"purgeAt": PAST})], Deadline.after(60))
        again = people.sign_in(member.email)
        with self.ending(api), pytest.raises(Died):
            api.http.get("/v1/users/me", headers=again.headers)  # brings him back
        with pytest.raises(FirestoreContention):
            api.services.erasure.purge(member.uid, Deadline.after(60))
        api.clock.advance(seconds=leases.LEASED.total_seconds() + 1)
        assert api.services.erasure.purge(member.uid, Deadline.after(60)) is False
        assert backend.document(f"users/{member.uid}")["deletedAt"] is None

    def test_after_the_last_commit_nobody_waits(self, api, people, call, member):
        api.faults.follow(nth("Commit", 2, Failure(None, after=True)))
        with pytest.raises(Died):
            api.http.delete("/v1/users/me", headers=member.headers)
        api.faults.reset()
        assert call("PUT", f"/v1/admin/users/{member.uid}/role", {"role": "admin"}).status_code == 200
        assert claims(people, member.uid) == {"role": "admin", "accountState": "deleted"}


class TestLease:
    def test_what_could_arrive_too_late_is_not_begun(self, api, backend, people, call, member, monkeypatch):
        monkeypatch.setattr(leases, "_ARRIVES", leases.LEASED.total_seconds())
        path = f"/v1/admin/users/{member.uid}/disable"
        assert status(call("POST", path, {})) == (503, "UNAVAILABLE")
        assert people.account(member.uid).get("disabled", False) is False
        monkeypatch.undo()
        assert call("POST", path, {}).status_code == 200

    def test_who_lost_it_changes_nothing(self, api, backend, people, admin, call, member):
        """Its process stood still for so long that another request took it."""
        path = f"/v1/admin/users/{member.uid}"
        take = LeaseService.take

        def slow(*arguments):
            lease = take(*arguments)
            mock.patch.stopall()
            api.clock.advance(seconds=leases.LEASED.total_seconds() + 1)
            assert call("PUT", f"{path}/role", {"role": "admin"}).status_code == 200
            return lease

        mock.patch.object(LeaseService, "take", slow).start()
        assert status(call("POST", f"{path}/disable", {})) == (503, "CONTENTION")
        assert claims(people, member.uid) == {"role": "admin"}
        log = admin.get("/v1/admin/audit-log", params={"target": f"users/{member.uid}"}).json()["data"]
        assert [entry["action"] for entry in log] == ["user.role"]
        assert backend.document(f"revocations/{member.uid}") is None

    def test_nothing_is_left_of_it(self, backend, admin, member):
        path = f"/v1/admin/users/{member.uid}/role"
        assert admin.put(path, {"role": "admin"}).status_code == 200
        assert backend.document(f"revocations/{member.uid}") is None
        assert member.post("/v1/auth/logout", {"everywhere": True}).status_code == 200
        before = backend.document(f"revocations/{member.uid}")
        assert admin.put(path, {"role": None}).status_code == 200
        after = backend.document(f"revocations/{member.uid}")
        assert (after["holder"], after["leasedUntil"]) == (None, None)
        assert (after["validAfter"], after["at"]) == (before["validAfter"], before["at"])
