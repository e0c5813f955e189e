from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from wattle.adapters.firestore import (
    Create,
    Data,
    Document,
    Firestore,
    Increment,
    Query,
    Reference,
    Transaction,
    Update,
)
from wattle.kit.retry import Deadline
from wattle.kit.slices import Slice


class NotificationRepository:
    """`users/{uid}/notifications/{id}` and the counter of those unread, `users/{uid}/counters/inbox`."""

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
        """How many are unread, by counting them: a read for each 1,000."""
        return self._firestore.count(Query(_collection(uid), where=[("readAt", "==", None)]), deadline)

    def get(self, uid: str, notification_id: str, deadline: Deadline) -> Document | None:
        return self._firestore.get(f"{_collection(uid)}/{notification_id}", deadline)

    def create_in(self, transaction: Transaction, uid: str, notification_id: str, data: Mapping[str, Any]) -> None:
        """Add an unread entry, and count it."""
        transaction.write(Create(f"{_collection(uid)}/{notification_id}", data))
        transaction.write(Update(_counter(uid), {"unread": Increment(1)}, upsert=True))

    def get_in(self, transaction: Transaction, uid: str, notification_id: str) -> Document | None:
        return transaction.get([f"{_collection(uid)}/{notification_id}"])[0]

    def unread_in(self, transaction: Transaction, uid: str, until: datetime, limit: int) -> list[Document]:
        query = Query(
            _collection(uid),
            where=[("readAt", "==", None), ("createdAt", "<=", until)],
            order_by=[("createdAt", "desc")],
            fields=(),
            limit=limit,
        )
        return transaction.query(query)

    def set_read_in(self, transaction: Transaction, uid: str, notification_ids: Sequence[str], at: datetime) -> None:
        """Mark as read what is unread, and count it off."""
        transaction.write(*(Update(f"{_collection(uid)}/{id_}", {"readAt": at}) for id_ in notification_ids))
        transaction.write(Update(_counter(uid), {"unread": Increment(-len(notification_ids))}, upsert=True))

    def counters(self, uids: Sequence[str], deadline: Deadline) -> list[int]:
        """How many each of these people has not read. One round trip."""
        found = self._firestore.get_many([_counter(uid) for uid in uids], deadline)
        return [max(0, document.data["unread"]) if document else 0 for document in found]

    def counter_in(self, transaction: Transaction, uid: str) -> Data | None:
        (found,) = transaction.get([_counter(uid)])
        return found.data if found else None

    def set_counter_in(self, transaction: Transaction, uid: str, data: Mapping[str, Any]) -> None:
        transaction.write(Update(_counter(uid), data, upsert=True))


def _collection(uid: str) -> str:
    return f"users/{uid}/notifications"


def _counter(uid: str) -> str:
    return f"users/{uid}/counters/inbox"
