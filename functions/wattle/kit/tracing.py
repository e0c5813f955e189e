"""Spans of a distributed trace, written to whatever tracer the process was given; to none, at no cost, by default.

`adapters.telemetry` has the one that speaks OpenTelemetry. Nothing of it is imported while tracing is off.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Final, Protocol

Attributes = Mapping[str, str | int]


class Span(Protocol):
    """One span, while it lasts."""

    def set(self, attributes: Attributes) -> None: ...

    def rename(self, name: str) -> None: ...

    def fail(self) -> None:
        """Mark it as failed on our side."""


class Tracer(Protocol):
    """Where spans go. Both take effect for the block, and for threads that run in a copy of its context."""

    def request(self, name: str, traceparent: str) -> AbstractContextManager[Span]:
        """A request that we serve; it continues the trace of its header `traceparent`, empty where it has none."""

    def call(self, name: str, attributes: Attributes) -> AbstractContextManager[Span]:
        """A call that we make; one that raises is marked as failed."""


class _NoSpan:
    def set(self, attributes: Attributes) -> None:
        pass

    def rename(self, name: str) -> None:
        pass

    def fail(self) -> None:
        pass


class _Off:
    _block: Final = nullcontext(_NoSpan())

    def request(self, name: str, traceparent: str) -> AbstractContextManager[Span]:  # noqa: ARG002 (a Tracer)
        return self._block

    def call(self, name: str, attributes: Attributes) -> AbstractContextManager[Span]:  # noqa: ARG002 (a Tracer)
        return self._block


OFF: Final[Tracer] = _Off()
_tracer: Tracer = OFF


def use(tracer: Tracer) -> None:
    """Write all spans of this process there, from now on."""
    global _tracer  # noqa: PLW0603 (a process has one, as it has one log)
    _tracer = tracer


def current() -> Tracer:
    return _tracer
