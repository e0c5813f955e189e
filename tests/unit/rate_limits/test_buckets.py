"""Token buckets: what they let through in a time, and how much memory they take."""

from hypothesis import given
from hypothesis import strategies as st

from wattle.rate_limits.buckets import Buckets
from wattle.rate_limits.policies import Limits, Policy

POLICY = Policy("test", quota=10, window=60)


@given(st.lists(st.floats(0, 30), max_size=80))
def test_no_more_than_the_quota_and_what_was_refilled(pauses):
    buckets, now, granted = Buckets(), 1000.0, 0
    for pause in pauses:
        now += pause
        granted += buckets.take(POLICY, "k", now)[0]
    assert granted <= POLICY.quota + (now - 1000.0) * POLICY.rate + 1e-6


@given(st.lists(st.floats(0, 30), min_size=1, max_size=80))
def test_who_waits_as_long_as_he_was_told_is_served(pauses):
    buckets, now = Buckets(), 1000.0
    for pause in pauses:
        now += pause
        granted, stands = buckets.take(POLICY, "k", now)
        if not granted:
            assert stands.remaining == 0
            now += stands.reset
            assert buckets.take(POLICY, "k", now)[0]


def test_a_clock_that_goes_back_gives_nothing_away():
    buckets = Buckets()
    for _ in range(POLICY.quota):
        assert buckets.take(POLICY, "k", 1000.0)[0]
    assert not buckets.take(POLICY, "k", 10.0)[0]


def test_memory_is_bounded_and_the_longest_unused_goes_first():
    buckets = Buckets(most=3)
    for key in ("a", "b", "c", "a", "d"):
        buckets.take(POLICY, key, 1000.0)
    assert list(buckets._buckets) == ["c", "a", "d"]


def test_every_policy_makes_sense():
    for policy in (limit.value for limit in Limits):
        assert policy.credit + policy.lease <= policy.quota / 2, "or one instance alone would hold most of it"
        assert policy.scaled(3).rate == 3 * policy.rate
