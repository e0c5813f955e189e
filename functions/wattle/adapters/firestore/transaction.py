"""Transactions: a loop of our own.

The official client's loop makes five attempts within a millisecond, ends in ValueError, and does not try again when a
read inside was aborted. This one begins anew for each attempt, waits with jitter in between, and ends with an error
that says what a caller can do.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, TypeVar

from wattle.adapters.firestore import guard
from wattle.adapters.firestore import messages as m
from wattle.adapters.firestore.errors import FirestoreContention, FirestoreError, FirestoreUnavailable
from wattle.adapters.firestore.query import Query
from wattle.adapters.firestore.rpc import Rpc
from wattle.adapters.firestore.values import Document, decode_document
from wattle.adapters.firestore.writes import Write, encode_write
from wattle.kit.retry import Deadline, full_jitter

T = TypeVar("T")

_ATTEMPTS: Final = 12
# Half of a typical commit in the same region (20 ms): with 12 attempts the wait adds up to 5 s at most.
_BACKOFF_BASE: Final = 0.01
_BACKOFF_CAP: Final = 0.8
_ROLLBACK_TIMEOUT: Final = 1.0


class Transaction:
    """One attempt: reads are consistent and come before the writes, which take effect together or not at all.

    `uncertain` is true where the commit of an earlier attempt may have taken effect: code that makes a document under
    an id of its own looks first whether it is there.
    """

    def __init__(self, rpc: Rpc, database: str, deadline: Deadline, *, uncertain: bool) -> None:
        self.uncertain = uncertain
        self._rpc = rpc
        self._database = database
        self._root = f"{database}/documents"
        self._deadline = deadline
        self._id: bytes | None = None
        self._writes: list[Any] = []
        self._expected: list[str] = []
        # What came along with the first read, by path.
        self._brought: dict[str, Document | None] = {}

    def expect(self, paths: Iterable[str]) -> None:
        """Have the next `get` bring these along, which then need no round trip when they are asked for."""
        self._expected.extend(paths)

    def get(self, paths: Sequence[str], fields: Sequence[str] | None = None) -> list[Document | None]:
        """The documents at `paths`, in that order, None for those that are missing. One round trip.

        The first read also begins the transaction, which saves a round trip, and brings along the document that decides
        whether there may be a commit. With `fields` it brings nothing along.
        """
        if fields is not None:
            found = self._get(paths, fields)
            return [found.get(path) for path in paths]
        if all(path in self._brought for path in paths):
            return [self._brought[path] for path in paths]
        condition = guard.present()
        deciding = condition.wanted
        along = self._expected if deciding is None else [*self._expected, deciding]
        found = self._get(list(dict.fromkeys((*paths, *along))), None)
        self._brought |= {path: found.get(path) for path in self._expected}
        self._expected = []
        if deciding is not None:
            condition.learn(found.get(deciding))
        return [found.get(path) for path in paths]

    def _get(self, paths: Sequence[str], fields: Sequence[str] | None) -> dict[str, Document]:
        request = m.BatchGetDocumentsRequest(database=self._database)
        request.documents.extend(f"{self._root}/{path}" for path in paths)
        if fields is not None:
            request.mask.field_paths.extend(fields)
        if self._id is None:
            request.new_transaction.read_write.SetInParent()
        else:
            request.transaction = self._id
        found: dict[str, Document] = {}
        for response in self._rpc.batch_get(request, self._deadline):
            if response.transaction:
                self._id = response.transaction
            if response.HasField("found"):
                document = decode_document(response.found)
                found[document.path] = document
        return found

    def query(self, query: Query) -> list[Document]:
        """What the query finds. One round trip, two where it is the transaction's first read."""
        guard.present().begin()
        request = m.RunQueryRequest(parent=f"{self._root}/{query.parent}".rstrip("/"), transaction=self._begun())
        query.write(request.structured_query, self._root)
        found, _ = self._rpc.run_query(request, self._deadline)
        return [decode_document(document) for document in found]

    def write(self, *writes: Write) -> None:
        """Add writes to the commit."""
        self._writes.extend(encode_write(write, self._root) for write in writes)

    def commit(self) -> None:
        """Commit what was written; without any writes only give back the locks."""
        if not self._writes:
            self.rollback()
            return
        request = m.CommitRequest(database=self._database, transaction=self._begun(), writes=self._writes)
        self._rpc.commit(request, self._deadline)

    def rollback(self) -> None:
        """Give back the locks. A failure is left to the server's own time-out of 60 s."""
        if self._id is None:
            return
        request = m.RollbackRequest(database=self._database, transaction=self._id)
        try:
            self._rpc.rollback(request, Deadline.after(_ROLLBACK_TIMEOUT))
        except FirestoreError:
            return

    def _begun(self) -> bytes:
        if self._id is None:
            request = m.BeginTransactionRequest(database=self._database)
            request.options.read_write.SetInParent()
            self._id = self._rpc.begin(request, self._deadline)
        return self._id


def run_transaction(rpc: Rpc, database: str, work: Callable[[Transaction], T], deadline: Deadline) -> T:
    """Run `work` and commit its writes; again, from the start, when others were in the way.

    Raises:
        FirestoreContention: nothing was written, at any attempt.
        FirestoreUnavailable: the deadline passed or Firestore was away; `maybe_applied` says whether a commit may have
            taken effect.
        Whatever `work` raises; nothing is written then.
    """
    uncertain = False
    attempt = 0
    while True:
        transaction = Transaction(rpc, database, deadline, uncertain=uncertain)
        try:
            result = work(transaction)
            guard.ask()
        except (FirestoreContention, FirestoreUnavailable) as error:
            failure = error
            transaction.rollback()
        except BaseException:
            transaction.rollback()
            raise
        else:
            try:
                transaction.commit()
            except (FirestoreContention, FirestoreUnavailable) as error:
                failure = error
                # A commit that never arrived leaves the locks behind, and the next attempt would wait for its own.
                transaction.rollback()
                uncertain = uncertain or (isinstance(error, FirestoreUnavailable) and error.maybe_applied)
            except FirestoreError:
                # Nor does the local Firestore give them back where it refuses a commit.
                transaction.rollback()
                raise
            else:
                return result
        attempt += 1
        pause = full_jitter(attempt, base=_BACKOFF_BASE, cap=_BACKOFF_CAP)
        if attempt >= _ATTEMPTS or deadline.remaining() <= pause:
            if uncertain:
                raise FirestoreUnavailable(str(failure), maybe_applied=True) from failure
            raise failure
        time.sleep(pause)
