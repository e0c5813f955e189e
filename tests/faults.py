"""Faults between Wattle and Firestore: a channel whose calls fail as a plan says, before or after they took effect.

fireemu's own fault plan can fail a call before it takes effect; what it cannot do is commit and then lose the answer.
"""

import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass

import grpc


class Fault(grpc.RpcError):
    """A failed call, as gRPC raises it."""

    def __init__(self, status: grpc.StatusCode) -> None:
        super().__init__(status.name)
        self._status = status

    def code(self) -> grpc.StatusCode:
        return self._status

    def details(self) -> str:
        return "injected"


class Died(BaseException):
    """The process ended here. Nothing catches it but what plays the part of its supervisor."""


@dataclass(frozen=True)
class Failure:
    """Fail with `status`, or die where it is None; `after` the call took effect, or before it left."""

    status: grpc.StatusCode | None
    after: bool = False

    def error(self) -> BaseException:
        return Died() if self.status is None else Fault(self.status)


Plan = Callable[[str, int], Failure | None]
"""What becomes of a call: by its method (`Commit`) and its number among all calls, from 1."""


def nothing(_method: str, _number: int) -> None:
    """Every call works."""


def at(number: int, failure: Failure) -> Plan:
    """The call with this number fails, whatever it is."""
    return lambda _method, present: failure if present == number else None


def each(method: str, failure: Failure, times: int = 1) -> Plan:
    """The first `times` calls of a method fail."""
    left = [failure] * times
    return lambda present, _number: left.pop() if present == method and left else None


def at_random(seed: int, share: float) -> Plan:
    """A share of all calls fails, in ways and places that the seed decides."""
    source = random.Random(seed)  # the seed is what makes a failing run repeatable

    def decide(method: str, _number: int) -> Failure | None:
        if source.random() >= share:
            return None
        status = source.choice(RETRIABLE)
        return Failure(status, after=method == "Commit" and status in LOST and source.random() < 0.5)

    return decide


RETRIABLE = (
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.ABORTED,
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
)
LOST = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.INTERNAL)
"""What a client sees when a commit took effect and its answer was lost."""


class _Call:
    """A call that one waits for, or that is made and asked about later."""

    def __init__(self, call: Callable) -> None:
        self._call = call

    def __call__(self, request, *, timeout, metadata):
        return self._call(request, timeout=timeout, metadata=metadata)

    def future(self, request, *, timeout, metadata):
        made = Future()
        try:
            made.set_result(self._call(request, timeout=timeout, metadata=metadata))
        except grpc.RpcError as error:
            made.set_exception(error)
        return made


class FaultyChannel:
    """Stands in for the channel of `Firestore`. Since the last `follow`: `calls` are the methods called, `written` the
    paths in the commits that were sent."""

    def __init__(self, channel: grpc.Channel) -> None:
        self._channel = channel
        self._lock = threading.Lock()
        self._plan: Plan = nothing
        self.calls: list[str] = []
        self.written: list[str] = []
        self.slow = 0.0
        """Seconds that each call takes longer, within its own deadline."""

    def follow(self, plan: Plan) -> None:
        """From now on, this plan; calls are counted anew."""
        with self._lock:
            self._plan = plan
            self.calls = []
            self.written = []

    def unary_unary(self, method, **options):
        inner = self._channel.unary_unary(method, **options)

        def call(request, *, timeout, metadata):
            failure = self._decide(method, timeout)
            self._note(request)
            answer = inner(request, timeout=timeout, metadata=metadata)
            if failure:
                raise failure.error()
            return answer

        return _Call(call)

    def unary_stream(self, method, **options):
        inner = self._channel.unary_stream(method, **options)

        def call(request, *, timeout, metadata):
            failure = self._decide(method, timeout)
            yield from inner(request, timeout=timeout, metadata=metadata)
            if failure:
                raise failure.error()

        return call

    def _note(self, request):
        writes = getattr(request, "writes", ())
        names = [write.update.name or write.delete for write in writes]
        self.written += [name.partition("/documents/")[2] for name in names]

    def _decide(self, method, timeout):
        """Raises for a fault before the call; returns the one to raise after it."""
        name = method.rpartition("/")[2]
        with self._lock:
            self.calls.append(name)
            failure = self._plan(name, len(self.calls))
        if self.slow:
            time.sleep(min(self.slow, timeout))
            if self.slow >= timeout:
                raise Fault(grpc.StatusCode.DEADLINE_EXCEEDED)
        if failure and not failure.after:
            raise failure.error()
        return failure
