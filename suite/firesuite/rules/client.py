"""A caller's requests over gRPC, with that caller's token and nobody else's rights."""

import queue
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.cloud.firestore_v1.types import document, firestore

from firesuite.errors import SuiteError
from firesuite.rules.engine import Engine
from firesuite.rules.queries import Query
from firesuite.rules.tokens import Caller
from firesuite.rules.values import decode_document
from firesuite.rules.writes import Write, create, delete, replace, update

TIMEOUT_SECONDS = 30.0
Metadata = tuple[tuple[str, str], ...]
Messages = list[Any]
# What an emulator answers before it looks at any rule: the token is of another project, of nobody, or forged.
_REFUSED = (grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.UNAUTHENTICATED)


class DeniedError(AssertionError):
    """The value of a request was asked for that the rules had denied."""


class RequestFailedError(SuiteError):
    """The request ended neither allowed nor denied, such as an update of a document that is not there."""

    def __init__(self, operation: str, code: grpc.StatusCode, details: str) -> None:
        super().__init__(f"{operation} failed with {code.name}: {details}")
        self.code = code


@dataclass(frozen=True)
class Request:
    """One request as a person would write it: `get orders/o1 as 'alice'`.

    `method` and `path` are those of the decisive rule check where one request has one; None where it has several.
    """

    operation: str
    target: str
    caller: Caller
    method: str | None = None

    def __str__(self) -> str:
        return f"{self.operation} {self.target} as {self.caller}"


@dataclass(frozen=True)
class Outcome:
    """How a request ended. `value` raises `DeniedError` where it was denied: a forgotten assertion is noticed."""

    request: Request
    allowed: bool
    message: str
    engine: Engine
    _value: Any = field(default=None, repr=False)

    @property
    def value(self) -> Any:
        """What was asked for: a document's fields or None, (id, fields) of a list or query, a count, a `Listener`."""
        if not self.allowed:
            raise DeniedError(f"{self.request} was denied: {self.message}")
        return self._value


class Client:
    """The requests of one caller. Every method sends its request at once and returns its `Outcome`."""

    def __init__(self, engine: Engine, caller: Caller) -> None:
        self.engine = engine
        self.caller = caller
        bearer = caller.bearer(engine.project)
        self._metadata: Metadata = (("authorization", f"Bearer {bearer}"),) if bearer else ()

    def get(self, path: str) -> Outcome:
        """One document; its fields, or None where it does not exist."""
        message = firestore.GetDocumentRequest.pb()(name=f"{self.engine.documents}/{path}")

        def send() -> Any:
            return decode_document(self._unary("GetDocument", message, document.Document))

        return self._outcome(Request("get", path, self.caller, "get"), send, missing=None)

    def list(self, collection: str, limit: int | None = None) -> Outcome:
        """ListDocuments, which REST clients use: `limit` is its pageSize."""
        parent, _, name = collection.rpartition("/")
        message = firestore.ListDocumentsRequest.pb()(
            parent=f"{self.engine.documents}/{parent}" if parent else self.engine.documents,
            collection_id=name,
            page_size=limit or 0,
        )

        def send() -> Any:
            found = self._unary("ListDocuments", message, firestore.ListDocumentsResponse).documents
            return [_row(item) for item in found]

        return self._outcome(Request("list", collection, self.caller, "list"), send)

    def query(self, query: Query | str) -> Outcome:
        """RunQuery, which every SDK uses."""
        query = _query(query)
        message = firestore.RunQueryRequest.pb()(
            parent=query.parent(self.engine.documents), structured_query=query.structured(self.engine.documents)
        )

        def send() -> Any:
            answers = self._stream("RunQuery", message, firestore.RunQueryResponse)
            return [_row(answer.document) for answer in answers if answer.HasField("document")]

        return self._outcome(Request("query", str(query), self.caller, "list"), send)

    def count(self, query: Query | str) -> Outcome:
        """RunAggregationQuery with one count."""
        query = _query(query)
        message = firestore.RunAggregationQueryRequest.pb()(parent=query.parent(self.engine.documents))
        aggregation = message.structured_aggregation_query
        aggregation.structured_query.CopyFrom(query.structured(self.engine.documents))
        aggregation.aggregations.add(alias="count").count.SetInParent()

        def send() -> Any:
            [answer] = self._stream("RunAggregationQuery", message, firestore.RunAggregationQueryResponse)
            return answer.result.aggregate_fields["count"].integer_value

        return self._outcome(Request("count", str(query), self.caller, "list"), send)

    def listen(self, target: Query | str) -> Outcome:
        """A live listener on a document's path or a `Query`, when its first state is there. Close it."""
        request = Request("listen", str(target), self.caller, "get" if isinstance(target, str) else "list")

        def send() -> Any:
            return Listener(self.engine, self._metadata, target)

        return self._outcome(request, send)

    def create(self, path: str, data: Mapping[str, Any]) -> Outcome:
        return self._write("create", create(path, data))

    def update(self, path: str, data: Mapping[str, Any]) -> Outcome:
        return self._write("update", update(path, data))

    def set(self, path: str, data: Mapping[str, Any]) -> Outcome:
        """Writes the whole document; the rules judge a create or an update, as it turns out."""
        return self._write(None, replace(path, data))

    def delete(self, path: str) -> Outcome:
        return self._write("delete", delete(path))

    def commit(self, writes: Iterable[Write]) -> Outcome:
        """Several writes, all or none."""
        writes = list(writes)
        request = Request("commit", ", ".join(f"{write.kind} {write.path}" for write in writes), self.caller)
        return self._outcome(request, lambda: self._commit(writes))

    def transaction(self, reads: Sequence[str], writes: Callable[[dict[str, Any]], Iterable[Write]]) -> Outcome:
        """A transaction as the mobile SDKs make it: reads, then a commit on condition that what was read still holds.

        `writes` gets the fields of what was read (None where missing), by path. A read-write BeginTransaction is the
        server libraries' way; with a user's token it is always denied.
        """
        request = Request("transaction", ", ".join(reads), self.caller)
        names = [f"{self.engine.documents}/{path}" for path in reads]
        database = self.engine.documents.removesuffix("/documents")

        def send() -> Any:
            message = firestore.BatchGetDocumentsRequest.pb()(database=database, documents=names)
            answers = self._stream("BatchGetDocuments", message, firestore.BatchGetDocumentsResponse)
            found = {answer.found.name: answer.found for answer in answers if answer.HasField("found")}
            fields = {
                path: decode_document(found[name]) if name in found else None
                for path, name in zip(reads, names, strict=True)
            }
            times = {path: found[name].update_time for path, name in zip(reads, names, strict=True) if name in found}
            self._commit(
                [Write(item.kind, item.path, item.data, times.get(item.path)) for item in writes(fields)],
            )
            return fields

        return self._outcome(request, send)

    def _write(self, method: str | None, write: Write) -> Outcome:
        return self._outcome(Request(write.kind, write.path, self.caller, method), lambda: self._commit([write]))

    def _commit(self, writes: Sequence[Write]) -> None:
        message = firestore.CommitRequest.pb()(
            database=self.engine.documents.removesuffix("/documents"),
            writes=[write.message(self.engine.documents) for write in writes],
        )
        self._unary("Commit", message, firestore.CommitResponse)
        self.engine.commits += 1

    def _outcome(self, request: Request, send: Callable[[], Any], **missing: Any) -> Outcome:
        try:
            return Outcome(request, allowed=True, message="", engine=self.engine, _value=send())
        except grpc.RpcError as error:
            code, details = error.code(), error.details() or ""
            if code in _REFUSED:
                return Outcome(request, allowed=False, message=details.strip(), engine=self.engine)
            if code is grpc.StatusCode.NOT_FOUND and missing:
                return Outcome(request, allowed=True, message="", engine=self.engine, _value=missing["missing"])
            raise RequestFailedError(str(request), code, details) from error

    def _unary(self, name: str, message: Any, answer: Any) -> Any:
        call = self.engine.channel.unary_unary(
            f"/google.firestore.v1.Firestore/{name}",
            request_serializer=type(message).SerializeToString,
            response_deserializer=answer.pb().FromString,
        )
        return call(message, metadata=self._metadata, timeout=TIMEOUT_SECONDS)

    def _stream(self, name: str, message: Any, answer: Any) -> Messages:
        call = self.engine.channel.unary_stream(
            f"/google.firestore.v1.Firestore/{name}",
            request_serializer=type(message).SerializeToString,
            response_deserializer=answer.pb().FromString,
        )
        return [*call(message, metadata=self._metadata, timeout=TIMEOUT_SECONDS)]


class ListenDenied(grpc.RpcError):
    """The target was removed with a cause: a listener's way to say what a call says with its status."""

    def __init__(self, code: int, details: str) -> None:
        super().__init__(details)
        self._code = next(status for status in grpc.StatusCode if status.value[0] == code)
        self._details = details

    def code(self) -> grpc.StatusCode:
        return self._code

    def details(self) -> str:
        return self._details


class Listener:
    """What a live listener sees: `documents` by path, until `denied` says why it sees no more."""

    def __init__(self, engine: Engine, metadata: Metadata, target: Query | str) -> None:
        self._prefix = engine.documents + "/"
        self.documents: dict[str, dict[str, Any]] = {}
        self.denied: str | None = None
        message = firestore.ListenRequest.pb()(database=engine.documents.removesuffix("/documents"))
        message.add_target.target_id = 1
        if isinstance(target, str):
            message.add_target.documents.documents.append(self._prefix + target)
        else:
            message.add_target.query.parent = target.parent(engine.documents)
            message.add_target.query.structured_query.CopyFrom(target.structured(engine.documents))
        self._requests: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._requests.put(message)
        call = engine.channel.stream_stream(
            "/google.firestore.v1.Firestore/Listen",
            request_serializer=type(message).SerializeToString,
            response_deserializer=firestore.ListenResponse.pb().FromString,
        )
        self._answers = call(iter(self._requests.get, None), metadata=metadata, timeout=TIMEOUT_SECONDS)
        try:
            while not self._read():
                pass
        except grpc.RpcError:
            self.close()
            raise

    def wait(self, done: Callable[["Listener"], bool]) -> None:
        """Reads on until `done(listener)`; raises SuiteError when it ends or takes longer than 10 s before that."""
        while not done(self):
            if self.denied is not None:
                raise SuiteError(f"The listener ended before what was waited for: {self.denied}")
            try:
                self._read()
            except ListenDenied as error:
                self.denied = error.details()
            except grpc.RpcError as error:
                raise SuiteError(f"The listener did not see what was waited for: {error}") from error

    def close(self) -> None:
        self._requests.put(None)
        self._answers.cancel()

    def _read(self) -> bool:
        """Takes one message; whether it says that the state is current. Raises `ListenDenied`."""
        answer = next(self._answers)
        kind = answer.WhichOneof("response_type")
        if kind == "document_change":
            change = answer.document_change
            path = change.document.name.removeprefix(self._prefix)
            if change.removed_target_ids:
                self.documents.pop(path, None)
            else:
                self.documents[path] = decode_document(change.document)
        elif kind in ("document_delete", "document_remove"):
            self.documents.pop(getattr(answer, kind).document.removeprefix(self._prefix), None)
        elif kind == "target_change":
            change = answer.target_change
            types = firestore.TargetChange.TargetChangeType
            if change.target_change_type == types.REMOVE:
                self.documents.clear()
                raise ListenDenied(change.cause.code, change.cause.message)
            if change.target_change_type == types.RESET:
                self.documents.clear()
            return bool(change.target_change_type == types.CURRENT)
        return False


def _query(query: Query | str) -> Query:
    return Query(query) if isinstance(query, str) else query


def _row(found: Any) -> tuple[str, dict[str, Any]]:
    return found.name.rpartition("/")[2], decode_document(found)
