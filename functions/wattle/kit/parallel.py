"""Calls side by side in threads, each in a copy of the caller's context."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from functools import cache
from typing import Final, TypeVar

T = TypeVar("T")

# Threads are started when they are needed. A home screen takes three besides its own: at 80 requests at a time the last
# ones find none and do their calls one after the other, which is slower and never wrong.
_THREADS: Final = 64


def side_by_side(calls: Sequence[Callable[[], T]]) -> list[T]:
    """What each call returns, in their order. The caller's own thread takes its share.

    A call that no thread has begun yet when the caller is free is done by the caller: so calls may themselves be
    parallel, and nobody ever waits for a thread that waits for him.

    Raises:
        What the first of the calls that failed raised; the others have ended by then.
    """
    first, *others = calls
    futures = [_pool().submit(copy_context().run, call) for call in others]
    outcomes = [_outcome(first)]
    outcomes += [_outcome(call) if future.cancel() else future for call, future in zip(others, futures, strict=True)]
    failures = [error for outcome in outcomes if (error := outcome.exception()) is not None]
    if failures:
        raise failures[0]
    return [outcome.result() for outcome in outcomes]


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_THREADS, thread_name_prefix="parallel")


def _outcome(call: Callable[[], T]) -> "Future[T]":
    done: Future[T] = Future()
    try:
        done.set_result(call())
    except Exception as error:  # noqa: BLE001 (kept, and raised when all have ended)
        done.set_exception(error)
    return done
