from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from wattle.adapters.firestore import Create, Delete, Document, Firestore, Query, Transaction, Update
from wattle.kit.retry import Deadline


class DeviceRepository:
    """`users/{uid}/devices/{deviceId}`."""

    def __init__(self, firestore: Firestore) -> None:
        self._firestore = firestore

    def of_user(self, uid: str, deadline: Deadline) -> list[Document]:
        return self._firestore.query(Query(f"users/{uid}/devices"), deadline)

    def get_in(self, transaction: Transaction, uid: str, device_id: str) -> Document | None:
        return transaction.get([_path(uid, device_id)])[0]

    def create_in(self, transaction: Transaction, uid: str, device_id: str, data: Mapping[str, Any]) -> None:
        transaction.write(Create(_path(uid, device_id), data))

    def update_in(self, transaction: Transaction, uid: str, device_id: str, data: Mapping[str, Any]) -> None:
        transaction.write(Update(_path(uid, device_id), data))

    def unseen_since(self, moment: datetime, limit: int, deadline: Deadline) -> list[Document]:
        """Devices of all users, the longest unseen first: for the daily prune only."""
        query = Query(
            "devices",
            where=[("lastSeenAt", "<", moment)],
            order_by=[("lastSeenAt", "asc")],
            fields=(),
            limit=limit,
            everywhere=True,
        )
        return self._firestore.query(query, deadline)

    def delete(self, paths: Sequence[str], deadline: Deadline) -> None:
        self._firestore.commit([Delete(path) for path in paths], deadline)


def _path(uid: str, device_id: str) -> str:
    return f"users/{uid}/devices/{device_id}"
