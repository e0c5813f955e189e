"""Calls to google.firestore.v1.Firestore: deadlines, retries of reads, metadata, and the count of what is billed."""

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Final, TypeVar

import grpc

from wattle.adapters.firestore import messages as m
from wattle.adapters.firestore.errors import FirestoreError, FirestoreUnavailable, from_grpc
from wattle.adapters.firestore.usage import bill
from wattle.kit import tracing
from wattle.kit.retry import Deadline, full_jitter

# A call that takes longer is better tried again: p99 of a healthy database in the same region is below 100 ms.
_CALL_TIMEOUT: Final = 5.0
# With the pauses in between 0.75 s on average: a broken connection is made again meanwhile.
_READ_ATTEMPTS: Final = 5
_BACKOFF_BASE: Final = 0.1
_BACKOFF_CAP: Final = 1.0

_SERVICE: Final = "/google.firestore.v1.Firestore/"

T = TypeVar("T")


class Rpc:
    """The methods that Wattle uses, on one channel that all threads share.

    Reads are tried again while Firestore is unavailable and the deadline allows; commits are not, because nobody can
    know whether the first took effect: `Transaction` decides that.
    """

    def __init__(self, channel: grpc.Channel, database: str, credentials: Sequence[tuple[str, str]]) -> None:
        self._metadata = (
            ("google-cloud-resource-prefix", database),
            ("x-goog-request-params", f"database={database.replace('/', '%2F')}"),
            *credentials,
        )
        self._channel = channel
        self._get = self._unary("GetDocument", m.DocumentMessage)
        # The same call, read as a stream: gRPC starts a thread for each future, and none for this.
        self._get_later = self._stream("GetDocument", m.DocumentMessage)
        self._commit = self._unary("Commit", m.CommitResponse)
        self._begin = self._unary("BeginTransaction", m.BeginTransactionResponse)
        self._rollback = self._unary("Rollback", None)
        self._batch_get = self._stream("BatchGetDocuments", m.BatchGetDocumentsResponse)
        self._run_query = self._stream("RunQuery", m.RunQueryResponse)
        self._aggregate = self._stream("RunAggregationQuery", m.RunAggregationQueryResponse)

    def _unary(self, method: str, response: Any) -> Callable[..., Any]:
        return self._channel.unary_unary(
            _SERVICE + method,
            request_serializer=_serialize,
            response_deserializer=response.FromString if response else None,
        )

    def _stream(self, method: str, response: Any) -> Callable[..., Any]:
        return self._channel.unary_stream(
            _SERVICE + method, request_serializer=_serialize, response_deserializer=response.FromString
        )

    def get(self, request: Any, deadline: Deadline) -> Any | None:
        """The `Document`, or None where there is none. Billed one read either way."""

        def call(timeout: float) -> Any | None:
            bill(reads=1, round_trips=1)
            try:
                return self._get(request, timeout=timeout, metadata=self._metadata)
            except grpc.RpcError as error:
                if error.code() is grpc.StatusCode.NOT_FOUND:
                    return None
                raise

        return _read("GetDocument", call, deadline)

    def get_later(self, request: Any, deadline: Deadline) -> Callable[[], Any | None]:
        """Like `get`, in two parts: the call is under way when this returns; the result waits for it."""
        bill(reads=1, round_trips=1)
        pending = self._get_later(request, timeout=_timeout(deadline, "GetDocument"), metadata=self._metadata)

        def wait() -> Any | None:
            try:
                (found,) = pending
            except grpc.RpcError as error:
                return None if error.code() is grpc.StatusCode.NOT_FOUND else self.get(request, deadline)
            return found

        return wait

    def batch_get(self, request: Any, deadline: Deadline) -> list[Any]:
        """The responses, in the server's order. Billed one read for each path, found or not."""

        def call(timeout: float) -> list[Any]:
            bill(reads=len(request.documents), round_trips=1)
            return list(self._batch_get(request, timeout=timeout, metadata=self._metadata))

        # Begun inside the read: a second attempt would leave the first one's transaction and its locks behind.
        attempts = 1 if request.HasField("new_transaction") else _READ_ATTEMPTS
        return _read("BatchGetDocuments", call, deadline, attempts)

    def run_query(self, request: Any, deadline: Deadline) -> tuple[list[Any], Any]:
        """The documents found, and the `Timestamp` they were read at. Billed one read for each, at least one."""

        def call(timeout: float) -> tuple[list[Any], Any]:
            responses = list(self._run_query(request, timeout=timeout, metadata=self._metadata))
            found = [response.document for response in responses if response.HasField("document")]
            bill(reads=max(1, len(found)), round_trips=1)
            # Each response says it, also the one that comes where nothing was found.
            return found, responses[-1].read_time

        return _read("RunQuery", call, deadline)

    def count(self, request: Any, deadline: Deadline) -> int:
        """The first aggregate, an integer. Billed one read for each 1,000 index entries, at least one."""

        def call(timeout: float) -> int:
            responses = list(self._aggregate(request, timeout=timeout, metadata=self._metadata))
            (value,) = responses[0].result.aggregate_fields.values()
            total = int(value.integer_value)
            bill(reads=max(1, -(-total // 1000)), round_trips=1)
            return total

        return _read("RunAggregationQuery", call, deadline)

    def commit(self, request: Any, deadline: Deadline) -> Any:
        """The `CommitResponse`. Tried once."""
        bill(round_trips=1)
        response = self._once("Commit", self._commit, request, deadline)
        deletes = sum(1 for write in request.writes if write.WhichOneof("operation") == "delete")
        bill(writes=len(request.writes) - deletes, deletes=deletes)
        return response

    def begin(self, request: Any, deadline: Deadline) -> bytes:
        """A new transaction's id."""
        bill(round_trips=1)
        transaction: bytes = self._once("BeginTransaction", self._begin, request, deadline).transaction
        return transaction

    def rollback(self, request: Any, deadline: Deadline) -> None:
        """Give a transaction's locks back. Tried again like a read: what broke its commit breaks the first try, too."""

        def call(timeout: float) -> None:
            bill(round_trips=1)
            self._rollback(request, timeout=timeout, metadata=self._metadata)

        _read("Rollback", call, deadline)

    def _once(self, method: str, call: Callable[..., Any], request: Any, deadline: Deadline) -> Any:
        with _span(method):
            try:
                return call(request, timeout=_timeout(deadline, method), metadata=self._metadata)
            except grpc.RpcError as error:
                raise from_grpc(error, method) from error


def _serialize(message: Any) -> bytes:
    data: bytes = message.SerializeToString()
    return data


def _timeout(deadline: Deadline, method: str) -> float:
    remaining = deadline.remaining()
    if remaining <= 0:
        raise FirestoreUnavailable(f"{method}: no time is left for it", maybe_applied=False)
    return min(_CALL_TIMEOUT, remaining)


def _span(method: str) -> AbstractContextManager[tracing.Span]:
    return tracing.current().call(f"Firestore/{method}", _SPANS[method])


# What the semantic conventions of OpenTelemetry ask of a gRPC call.
_SPANS: Final = {
    method: {"rpc.system": "grpc", "rpc.service": "google.firestore.v1.Firestore", "rpc.method": method}
    for method in (
        "GetDocument",
        "BatchGetDocuments",
        "RunQuery",
        "RunAggregationQuery",
        "Commit",
        "BeginTransaction",
        "Rollback",
    )
}


def _read(method: str, call: Callable[[float], T], deadline: Deadline, attempts: int = _READ_ATTEMPTS) -> T:
    with _span(method):
        return _until_answered(method, call, deadline, attempts)


def _until_answered(method: str, call: Callable[[float], T], deadline: Deadline, attempts: int) -> T:
    attempt = 0
    while True:
        try:
            return call(_timeout(deadline, method))
        except grpc.RpcError as error:
            failure: FirestoreError = from_grpc(error, method)
            attempt += 1
            if not isinstance(failure, FirestoreUnavailable) or attempt >= attempts:
                raise failure from error
        time.sleep(min(full_jitter(attempt - 1, base=_BACKOFF_BASE, cap=_BACKOFF_CAP), deadline.remaining()))
