"""Which sign-ins count: at once for writes, within a minute for reads, and what that costs."""

import contextlib
from datetime import timedelta

import grpc
import pytest

from firesuite.faults import Failure, each, nothing
from wattle.accounts.errors import RecentSignInRequired, TokenRevoked
from wattle.accounts.sessions import SessionService
from wattle.adapters.firestore import FirestoreUnavailable, guarded, track_usage
from wattle.context import AccountState, Caller
from wattle.errors import WattleError
from wattle.kit.retry import Deadline

AWAY = Failure(grpc.StatusCode.UNAVAILABLE)


@pytest.fixture
def process(firestore, time):
    """Makes the sessions of one more process."""
    return lambda: SessionService(firestore, time.clock, monotonic=time.steady, pause=time.pause)


def caller(uid, time, *, seconds=-60, state=AccountState.ACTIVE):
    """Who signed in `seconds` from now."""
    return Caller(uid=uid, role=None, auth_time=int(time.now.timestamp()) + seconds, account_state=state)


def revoke(firestore, sessions, uid, time, state=AccountState.ACTIVE):
    """What ends the sessions of a user, in the process that is asked to."""

    def work(transaction):
        current = sessions.current_in(transaction, uid)
        after = int(time.now.timestamp()) + 1
        return sessions.revoke_in(transaction, uid, valid_after=after, state=state, current=current)

    sessions.know(uid, firestore.transaction(work, Deadline.after(60)))


def verdict(sessions, who, *, at_once=False, returning=False):
    """The code of the refusal, None where the session counts."""
    check = sessions.check(who, Deadline.after(60), at_once=at_once, returning=returning)
    try:
        check()
    except WattleError as refusal:
        with pytest.raises(type(refusal)):
            check()
        return refusal.code.name
    check()
    return None


class TestAtOnce:
    def test_what_another_process_revoked(self, firestore, process, uid, time):
        here, there = process(), process()
        assert verdict(here, caller(uid, time), at_once=True) is None
        revoke(firestore, there, uid, time)
        assert verdict(here, caller(uid, time), at_once=True) == "TOKEN_REVOKED"
        assert verdict(here, caller(uid, time, seconds=1), at_once=True) is None

    def test_it_is_one_read_and_asked_once(self, process, uid, time, faults):
        sessions = process()
        with track_usage() as usage:
            check = sessions.check(caller(uid, time), Deadline.after(60), at_once=True)
            check()
            check()
        assert (usage.reads, usage.round_trips, faults.calls) == (1, 1, ["GetDocument"])

    def test_a_transaction_brings_it_along(self, firestore, process, uid, time, faults):
        revoke(firestore, process(), uid, time)
        sessions = process()
        for seconds, ends in ((1, contextlib.nullcontext()), (-60, pytest.raises(TokenRevoked))):
            check = sessions.check(caller(uid, time, seconds=seconds), Deadline.after(60), at_once=True)
            faults.follow(nothing)
            with guarded(lambda condition=check: condition), ends:
                firestore.transaction(lambda transaction: transaction.get(["things/1"]), Deadline.after(60))
            assert faults.calls == ["BatchGetDocuments", "Rollback"]

    def test_it_is_sent_for_beside_another_read(self, firestore, process, uid, time, faults):
        check = process().check(caller(uid, time), Deadline.after(60), at_once=True)
        with guarded(lambda: check):
            firestore.get("things/1", Deadline.after(60))
            firestore.transaction(lambda transaction: transaction.get(["things/1"]), Deadline.after(60))
        check()
        assert faults.calls == ["GetDocument", "GetDocument", "BatchGetDocuments", "Rollback"]

    def test_a_read_that_fails_is_tried_again(self, process, uid, time, faults):
        faults.follow(each("GetDocument", AWAY))
        assert verdict(process(), caller(uid, time), at_once=True) is None

    def test_when_nobody_can_tell_nothing_is_written(self, process, uid, time, faults):
        faults.follow(each("GetDocument", AWAY, times=99))
        check = process().check(caller(uid, time), Deadline.after(5), at_once=True)
        with pytest.raises(FirestoreUnavailable):
            check()
        # Another attempt may learn it.
        faults.follow(nothing)
        check()


class TestWithinAMinute:
    def test_a_process_honours_its_own_revocations_at_once(self, firestore, process, uid, time):
        sessions = process()
        assert verdict(sessions, caller(uid, time)) is None
        revoke(firestore, sessions, uid, time)
        assert verdict(sessions, caller(uid, time)) == "TOKEN_REVOKED"
        assert verdict(sessions, caller(uid, time, seconds=1)) is None

    def test_and_those_of_others_after_a_minute(self, firestore, process, uid, time):
        here, there = process(), process()
        assert verdict(here, caller(uid, time)) is None
        revoke(firestore, there, uid, time)
        time.monotonic += 44
        assert verdict(here, caller(uid, time)) is None
        time.monotonic += 16
        assert verdict(here, caller(uid, time)) == "TOKEN_REVOKED"

    def test_a_new_process_knows_what_happened_before_it(self, firestore, process, uid, time):
        revoke(firestore, process(), uid, time, AccountState.DISABLED)
        assert verdict(process(), caller(uid, time)) == "USER_DISABLED"

    def test_a_thousand_readers_are_one_query_a_minute_and_none_of_them_pays(self, process, uid, time, faults):
        sessions = process()
        with track_usage() as usage:
            for number in range(1000):
                assert verdict(sessions, caller(f"{uid}-{number}", time)) is None
        assert faults.calls == ["RunQuery"]
        assert (usage.reads, usage.round_trips) == (0, 0)

    def test_without_the_database_the_old_list_is_used(self, firestore, process, uid, time, faults, caplog):
        here, there = process(), process()
        revoke(firestore, here, uid, time)
        assert verdict(here, caller(uid, time)) == "TOKEN_REVOKED"
        revoke(firestore, there, f"{uid}-2", time)
        faults.follow(each("RunQuery", AWAY, times=99))
        time.monotonic += 60
        assert verdict(here, caller(uid, time)) == "TOKEN_REVOKED"
        assert verdict(here, caller(f"{uid}-2", time)) is None
        assert "the old one is used" in caplog.text
        # It is not asked again for each request, but some seconds later.
        calls = len(faults.calls)
        assert verdict(here, caller(f"{uid}-2", time)) is None
        assert len(faults.calls) == calls
        faults.follow(nothing)
        time.monotonic += 5
        assert verdict(here, caller(f"{uid}-2", time)) == "TOKEN_REVOKED"

    def test_a_revocation_is_forgotten_when_no_token_of_before_it_lives(self, firestore, process, uid, time):
        here, there = process(), process()
        revoke(firestore, there, uid, time)
        assert verdict(here, caller(uid, time)) == "TOKEN_REVOKED"
        time.now += timedelta(minutes=71)
        time.monotonic += 71 * 60
        verdict(here, caller(uid, time))
        assert here._list.find(uid) is None


class TestStates:
    @pytest.mark.parametrize("at_once", [True, False])
    @pytest.mark.parametrize(
        ("state", "seconds", "returning", "code"),
        [
            (AccountState.ACTIVE, -1, False, "TOKEN_REVOKED"),
            (AccountState.ACTIVE, -1, True, "TOKEN_REVOKED"),
            (AccountState.ACTIVE, 1, False, None),
            (AccountState.DISABLED, 1, False, "USER_DISABLED"),
            (AccountState.DISABLED, 1, True, "USER_DISABLED"),
            (AccountState.DELETED, -1, False, "ACCOUNT_DELETED"),
            (AccountState.DELETED, -1, True, "ACCOUNT_DELETED"),
            (AccountState.DELETED, 1, False, "ACCOUNT_DELETED"),
            (AccountState.DELETED, 1, True, None),
        ],
    )
    def test_what_is_stored_decides(self, firestore, process, uid, time, state, seconds, returning, code, at_once):
        sessions = process()
        revoke(firestore, sessions, uid, time, state)
        who = caller(uid, time, seconds=seconds)
        assert verdict(sessions, who, at_once=at_once, returning=returning) == code

    def test_a_token_that_is_older_than_the_undoing_counts(self, firestore, process, uid, time):
        here, there = process(), process()
        old = caller(uid, time, seconds=1, state=AccountState.DELETED)
        assert verdict(here, old) == "ACCOUNT_DELETED"
        revoke(firestore, there, uid, time)
        assert verdict(here, old) is None

    def test_after_an_hour_the_token_itself_says_it(self, process, uid, time):
        assert verdict(process(), caller(uid, time, state=AccountState.DELETED)) == "ACCOUNT_DELETED"
        assert verdict(process(), caller(uid, time, state=AccountState.DELETED), returning=True) is None
        assert verdict(process(), caller(uid, time, state=AccountState.DISABLED)) == "USER_DISABLED"

    def test_a_later_revocation_never_gives_back_what_an_earlier_one_took(self, firestore, process, uid, time):
        sessions = process()
        revoke(firestore, sessions, uid, time)

        def work(transaction):
            current = sessions.current_in(transaction, uid)
            return sessions.revoke_in(transaction, uid, valid_after=0, state=AccountState.ACTIVE, current=current)

        firestore.transaction(work, Deadline.after(60))
        assert verdict(sessions, caller(uid, time), at_once=True) == "TOKEN_REVOKED"


def test_the_next_second_is_waited_for(process, time):
    second = process().next_second()
    assert time.pauses == [pytest.approx(0.75, abs=0.001)]
    assert second == int(time.now.timestamp()) + 1


@pytest.mark.parametrize(("seconds", "recent"), [(0, True), (-299, True), (-301, False), (-86_400, False)])
def test_a_recent_sign_in_is_one_of_the_last_five_minutes(process, time, seconds, recent):
    who = caller("u", time, seconds=seconds)
    if recent:
        process().demand_recent(who)
    else:
        with pytest.raises(RecentSignInRequired):
            process().demand_recent(who)
