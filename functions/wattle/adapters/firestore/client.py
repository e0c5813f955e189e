"""The client: one for a process, shared by all threads."""

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

import google.auth
import google.auth.transport.grpc
import google.auth.transport.requests
import grpc

from wattle.adapters.firestore import guard
from wattle.adapters.firestore import messages as m
from wattle.adapters.firestore.query import Query
from wattle.adapters.firestore.rpc import Rpc
from wattle.adapters.firestore.transaction import Transaction, run_transaction
from wattle.adapters.firestore.values import Document, Snapshot, decode_document, decode_time
from wattle.adapters.firestore.writes import Write, encode_write
from wattle.kit.retry import Deadline

T = TypeVar("T")

_TARGET: Final = "firestore.googleapis.com:443"
_SCOPES: Final = ("https://www.googleapis.com/auth/datastore",)
_OPTIONS: Final = (
    # Streams are read by the thread that waits for them, not handed over from a polling thread of the channel.
    ("SingleThreadedUnaryStream", 1),
    # A phone's request must not wait for a connection that a NAT has dropped: find out within 20 s.
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    # After a connection that could not be made, gRPC waits 1 s, then longer, up to two minutes, and fails every call
    # meanwhile: longer than a read is tried again for. Seen in the soak, as a 503.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    # Firestore's own limit for a request is 10 MiB; an answer may be larger.
    ("grpc.max_receive_message_length", -1),
)


def open_channel(emulator: str | None) -> tuple[grpc.Channel, tuple[tuple[str, str], ...]]:
    """A channel, and the metadata that each call on it needs.

    With an emulator (`host:port`) it is plain text, and `Bearer owner` makes its calls pass the security rules, as a
    server's calls do in production. Otherwise the application default credentials are used.

    Raises:
        google.auth.exceptions.DefaultCredentialsError: no emulator and no credentials.
    """
    if emulator:
        return grpc.insecure_channel(emulator, options=_OPTIONS), (("authorization", "Bearer owner"),)
    credentials, _ = google.auth.default(scopes=_SCOPES)
    transport = google.auth.transport.requests.Request()
    channel = google.auth.transport.grpc.secure_authorized_channel(credentials, transport, _TARGET, options=_OPTIONS)
    return channel, ()


class Firestore:
    """Documents of one database. Paths are from its root, such as `users/u1/devices/d1`.

    Each method takes the deadline of the request that it serves. All raise FirestoreError or one of its kinds.
    """

    def __init__(
        self,
        project_id: str,
        channel: grpc.Channel,
        credentials: Sequence[tuple[str, str]],
        *,
        database: str = "(default)",
    ) -> None:
        self._database = f"projects/{project_id}/databases/{database}"
        self._root = f"{self._database}/documents"
        self._rpc = Rpc(channel, self._database, credentials)

    def get(self, path: str, deadline: Deadline, fields: Sequence[str] | None = None) -> Document | None:
        """The document, or None. One read, one round trip."""
        guard.present().begin()
        request = m.GetDocumentRequest(name=f"{self._root}/{path}")
        if fields is not None:
            request.mask.field_paths.extend(fields)
        found = self._rpc.get(request, deadline)
        return None if found is None else decode_document(found)

    def get_many(
        self, paths: Sequence[str], deadline: Deadline, fields: Sequence[str] | None = None
    ) -> list[Document | None]:
        """The documents at `paths`, in that order, None for those that are missing. A read each, one round trip."""
        if not paths:
            return []
        guard.present().begin()
        request = m.BatchGetDocumentsRequest(database=self._database)
        request.documents.extend(f"{self._root}/{path}" for path in paths)
        if fields is not None:
            request.mask.field_paths.extend(fields)
        answers = self._rpc.batch_get(request, deadline)
        found = [decode_document(answer.found) for answer in answers if answer.HasField("found")]
        by_path = {document.path: document for document in found}
        return [by_path.get(path) for path in paths]

    def get_later(self, path: str, deadline: Deadline) -> Callable[[], Document | None]:
        """Send for a document and go on; calling the result waits for it. One read, beside whatever else is done."""
        pending = self._rpc.get_later(m.GetDocumentRequest(name=f"{self._root}/{path}"), deadline)

        def wait() -> Document | None:
            found = pending()
            return None if found is None else decode_document(found)

        return wait

    def query(self, query: Query, deadline: Deadline) -> list[Document]:
        """What the query finds, in its order. A read for each document, at least one; one round trip."""
        return self.snapshot(query, deadline).documents

    def snapshot(self, query: Query, deadline: Deadline) -> Snapshot:
        """What the query finds, and when. Costs what `query` does."""
        guard.present().begin()
        request = m.RunQueryRequest(parent=self._parent(query))
        query.write(request.structured_query, self._root)
        found, read_time = self._rpc.run_query(request, deadline)
        return Snapshot([decode_document(document) for document in found], decode_time(read_time))

    def count(self, query: Query, deadline: Deadline) -> int:
        """How many documents the query finds. A read for each 1,000, at least one; one round trip."""
        guard.present().begin()
        request = m.RunAggregationQueryRequest(parent=self._parent(query))
        aggregation = request.structured_aggregation_query
        query.write(aggregation.structured_query, self._root)
        aggregation.aggregations.add(alias="count").count.SetInParent()
        return self._rpc.count(request, deadline)

    def commit(self, writes: Sequence[Write], deadline: Deadline) -> None:
        """Apply all of the writes, or none. One round trip."""
        guard.ask()
        request = m.CommitRequest(database=self._database, writes=[encode_write(write, self._root) for write in writes])
        self._rpc.commit(request, deadline)

    def transaction(self, work: Callable[[Transaction], T], deadline: Deadline) -> T:
        """Run `work` in a transaction: see `run_transaction`."""
        return run_transaction(self._rpc, self._database, work, deadline)

    def _parent(self, query: Query) -> Any:
        return f"{self._root}/{query.parent}".rstrip("/")
