from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from wattle.adapters.firestore import Create, Document, Firestore, Query, Transaction, Update
from wattle.kit.retry import Deadline


class BroadcastRepository:
    """`broadcasts/{id}` and `broadcasts/{id}/chunks/{n}`. Administrators' own: there is no owner."""

    def __init__(self, firestore: Firestore) -> None:
        self._firestore = firestore

    def get(self, broadcast_id: str, deadline: Deadline) -> Document | None:
        return self._firestore.get(_path(broadcast_id), deadline)

    def get_in(self, transaction: Transaction, broadcast_id: str) -> Document | None:
        return transaction.get([_path(broadcast_id)])[0]

    def with_chunk_in(
        self, transaction: Transaction, broadcast_id: str, chunk: str
    ) -> tuple[Document | None, Document | None]:
        """The broadcast and one of its chunks. One round trip."""
        broadcast, found = transaction.get([_path(broadcast_id), _chunk(broadcast_id, chunk)])
        return broadcast, found

    def create_in(
        self,
        transaction: Transaction,
        broadcast_id: str,
        data: Mapping[str, Any],
        chunks: Sequence[Mapping[str, Any]],
    ) -> None:
        transaction.write(Create(_path(broadcast_id), data))
        transaction.write(*(Create(_chunk(broadcast_id, f"{number:04}"), chunk) for number, chunk in enumerate(chunks)))

    def update_in(self, transaction: Transaction, broadcast_id: str, data: Mapping[str, Any]) -> None:
        transaction.write(Update(_path(broadcast_id), data))

    def update_chunk_in(self, transaction: Transaction, broadcast_id: str, chunk: str, data: Mapping[str, Any]) -> None:
        transaction.write(Update(_chunk(broadcast_id, chunk), data))

    def update_chunk(self, broadcast_id: str, chunk: str, data: Mapping[str, Any], deadline: Deadline) -> None:
        self._firestore.commit([Update(_chunk(broadcast_id, chunk), data)], deadline)

    def waiting_chunks(self, broadcast_id: str, deadline: Deadline) -> list[str]:
        """The chunks that are not dealt with, by name."""
        query = Query(f"{_path(broadcast_id)}/chunks", where=[("done", "==", False)], fields=())
        return [document.id for document in self._firestore.query(query, deadline)]

    def begun_chunks(self, broadcast_id: str, deadline: Deadline) -> list[str]:
        """Those of them that a task was at, by name."""
        query = Query(f"{_path(broadcast_id)}/chunks", where=[("done", "==", False)], fields=("holder",))
        return [found.id for found in self._firestore.query(query, deadline) if found.data["holder"] is not None]

    def in_state(self, state: str, field: str, until: datetime, limit: int, deadline: Deadline) -> list[Document]:
        """Broadcasts in a state whose time in `field` has come, the earliest first: for the sweep."""
        query = Query(
            "broadcasts",
            where=[("state", "==", state), (field, "<=", until)],
            order_by=[(field, "asc")],
            fields=("scheduledAt",),
            limit=limit,
        )
        return self._firestore.query(query, deadline)


def _path(broadcast_id: str) -> str:
    return f"broadcasts/{broadcast_id}"


def _chunk(broadcast_id: str, chunk: str) -> str:
    return f"{_path(broadcast_id)}/chunks/{chunk}"
