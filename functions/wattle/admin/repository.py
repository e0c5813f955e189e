from collections.abc import Mapping, Sequence
from typing import Any, Final

from wattle.adapters.firestore import Create, Document, Firestore, Query, Reference, Transaction
from wattle.kit.retry import Deadline
from wattle.kit.slices import Slice

_COLLECTION: Final = "auditLog"


class AuditRepository:
    """`auditLog/{id}`: entries are added, never changed."""

    def __init__(self, firestore: Firestore) -> None:
        self._firestore = firestore

    def add_in(self, transaction: Transaction, entry_id: str, data: Mapping[str, Any]) -> None:
        transaction.write(Create(_path(entry_id), data))

    def exists_in(self, transaction: Transaction, entry_id: str) -> bool:
        return transaction.get([_path(entry_id)], fields=())[0] is not None

    def page(self, target: str | None, after: Sequence[Any] | None, limit: int, deadline: Deadline) -> Slice[Document]:
        """Entries, the newest first. A position is (at, id). Administrators are too few for a hot spot."""
        query = Query(
            _COLLECTION,
            where=_about(target),
            order_by=[("at", "desc"), ("__name__", "desc")],
            after=None if after is None else (after[0], Reference(_path(after[1]))),
            limit=limit,
        )
        rows = self._firestore.query(query, deadline)
        end = (rows[-1].data["at"], rows[-1].id) if len(rows) == limit else None
        return Slice(rows, end)

    def count(self, target: str | None, deadline: Deadline) -> int:
        return self._firestore.count(Query(_COLLECTION, where=_about(target)), deadline)


def _path(entry_id: str) -> str:
    return f"{_COLLECTION}/{entry_id}"


def _about(target: str | None) -> Sequence[Any]:
    return () if target is None else [("target", "==", target)]
