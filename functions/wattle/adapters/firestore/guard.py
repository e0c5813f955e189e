"""A condition that is asked for at the last moment before anything is written.

The check of the caller's session costs a read, but no call of its own: the first read of a transaction brings along the
document that decides it, and where something else is read first, that document is sent for at the same time. What the
condition guards is the commit: the client asks it before each.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from wattle.adapters.firestore.values import Document


class Condition:
    """What must hold before a commit; this one always does."""

    @property
    def wanted(self) -> str | None:
        """The path of the document that decides, None where nobody needs to read it (any more)."""
        return None

    def begin(self) -> None:
        """Send for the document that is wanted, without waiting for it."""

    def learn(self, found: Document | None) -> None:
        """Decide by the document that was wanted, None where there is none."""

    def __call__(self) -> None:
        """Return where the condition holds, raise where it does not; read what is wanted first."""


_ALWAYS = Condition()
_guard: ContextVar[Callable[[], Condition]] = ContextVar("firestore_guard", default=lambda: _ALWAYS)


@contextmanager
def guarded(condition: Callable[[], Condition]) -> Iterator[None]:
    """Inside the block nothing is committed unless the condition of that moment holds; it raises at whoever commits."""
    token = _guard.set(condition)
    try:
        yield
    finally:
        _guard.reset(token)


def present() -> Condition:
    """The condition of the block."""
    return _guard.get()()


def ask() -> None:
    """Return where the block's condition holds; what it raises goes to whoever commits."""
    present()()
