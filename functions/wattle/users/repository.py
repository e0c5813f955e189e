from collections.abc import Mapping
from typing import Any

from wattle.adapters.firestore import AlreadyExists, Create, Document, Firestore, Transaction, Update
from wattle.kit.retry import Deadline


class UserRepository:
    """`users/{uid}`."""

    def __init__(self, firestore: Firestore) -> None:
        self._firestore = firestore

    def get(self, uid: str, deadline: Deadline) -> Document | None:
        return self._firestore.get(_path(uid), deadline)

    def get_in(self, transaction: Transaction, uid: str) -> Document | None:
        return transaction.get([_path(uid)])[0]

    def create(self, uid: str, data: Mapping[str, Any], deadline: Deadline) -> bool:
        """Whether it was made now; false where somebody was first."""
        try:
            self._firestore.commit([Create(_path(uid), data)], deadline)
        except AlreadyExists:
            return False
        return True

    def create_in(self, transaction: Transaction, uid: str, data: Mapping[str, Any]) -> None:
        transaction.write(Create(_path(uid), data))

    def update_in(self, transaction: Transaction, uid: str, data: Mapping[str, Any]) -> None:
        transaction.write(Update(_path(uid), data))


def _path(uid: str) -> str:
    return f"users/{uid}"
