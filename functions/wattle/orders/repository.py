from collections.abc import Mapping, Sequence
from typing import Any

from wattle.adapters.firestore import Create, Document, Firestore, Query, Reference, Transaction, Update
from wattle.kit.retry import Deadline
from wattle.kit.slices import Slice
from wattle.orders.states import Status


class OrderRepository:
    """`orders/{orderId}` and `orders/{orderId}/events/{n}`. A user's orders are read with his id only."""

    def __init__(self, firestore: Firestore) -> None:
        self._firestore = firestore

    def get(self, uid: str, order_id: str, deadline: Deadline) -> Document | None:
        """The user's order; None also for one of somebody else."""
        return _owned(self._firestore.get(_path(order_id), deadline), uid)

    def get_in(self, transaction: Transaction, uid: str, order_id: str) -> Document | None:
        return _owned(self.get_any_in(transaction, order_id), uid)

    def get_any_in(self, transaction: Transaction, order_id: str) -> Document | None:
        """Anybody's order, for administrators."""
        return transaction.get([_path(order_id)])[0]

    def page(  # noqa: PLR0913 (what a page is chosen by)
        self,
        *,
        uid: str,
        status: Status | None,
        after: Sequence[Any] | None,
        limit: int,
        fields: Sequence[str] | None,
        deadline: Deadline,
    ) -> Slice[Document]:
        """The user's orders, newest first. A position is (createdAt, id)."""
        query = Query(
            "orders",
            where=_of_user(uid, status),
            order_by=[("createdAt", "desc"), ("__name__", "desc")],
            after=None if after is None else (after[0], Reference(_path(after[1]))),
            fields=None if fields is None else ("createdAt", *(field for field in fields if field != "createdAt")),
            limit=limit,
        )
        rows = self._firestore.query(query, deadline)
        end = (rows[-1].data["createdAt"], rows[-1].id) if len(rows) == limit else None
        return Slice(rows, end)

    def count(self, uid: str, status: Status | None, deadline: Deadline) -> int:
        return self._firestore.count(Query("orders", where=_of_user(uid, status)), deadline)

    def create_in(self, transaction: Transaction, order_id: str, data: Mapping[str, Any]) -> None:
        transaction.write(Create(_path(order_id), data))

    def update_in(self, transaction: Transaction, order_id: str, data: Mapping[str, Any]) -> None:
        transaction.write(Update(_path(order_id), data))

    def add_event_in(self, transaction: Transaction, order_id: str, number: int, data: Mapping[str, Any]) -> None:
        transaction.write(Create(f"{_path(order_id)}/events/{number}", data))


def _path(order_id: str) -> str:
    return f"orders/{order_id}"


def _owned(document: Document | None, uid: str) -> Document | None:
    return document if document is not None and document.data["userId"] == uid else None


def _of_user(uid: str, status: Status | None) -> Sequence[Any]:
    mine: list[Any] = [("userId", "==", uid), ("deletedAt", "==", None)]
    return mine if status is None else [*mine, ("status", "==", status.value)]
