from collections.abc import Mapping
from typing import Any, Final

from wattle.adapters.firestore import Create, Delete, Document, Firestore, PreconditionFailed, Transaction, Update
from wattle.kit.retry import Deadline

COLLECTION: Final = "deadLetters"


class DeadLetterRepository:
    """`users/{uid}/deadLetters/{id}`, so that they go with their person; nobody's are below the written document."""

    def __init__(self, firestore: Firestore) -> None:
        self._firestore = firestore

    def get(self, path: str, deadline: Deadline) -> Document | None:
        return self._firestore.get(path, deadline)

    @staticmethod
    def get_in(transaction: Transaction, path: str) -> Document | None:
        return transaction.get([path])[0]

    @staticmethod
    def create_in(transaction: Transaction, path: str, data: Mapping[str, Any]) -> None:
        transaction.write(Create(path, data))

    def update(self, path: str, data: Mapping[str, Any], deadline: Deadline) -> None:
        """One that was erased meanwhile is left out."""
        try:
            self._firestore.commit([Update(path, data)], deadline)
        except PreconditionFailed:
            return

    def delete(self, path: str, deadline: Deadline) -> None:
        self._firestore.commit([Delete(path)], deadline)
