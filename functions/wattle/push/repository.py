from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any, Literal

from wattle.adapters.firestore import (
    Create,
    Delete,
    Document,
    Firestore,
    PreconditionFailed,
    Query,
    Transaction,
    Update,
    Write,
)
from wattle.kit.retry import Deadline


class DeliveryRepository:
    """The ledger `users/{uid}/notifications/{id}/deliveries/{deviceId}`, and `deferrals/{key}`: messages that wait."""

    def __init__(self, firestore: Firestore) -> None:
        self._firestore = firestore

    def create_in(
        self, transaction: Transaction, uid: str, notification_id: str, rows: Mapping[str, Mapping[str, Any]]
    ) -> None:
        """Add entries by device id."""
        transaction.write(*(Create(_row(uid, notification_id, id_), row) for id_, row in rows.items()))

    def of_notification(self, uid: str, notification_id: str, deadline: Deadline) -> list[Document]:
        return self._firestore.query(Query(_rows(uid, notification_id)), deadline)

    def deferral(self, uid: str, notification_id: str, deadline: Deadline) -> Document | None:
        return self._firestore.get(f"deferrals/{deferral_key(uid, notification_id)}", deadline)

    def in_state_in(
        self, transaction: Transaction, uid: str, notification_id: str, states: Sequence[str]
    ) -> list[Document]:
        return transaction.query(Query(_rows(uid, notification_id), where=[("state", "in", list(states))]))

    def update_in(
        self, transaction: Transaction, uid: str, notification_id: str, rows: Mapping[str, Mapping[str, Any]]
    ) -> None:
        transaction.write(*(Update(_row(uid, notification_id, id_), row) for id_, row in rows.items()))

    def settle(
        self,
        notification_id: str,
        rows: Mapping[tuple[str, str], Mapping[str, Any]],
        finished: str | None,
        deadline: Deadline,
    ) -> None:
        """Change entries by (uid, device id), and remove the deferral `finished`. Safe to repeat.

        Entries of somebody who was deleted meanwhile are left out.
        """
        writes: list[Write] = [Update(_row(uid, notification_id, id_), row) for (uid, id_), row in rows.items()]
        if finished is not None:
            writes.append(Delete(f"deferrals/{finished}"))
        try:
            self._commit(writes, deadline)
        except PreconditionFailed:
            for write in writes:
                self._commit_if_there(write, deadline)

    def defer_in(self, transaction: Transaction, uid: str, notification_id: str, data: Mapping[str, Any]) -> None:
        """Have a message wait, be it for the first time or again."""
        transaction.write(Update(f"deferrals/{deferral_key(uid, notification_id)}", data, upsert=True))

    def deferral_in(self, transaction: Transaction, key: str) -> Document | None:
        (found,) = transaction.get([f"deferrals/{key}"])
        return found

    def put_off_in(self, transaction: Transaction, key: str, data: Mapping[str, Any]) -> None:
        transaction.write(Update(f"deferrals/{key}", data))

    def due(self, now: datetime, limit: int, deadline: Deadline) -> list[Document]:
        """Deferrals of all users whose time has come, the longest waiting first: for the sweep only."""
        query = Query("deferrals", where=[("dueAt", "<=", now)], order_by=[("dueAt", "asc")], fields=(), limit=limit)
        return self._firestore.query(query, deadline)

    def count(self, broadcast_id: str, field: Literal["state", "code"], value: str, deadline: Deadline) -> int:
        """How many deliveries of a broadcast have this `state` or `code`. A read for each 1,000."""
        query = Query("deliveries", where=[("broadcastId", "==", broadcast_id), (field, "==", value)], everywhere=True)
        return self._firestore.count(query, deadline)

    def _commit_if_there(self, write: Write, deadline: Deadline) -> None:
        try:
            self._commit([write], deadline)
        except PreconditionFailed:
            return

    def _commit(self, writes: Sequence[Write], deadline: Deadline) -> None:
        # In a transaction for its retries: each of these writes may be repeated.
        self._firestore.transaction(lambda transaction: transaction.write(*writes), deadline)


def deferral_key(uid: str, notification_id: str) -> str:
    """A hash, so that neighbouring keys are not written one after the other."""
    return sha256(f"{uid}/{notification_id}".encode()).hexdigest()[:40]


def _rows(uid: str, notification_id: str) -> str:
    return f"users/{uid}/notifications/{notification_id}/deliveries"


def _row(uid: str, notification_id: str, device_id: str) -> str:
    return f"{_rows(uid, notification_id)}/{device_id}"
