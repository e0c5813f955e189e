"""Faults and latency between a Python program and Firestore, or any other gRPC service: a client interceptor.

    faults = Faults()
    faults.install(client)                                 # a google.cloud.firestore.Client or AsyncClient
    channel = grpc.intercept_channel(channel, faults)      # or any channel

    faults.slow(0.008)                                     # each call takes 8 ms longer
    faults.follow(nth("Commit", 2, Failure(UNAVAILABLE)))  # the second commit fails before it leaves
    faults.follow(nth("Commit", 1, Failure(UNAVAILABLE, after=True)))  # it takes effect, and its answer is lost
    faults.follow(at_random(seed=7, share=0.1))            # a tenth of all calls fails, always in the same places

fireemu's own fault plan (`ControlApi.put_fault_plan`) reaches the calls of every client, those of web SDKs too. What it
cannot do is commit and then lose the answer, delay by milliseconds, or fail by chance.
"""

import itertools
import random
import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, NoReturn, Self

import grpc


class Fault(grpc.RpcError, grpc.Call, grpc.Future):  # type: ignore[type-arg]  # (generic in its stubs alone)
    """A failed call, as gRPC raises and returns it."""

    def __init__(self, status: grpc.StatusCode, details: str = "injected") -> None:
        super().__init__(status.name)
        self._status = status
        self._details = details

    def code(self) -> grpc.StatusCode:
        return self._status

    def details(self) -> str:
        return self._details

    def initial_metadata(self) -> tuple[()]:
        return ()

    def trailing_metadata(self) -> tuple[()]:
        return ()

    def is_active(self) -> bool:
        return False

    def time_remaining(self) -> float:
        return 0.0

    def add_callback(self, _callback: Callable[[], None]) -> bool:
        return False

    def cancel(self) -> bool:
        return False

    def cancelled(self) -> bool:
        return False

    def running(self) -> bool:
        return False

    def done(self) -> bool:
        return True

    def result(self, timeout: float | None = None) -> NoReturn:  # noqa: ARG002 - grpc.Future's
        raise self

    def exception(self, timeout: float | None = None) -> Self:  # noqa: ARG002 - grpc.Future's
        return self

    def traceback(self, timeout: float | None = None) -> Any:  # noqa: ARG002 - grpc.Future's
        return self.__traceback__

    def add_done_callback(self, callback: Callable[[Self], None]) -> None:
        callback(self)


class Died(BaseException):
    """The process ended here. Nothing catches it but what plays the part of its supervisor."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Fail with `status`, or die where it is None; `after` the call took effect, or before it left."""

    status: grpc.StatusCode | None
    after: bool = False

    def error(self) -> BaseException:
        return Died() if self.status is None else Fault(self.status)


@dataclass(frozen=True, slots=True)
class Call:
    """A call that is about to be made."""

    method: str
    """Its bare name: `Commit`."""
    number: int
    """From 1, among all calls since `follow`."""
    nth: int
    """From 1, among the calls of its method since `follow`."""
    request: Any
    """The message as the client gave it; None where a stream of them is sent."""

    def mentions(self, *names: str) -> bool:
        """Whether the request speaks of one of them: a part of a path, a field's name, a value."""
        message = getattr(self.request, "_pb", self.request)  # proto-plus keeps the protocol buffer in there
        data: bytes = b"" if message is None else message.SerializeToString()
        return any(name.encode() in data for name in names)


AWAY: Final = Failure(grpc.StatusCode.UNAVAILABLE)
"""The service does not answer."""

Plan = Callable[[Call], Failure | None]
"""What becomes of a call. It is asked from the thread that calls, possibly from several at once."""

RETRIABLE: Final = (
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.ABORTED,
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
)
"""What Firestore answers now and then, and what a program is to live with."""

LOST: Final = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.INTERNAL)
"""What a client sees when a commit took effect and its answer was lost."""

_REMEMBERED: Final = 10_000


def nothing(_call: Call) -> None:
    """Every call works."""


def at(number: int, failure: Failure) -> Plan:
    """The call with this number fails, whatever it is."""
    return lambda call: failure if call.number == number else None


def nth(method: str, number: int, failure: Failure) -> Plan:
    """The call with this number among those of `method` fails."""
    return lambda call: failure if (call.method, call.nth) == (method, number) else None


def each(method: str, failure: Failure, times: int = 1) -> Plan:
    """The first `times` calls of a method fail."""
    made = itertools.count(1)
    return lambda call: failure if call.method == method and next(made) <= times else None


def mentioning(*names: str, failure: Failure = AWAY, but_not: tuple[str, ...] = ()) -> Plan:
    """Calls fail whose request speaks of one of `names` and of none of `but_not`."""
    return lambda call: failure if call.mentions(*names) and not call.mentions(*but_not) else None


def at_random(seed: int, share: float, *failures: Failure) -> Plan:
    """A share of all calls fails, each with one of `failures`. The seed decides what becomes of the nth call of a
    method, in whatever order threads call.

    Where no failures are given it is one of `RETRIABLE`, and half of the commits that fail with one of `LOST` take
    effect.
    """

    def decide(call: Call) -> Failure | None:
        dice = random.Random(f"{seed}/{call.method}/{call.nth}")  # noqa: S311 - repeatable is what it is to be
        if dice.random() >= share:
            return None
        if failures:
            return dice.choice(failures)
        status = dice.choice(RETRIABLE)
        return Failure(status, after=call.method == "Commit" and status in LOST and dice.random() < 0.5)

    return decide


class Faults(
    grpc.UnaryUnaryClientInterceptor,
    grpc.UnaryStreamClientInterceptor,
    grpc.StreamStreamClientInterceptor,
):
    """Follows a plan, and remembers what was called. One of these may serve several channels and threads at once."""

    def __init__(self, plan: Plan = nothing) -> None:
        self._lock = threading.Lock()
        self._delays: dict[str | None, float] = {}
        self.follow(plan)

    def follow(self, plan: Plan) -> None:
        """From now on, this plan; calls are counted anew."""
        with self._lock:
            self._plan = plan
            self._numbers = Counter[str]()
            self._calls = deque[str](maxlen=_REMEMBERED)
            self._written = deque[str](maxlen=_REMEMBERED)

    @property
    def calls(self) -> list[str]:
        """The methods called since `follow`, of very many the last 10,000."""
        with self._lock:
            return list(self._calls)

    @property
    def written(self) -> list[str]:
        """The paths of the documents in the commits that were sent since `follow`, of very many the last 10,000."""
        with self._lock:
            return list(self._written)

    def slow(self, seconds: float, *methods: str) -> None:
        """The answers to these methods, or to all where none is named, come so much later; 0 ends it.

        A call whose deadline passes meanwhile fails with DEADLINE_EXCEEDED, having taken effect.
        """
        with self._lock:
            self._delays = self._delays | dict.fromkeys(methods, seconds) if methods else {None: seconds}

    def reset(self) -> None:
        """Every call works again, without delay."""
        self.slow(0)
        self.follow(nothing)

    def install(self, client: Any) -> None:
        """Put this between a `google.cloud.firestore.Client` or `AsyncClient` and its service, over a new channel.

        Raises TypeError for anything else.
        """
        from firesuite.google_clients import install  # noqa: PLC0415 - for programs that have these clients

        install(self, client)

    def decide(self, method: str, request: Any, *, streams: bool = False) -> tuple[Failure | None, float]:
        """Count a call; raise if it is to fail before it leaves. Else its failure after it took effect, and its delay
        in seconds."""
        name = sys.intern(method.rpartition("/")[2])
        with self._lock:
            self._calls.append(name)
            self._numbers[name] += 1
            number, nth_of_method = self._numbers.total(), self._numbers[name]
            plan = self._plan
            delay = self._delays.get(name, self._delays.get(None, 0.0))
        failure = plan(Call(name, number, nth_of_method, None if streams else request))
        if failure and not failure.after:
            raise failure.error()
        if not streams:
            self._note(request)
        return failure, delay

    def intercept_unary_unary(self, proceed: Callable[..., Any], details: Any, request: Any) -> Any:
        return self._intercept(_Answer, proceed, details, request)

    def intercept_unary_stream(self, proceed: Callable[..., Any], details: Any, request: Any) -> Any:
        return self._intercept(_Answers, proceed, details, request)

    def intercept_stream_stream(self, proceed: Callable[..., Any], details: Any, requests: Any) -> Any:
        return self._intercept(_Answers, proceed, details, requests, streams=True)

    def _intercept(
        self, kind: type["_Delayed"], proceed: Callable[..., Any], details: Any, request: Any, *, streams: bool = False
    ) -> Any:
        deadline = None if details.timeout is None else time.monotonic() + details.timeout
        failure, delay = self.decide(details.method, request, streams=streams)
        inner = proceed(details, request)
        return inner if failure is None and not delay else kind(inner, failure, delay, deadline)

    def _note(self, request: Any) -> None:
        writes = getattr(request, "writes", ())
        names = [write.update.name or write.delete for write in writes]
        with self._lock:
            self._written.extend(name.partition("/documents/")[2] for name in names)


class _Delayed:
    """A call under way, whose answer comes late or is lost. What is not asked for here, the call itself answers."""

    def __init__(self, inner: Any, failure: Failure | None, delay: float, deadline: float | None) -> None:
        self._inner = inner
        self._failure = failure
        self._delay = delay
        self._deadline = deadline
        self._since = time.monotonic()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def _arrive(self, asked: float) -> None:
        """Wait for what is left of the delay: while the caller did other things, from the call until he `asked` for its
        answer, the answer was on its way."""
        if not self._delay:
            return  # as with every answer of a stream after the first: even to sleep for no time takes 60 us
        now = time.monotonic()
        until = now + self._delay - (asked - self._since)
        self._delay = 0.0
        if self._deadline is not None and until > self._deadline:
            time.sleep(max(0.0, self._deadline - now))
            self._inner.cancel()
            raise Fault(grpc.StatusCode.DEADLINE_EXCEEDED)
        time.sleep(max(0.0, until - now))


class _Answer(_Delayed):
    def result(self, timeout: float | None = None) -> Any:
        asked = time.monotonic()
        try:
            answer = self._inner.result(timeout)
        finally:
            self._arrive(asked)
        if self._failure:
            raise self._failure.error()
        return answer

    def exception(self, timeout: float | None = None) -> BaseException | None:
        try:
            self.result(timeout)
        except grpc.RpcError as error:
            return error
        return None


class _Answers(_Delayed):
    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        asked = time.monotonic()
        try:
            answer = next(self._inner)
        except StopIteration:
            self._arrive(asked)
            if self._failure:
                raise self._failure.error() from None
            raise
        self._arrive(asked)
        return answer
