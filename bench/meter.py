"""A proxy before the local Firestore that counts what is billed, whoever the client is.

It hands on every call as bytes. Billed are (Firestore pricing, "Managing large result sets", "Minimum charge for
queries", "Aggregation queries"): a read for each document that a get or a query looks up or returns, and for each that
an offset skips; at least one for a query; one for each 1,000 index entries of a count; a write or delete for each of a
commit.
"""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self

import grpc

from firesuite.ports import free_ports
from wattle.adapters.firestore import messages as m

_SERVICE: Final = "/google.firestore.v1.Firestore/"
_THREADS: Final = 32


@dataclass(frozen=True, slots=True)
class Bill:
    reads: int = 0
    writes: int = 0
    deletes: int = 0
    calls: int = 0

    def __sub__(self, other: "Bill") -> "Bill":
        return Bill(
            self.reads - other.reads,
            self.writes - other.writes,
            self.deletes - other.deletes,
            self.calls - other.calls,
        )


class Meter:
    """Listens on a port of its own; a context manager."""

    def __init__(self, firestore: str) -> None:
        """`firestore` is host:port of the local Firestore."""
        (port,) = free_ports(1)
        self.host = f"127.0.0.1:{port}"
        self._changed = threading.Condition()
        self._under_way = 0
        self._total = Bill()
        self._channel = grpc.insecure_channel(firestore, options=[("grpc.max_receive_message_length", -1)])
        self._server = grpc.server(ThreadPoolExecutor(_THREADS), options=[("grpc.max_receive_message_length", -1)])
        self._server.add_generic_rpc_handlers((_Handler(self),))
        self._server.add_insecure_port(self.host)

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.stop(0).wait()
        self._channel.close()

    def total(self) -> Bill:
        """What was counted since it started. It waits for calls under way: some clients answer before theirs ends."""
        with self._changed:
            if not self._changed.wait_for(lambda: not self._under_way, timeout=10):
                raise RuntimeError("a call to Firestore does not end")
            return self._total

    def forward(self, method: str, request: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
        with self._changed:
            self._under_way += 1
        # A call with one answer and a stream of answers are the same on the wire, so this serves both.
        call = self._channel.unary_stream(method)(
            request,
            metadata=[
                pair for pair in context.invocation_metadata() if not pair[0].startswith(("user-agent", "grpc-"))
            ],
            timeout=context.time_remaining(),
        )
        answers = []
        try:
            for answer in call:
                answers.append(answer)
                yield answer
        except grpc.RpcError as error:
            context.set_trailing_metadata(error.trailing_metadata() or ())
            context.abort(error.code(), error.details() or "")
        finally:
            self._count(_billed(method.removeprefix(_SERVICE), request, answers))

    def _count(self, bill: Bill) -> None:
        with self._changed:
            total = self._total
            self._total = Bill(
                total.reads + bill.reads,
                total.writes + bill.writes,
                total.deletes + bill.deletes,
                total.calls + bill.calls,
            )
            self._under_way -= 1
            self._changed.notify_all()


class _Handler(grpc.GenericRpcHandler):  # type: ignore[misc]
    def __init__(self, meter: Meter) -> None:
        self._meter = meter

    def service(self, details: grpc.HandlerCallDetails) -> Any:
        method = details.method
        return grpc.unary_stream_rpc_method_handler(
            lambda request, context: self._meter.forward(method, request, context)
        )


def _billed(method: str, request: bytes, answers: list[bytes]) -> Bill:
    if method == "GetDocument":
        return Bill(reads=1, calls=1)
    if method == "BatchGetDocuments":
        return Bill(reads=len(m.BatchGetDocumentsRequest.FromString(request).documents), calls=1)
    if method == "RunQuery":
        return Bill(reads=_read_by_query(request, answers), calls=1)
    if method == "RunAggregationQuery":
        values = [m.RunAggregationQueryResponse.FromString(answer).result.aggregate_fields for answer in answers]
        entries = sum(value.integer_value for fields in values for value in fields.values())
        return Bill(reads=max(1, -(-entries // 1000)), calls=1)
    if method == "Commit":
        writes = m.CommitRequest.FromString(request).writes if answers else []
        deletes = sum(1 for write in writes if write.WhichOneof("operation") == "delete")
        return Bill(writes=len(writes) - deletes, deletes=deletes, calls=1)
    return Bill(calls=1)


def _read_by_query(request: bytes, answers: list[bytes]) -> int:
    found = sum(m.RunQueryResponse.FromString(answer).HasField("document") for answer in answers)
    # The local server does not say how many it skipped; each of these lists is longer than the offset.
    return max(1, found + m.RunQueryRequest.FromString(request).structured_query.offset)
