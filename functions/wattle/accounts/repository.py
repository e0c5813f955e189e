from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from wattle.adapters.firestore import (
    SERVER_TIMESTAMP,
    Delete,
    Document,
    Firestore,
    Query,
    Reference,
    Transaction,
    Update,
)
from wattle.kit.retry import Deadline

_COLLECTION = "revocations"
_FREE: Final = {"holder": None, "leasedUntil": None}


class RevocationRepository:
    """`revocations/{uid}`: which sign-ins do not count any more. Each lives as long as an ID token can, then TTL.

    `holder` and `leasedUntil` are the lease of who changes the account, null where nobody does. Without a revocation
    the document has only them, and `expiresAt`.
    """

    def __init__(self, firestore: Firestore) -> None:
        self._firestore = firestore

    def get_later(self, uid: str, deadline: Deadline) -> Callable[[], Document | None]:
        return self._firestore.get_later(_path(uid), deadline)

    def path(self, uid: str) -> str:
        return _path(uid)

    def get_in(self, transaction: Transaction, uid: str) -> Document | None:
        return transaction.get([_path(uid)])[0]

    def put_in(self, transaction: Transaction, uid: str, data: Mapping[str, Any]) -> None:
        """`at` becomes the database's own time, because the clocks of the processes that read the list disagree.

        Whoever writes a revocation has what he changed behind him: it ends his lease.
        """
        transaction.write(Update(_path(uid), {**data, **_FREE, "at": SERVER_TIMESTAMP}, upsert=True))

    def lease_in(self, transaction: Transaction, uid: str, data: Mapping[str, Any]) -> None:
        """Not new in the list of revocations: it has nothing to do with sign-ins."""
        transaction.write(Update(_path(uid), data, upsert=True))

    def end_lease_in(self, transaction: Transaction, uid: str, *, alone: bool) -> None:
        """`alone`: there is no revocation, and the document goes with the lease."""
        transaction.write(Delete(_path(uid)) if alone else Update(_path(uid), _FREE))

    def since(self, moment: datetime, after: Document | None, limit: int, deadline: Deadline) -> list[Document]:
        """Revocations of all users from `moment` on, the oldest first, or those that follow on `after`."""
        query = Query(
            _COLLECTION,
            where=[("at", ">=", moment)],
            order_by=[("at", "asc"), ("__name__", "asc")],
            after=None if after is None else (after.data["at"], Reference(after.path)),
            limit=limit,
        )
        return self._firestore.query(query, deadline)


def _path(uid: str) -> str:
    return f"{_COLLECTION}/{uid}"
