from collections.abc import Mapping, Sequence
from typing import Any

from wattle.adapters.firestore import AlreadyExists, Create, Document, Firestore, Query, Reference, Update, Write
from wattle.kit.retry import Deadline
from wattle.kit.slices import Slice


class NotificationRepository:
    """`users/{uid}/notifications/{id}`, and below each its ledger `deliveries/{deviceId}`."""

    def __init__(self, firestore: Firestore) -> None:
        self._firestore = firestore

    def page(
        self, uid: str, after: Sequence[Any] | None, limit: int, fields: Sequence[str] | None, deadline: Deadline
    ) -> Slice[Document]:
        """The user's notifications, newest first. A position is (createdAt, id)."""
        query = Query(
            _collection(uid),
            order_by=[("createdAt", "desc"), ("__name__", "desc")],
            after=None if after is None else (after[0], Reference(f"{_collection(uid)}/{after[1]}")),
            fields=None if fields is None else ("createdAt", *(field for field in fields if field != "createdAt")),
            limit=limit,
        )
        rows = self._firestore.query(query, deadline)
        end = (rows[-1].data["createdAt"], rows[-1].id) if len(rows) == limit else None
        return Slice(rows, end)

    def count(self, uid: str, deadline: Deadline) -> int:
        return self._firestore.count(Query(_collection(uid)), deadline)

    def count_unread(self, uid: str, deadline: Deadline) -> int:
        return self._firestore.count(Query(_collection(uid), where=[("readAt", "==", None)]), deadline)

    def create(
        self,
        uid: str,
        notification_id: str,
        data: Mapping[str, Any],
        deliveries: Mapping[str, Mapping[str, Any]],
        deadline: Deadline,
    ) -> bool:
        """Make the entry and its ledger together. False where the entry was there: nothing is written then."""
        path = f"{_collection(uid)}/{notification_id}"
        ledger = [Create(f"{path}/deliveries/{device_id}", entry) for device_id, entry in deliveries.items()]
        try:
            self._firestore.commit([Create(path, data), *ledger], deadline)
        except AlreadyExists:
            return False
        return True

    def queued(self, uid: str, notification_id: str, deadline: Deadline) -> list[Document]:
        """The ledger's entries that nothing is known of yet."""
        query = Query(f"{_collection(uid)}/{notification_id}/deliveries", where=[("state", "==", "queued")])
        return self._firestore.query(query, deadline)

    def settle(
        self,
        uid: str,
        notification_id: str,
        outcomes: Mapping[str, Mapping[str, Any]],
        deadline: Deadline,
    ) -> None:
        """Write down what became of the deliveries, by device id."""
        path = f"{_collection(uid)}/{notification_id}"
        writes: list[Write] = [Update(f"{path}/deliveries/{id_}", outcome) for id_, outcome in outcomes.items()]
        if writes:
            self._firestore.commit(writes, deadline)


def _collection(uid: str) -> str:
    return f"users/{uid}/notifications"
