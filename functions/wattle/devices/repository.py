from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from wattle.adapters.firestore import Create, Delete, Document, Firestore, Query, Transaction, Update
from wattle.kit.retry import Deadline

# Firestore: at most 30 values in an `in` filter.
_IN_MOST: Final = 30


class DeviceRepository:
    """`users/{uid}/devices/{deviceId}`, and `installations/{key}`, which says whose device an installation is now.

    Both are written in one transaction: a device names its installation, an installation names at most one device.
    """

    def __init__(self, firestore: Firestore) -> None:
        self._firestore = firestore

    def of_user(self, uid: str, deadline: Deadline) -> list[Document]:
        return self._firestore.query(Query(f"users/{uid}/devices"), deadline)

    def of_users(self, uids: Sequence[str], deadline: Deadline) -> Iterator[Document]:
        """The devices of several people, for messages to many. A round trip for each 30 of them."""
        for start in range(0, len(uids), _IN_MOST):
            some = list(uids[start : start + _IN_MOST])
            yield from self._firestore.query(
                Query("devices", where=[("userId", "in", some)], everywhere=True), deadline
            )

    def subscribed(self, topic: str, limit: int, deadline: Deadline) -> list[Document]:
        """Devices of all users with this topic, for administrators' previews."""
        query = Query(
            "devices",
            where=[("topics", "array-contains", topic)],
            fields=("userId", "platform", "locale", "topics"),
            limit=limit,
            everywhere=True,
        )
        return self._firestore.query(query, deadline)

    def of_user_in(self, transaction: Transaction, uid: str) -> list[Document]:
        return transaction.query(Query(f"users/{uid}/devices"))

    def get(self, uid: str, device_id: str, deadline: Deadline) -> Document | None:
        return self._firestore.get(_path(uid, device_id), deadline)

    def get_in(self, transaction: Transaction, wanted: Sequence[tuple[str, str]]) -> list[Document | None]:
        """Devices by owner and id."""
        return transaction.get([_path(uid, device_id) for uid, device_id in wanted])

    def with_installation_in(
        self, transaction: Transaction, uid: str, device_id: str, key: str
    ) -> tuple[Document | None, Document | None]:
        """The device, and the installation of that key. One round trip."""
        device, installation = transaction.get([_path(uid, device_id), _installation(key)])
        return device, installation

    def installation(self, key: str, deadline: Deadline) -> Document | None:
        return self._firestore.get(_installation(key), deadline)

    def create_in(self, transaction: Transaction, uid: str, device_id: str, data: Mapping[str, Any]) -> None:
        transaction.write(Create(_path(uid, device_id), data))

    def update_in(self, transaction: Transaction, uid: str, device_id: str, data: Mapping[str, Any]) -> None:
        transaction.write(Update(_path(uid, device_id), data))

    def put_installation_in(self, transaction: Transaction, key: str, uid: str, device_id: str) -> None:
        transaction.write(Update(_installation(key), {"userId": uid, "deviceId": device_id}, upsert=True))

    def delete_installation_in(self, transaction: Transaction, key: str) -> None:
        transaction.write(Delete(_installation(key)))

    def delete_in(self, transaction: Transaction, uid: str, device_id: str) -> None:
        transaction.write(Delete(_path(uid, device_id)))

    def unseen_since_in(self, transaction: Transaction, moment: datetime, limit: int) -> list[Document]:
        """Devices of all users, the longest unseen first: for the daily prune only."""
        query = Query(
            "devices",
            where=[("lastSeenAt", "<", moment)],
            order_by=[("lastSeenAt", "asc")],
            fields=("userId", "installation"),
            limit=limit,
            everywhere=True,
        )
        return transaction.query(query)


def _path(uid: str, device_id: str) -> str:
    return f"users/{uid}/devices/{device_id}"


def _installation(key: str) -> str:
    return f"installations/{key}"
