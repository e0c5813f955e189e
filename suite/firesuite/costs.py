"""Counts what an invocation reads and writes in Firestore, as Firestore bills it.

It runs in the functions' own interpreter. Every gRPC channel to the local Firestore is intercepted, whoever opens it;
what a thread asks for is counted for the invocation that it works for, so work of a function's own threads is not.
A document read is one read, a query that finds nothing is one, an aggregation is one for each 1,000 index entries and
at least one (https://firebase.google.com/docs/firestore/pricing).
"""

import importlib.abc
import importlib.machinery
import importlib.util
import sys
import types
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from firesuite import invocation

_SERVICE = "/google.firestore.v1.Firestore/"
_AGGREGATED_PER_READ = 1_000


def install(address: str) -> None:
    """Count on channels to `address`, from the moment that grpc is imported: not every project has it."""
    if "grpc" in sys.modules:
        _patch(sys.modules["grpc"], address)
    else:
        sys.meta_path.insert(0, _OnImport(address))


class _OnImport(importlib.abc.MetaPathFinder):
    """Patches grpc right after its import, and is gone then."""

    def __init__(self, address: str) -> None:
        self._address = address

    def find_spec(
        self, fullname: str, _path: Sequence[str] | None, _target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != "grpc":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        if spec is None or spec.loader is None:
            return spec
        execute = spec.loader.exec_module

        def exec_module(module: types.ModuleType) -> None:
            execute(module)
            _patch(module, self._address)

        spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


def _patch(grpc: Any, address: str) -> None:
    open_insecure = grpc.insecure_channel

    class Counter(grpc.UnaryUnaryClientInterceptor, grpc.UnaryStreamClientInterceptor):  # type: ignore[misc]
        def intercept_unary_unary(self, call: Callable[..., Any], details: Any, request: Any) -> Any:
            answer = call(details, request)
            method = details.method.removeprefix(_SERVICE)
            running = invocation.running()
            if running is not None and method in _UNARY:
                writes = len(getattr(request, "writes", ()))
                if writes:
                    running.count(0, writes)
                elif method in {"GetDocument", "ListDocuments"}:
                    # One that waits for its answer; the count must not: a future's answer is not there yet.
                    answer.add_done_callback(lambda done: running.count(_found(done, method), 0))
            return answer

        def intercept_unary_stream(self, call: Callable[..., Any], details: Any, request: Any) -> Any:
            answers = call(details, request)
            method = details.method.removeprefix(_SERVICE)
            running = invocation.running()
            return answers if running is None or method not in _STREAMS else _Counted(answers, method, running)

    counter = Counter()

    def insecure_channel(target: str, *rest: Any, **named: Any) -> Any:
        channel = open_insecure(target, *rest, **named)
        return grpc.intercept_channel(channel, counter) if str(target).endswith(address) else channel

    grpc.insecure_channel = insecure_channel


_UNARY = frozenset({"Commit", "BatchWrite", "GetDocument", "ListDocuments"})
_STREAMS = frozenset({"BatchGetDocuments", "RunQuery", "RunAggregationQuery"})


def _found(call: Any, method: str) -> int:
    if call.exception() is not None:
        return 0
    return 1 if method == "GetDocument" else max(1, len(call.result().documents))


class _Counted:
    """A stream of answers that counts the documents in it; everything else of it is the call's own."""

    def __init__(self, answers: Any, method: str, running: invocation.Invocation) -> None:
        self._answers = answers
        self._method = method
        self._running = running
        self._reads = 0

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        try:
            answer = next(self._answers)
        except StopIteration:
            if self._method == "RunQuery" and self._reads == 0:
                self._running.count(1, 0)
            raise
        reads = _reads(self._method, answer)
        if reads:
            self._reads += reads
            self._running.count(reads, 0)
        return answer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._answers, name)


def _reads(method: str, answer: Any) -> int:
    # proto-plus wraps the message, whose own HasField tells an absent document from an empty one.
    message = getattr(answer, "_pb", answer)
    if method == "BatchGetDocuments":
        return 1 if message.WhichOneof("result") else 0
    if method == "RunQuery":
        return 1 if message.HasField("document") else 0
    counts = [value.integer_value for value in message.result.aggregate_fields.values()]
    return max([1, *(-(-count // _AGGREGATED_PER_READ) for count in counts)]) if message.HasField("result") else 0
