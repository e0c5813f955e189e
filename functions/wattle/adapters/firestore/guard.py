"""A condition that is asked for at the last moment before anything is written.

The check of the caller's session runs beside the reads of the request, so that it costs no time of its own. What it
guards is the commit: the client asks here before each.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_guard: ContextVar[Callable[[], None] | None] = ContextVar("firestore_guard", default=None)


@contextmanager
def guarded(check: Callable[[], None]) -> Iterator[None]:
    """Inside the block nothing is committed unless `check` returns; what it raises goes to whoever commits."""
    token = _guard.set(check)
    try:
        yield
    finally:
        _guard.reset(token)


def ask() -> None:
    """Run the check of the block, if there is one."""
    check = _guard.get()
    if check is not None:
        check()
