"""Calls side by side."""

import threading
from contextvars import ContextVar

import pytest

from wattle.kit.parallel import side_by_side

number: ContextVar[int] = ContextVar("number", default=0)


def test_results_come_in_order_and_in_the_callers_context():
    number.set(7)
    assert side_by_side([lambda n=n: (n, number.get()) for n in range(20)]) == [(n, 7) for n in range(20)]


def test_they_run_at_the_same_time():
    together = threading.Barrier(8)
    side_by_side([lambda: together.wait(timeout=60)] * 8)


def test_the_first_failure_is_raised_when_all_have_ended():
    ended = []

    def work(n):
        if n in (2, 4):
            raise ValueError(n)
        ended.append(n)

    with pytest.raises(ValueError, match="2"):
        side_by_side([lambda n=n: work(n) for n in range(6)])
    assert sorted(ended) == [0, 1, 3, 5]


def test_parallel_work_in_parallel_work_always_ends():
    """64 threads, 12 x 12 x 12 calls: whoever waits does what nobody has begun."""

    def level(depth):
        if depth == 0:
            return 1
        return sum(side_by_side([lambda: level(depth - 1)] * 12))

    assert level(3) == 12**3
