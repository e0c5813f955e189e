from collections.abc import Mapping, Sequence
from typing import Any

from wattle.adapters.firestore import AlreadyExists, Create, Document, Firestore, Query, Reference, Transaction, Update
from wattle.kit.retry import Deadline
from wattle.kit.slices import Slice


class UserRepository:
    """`users/{uid}` and `users/{uid}/consents/{id}`, to which entries are added and never changed."""

    def __init__(self, firestore: Firestore) -> None:
        self._firestore = firestore

    def get(self, uid: str, deadline: Deadline) -> Document | None:
        return self._firestore.get(_path(uid), deadline)

    def get_many(self, uids: Sequence[str], deadline: Deadline) -> list[Document | None]:
        """Anybody's, for messages to them; of the fields only what those need."""
        fields = ("notificationPreferences", "locale", "timezone", "deletedAt")
        return self._firestore.get_many([_path(uid) for uid in uids], deadline, fields)

    def public(self, uid: str, deadline: Deadline) -> Document | None:
        """Anybody's, but only what others may see."""
        return self._firestore.get(_path(uid), deadline, ("displayName", "photoUrl", "deletedAt"))

    def page_of_all(self, after: Sequence[Any] | None, limit: int, deadline: Deadline) -> Slice[Document]:
        """Everybody, in the order of the ids, which are random: for administrators only. A position is (id)."""
        query = Query(
            "users",
            order_by=[("__name__", "asc")],
            after=None if after is None else (Reference(_path(after[0])),),
            limit=limit,
        )
        rows = self._firestore.query(query, deadline)
        return Slice(rows, (rows[-1].id,) if len(rows) == limit else None)

    def count_of_all(self, deadline: Deadline) -> int:
        return self._firestore.count(Query("users"), deadline)

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

    def add_consent_in(self, transaction: Transaction, uid: str, consent_id: str, data: Mapping[str, Any]) -> None:
        transaction.write(Create(f"{_path(uid)}/consents/{consent_id}", data))


def _path(uid: str) -> str:
    return f"users/{uid}"
