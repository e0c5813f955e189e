from collections.abc import Mapping, Sequence
from typing import Any

from wattle.adapters.firestore import Create, Document, Firestore, Query, Reference, Snapshot, Transaction, Update
from wattle.adapters.firestore.query import Direction
from wattle.kit.retry import Deadline
from wattle.kit.slices import Slice
from wattle.orders.criteria import Criteria
from wattle.orders.shards import SHARDS
from wattle.orders.sync import SyncPosition


class OrderRepository:
    """`orders/{orderId}` and `orders/{orderId}/events/{n}`. A user's orders are read with his id only.

    A removed order (`deletedAt` is set) is on no list of its owner's, but the one of changes.
    """

    def __init__(self, firestore: Firestore) -> None:
        self._firestore = firestore

    def get(self, uid: str, order_id: str, deadline: Deadline) -> Document | None:
        """The user's order; None also for one of somebody else."""
        return _owned(self._firestore.get(_path(order_id), deadline), uid)

    def get_any(self, order_id: str, deadline: Deadline) -> Document | None:
        """Anybody's order, for administrators."""
        return self._firestore.get(_path(order_id), deadline)

    def get_in(self, transaction: Transaction, uid: str, order_id: str) -> Document | None:
        return _owned(self.get_any_in(transaction, order_id), uid)

    def get_any_in(self, transaction: Transaction, order_id: str) -> Document | None:
        return transaction.get([_path(order_id)])[0]

    def page(  # noqa: PLR0913 (what a page is chosen by)
        self,
        *,
        uid: str,
        criteria: Criteria,
        after: Sequence[Any] | None,
        limit: int,
        fields: Sequence[str] | None,
        deadline: Deadline,
    ) -> Slice[Document]:
        """The user's orders, by the time they were made. A position is (createdAt, id)."""
        return self._page(_mine(uid, criteria), criteria, after=after, limit=limit, fields=fields, deadline=deadline)

    def count(self, uid: str, criteria: Criteria, deadline: Deadline) -> int:
        return self._count(_mine(uid, criteria), deadline)

    def page_of_all(
        self,
        *,
        criteria: Criteria,
        after: Sequence[Any] | None,
        limit: int,
        fields: Sequence[str] | None,
        deadline: Deadline,
    ) -> Slice[Document]:
        """All users' orders, newest first, for administrators. A position is (createdAt, id)."""
        return self._page(_everybodys(criteria), criteria, after=after, limit=limit, fields=fields, deadline=deadline)

    def count_of_all(self, criteria: Criteria, deadline: Deadline) -> int:
        return self._count(_everybodys(criteria), deadline)

    def changes(
        self, uid: str, position: SyncPosition, limit: int, fields: Sequence[str] | None, deadline: Deadline
    ) -> Snapshot:
        """The user's orders, also removed ones, in the order in which they last changed."""
        after = (position.at,) if position.row is None else (position.at, Reference(_path(position.row)))
        query = Query(
            "orders",
            where=[("userId", "==", uid)],
            order_by=[("changedAt", "asc"), ("__name__", "asc")],
            after=after,
            fields=_with("changedAt", fields),
            limit=limit,
        )
        return self._firestore.snapshot(query, deadline)

    def events(self, order_id: str, below: int | None, limit: int, deadline: Deadline) -> Slice[Document]:
        """The events of an order that the caller is shown to own, newest first, or from number `below` - 1 on."""
        query = Query(
            f"{_path(order_id)}/events",
            where=[] if below is None else [("number", "<", below)],
            order_by=[("number", "desc")],
            limit=limit,
        )
        rows = self._firestore.query(query, deadline)
        end = (rows[-1].data["number"],) if len(rows) == limit and rows[-1].data["number"] > 1 else None
        return Slice(rows, end)

    def create_in(self, transaction: Transaction, order_id: str, data: Mapping[str, Any]) -> None:
        transaction.write(Create(_path(order_id), data))

    def update_in(self, transaction: Transaction, order_id: str, data: Mapping[str, Any]) -> None:
        transaction.write(Update(_path(order_id), data))

    def add_event_in(self, transaction: Transaction, order_id: str, data: Mapping[str, Any]) -> None:
        """Add an event, under its number."""
        transaction.write(Create(_event_path(order_id, data["number"]), data))

    def event_of_in(
        self, transaction: Transaction, order_id: str, numbers: Sequence[int], change_id: str
    ) -> int | None:
        """Which of the numbers is the event of this change, None where none of them is."""
        if not numbers:
            return None
        found = transaction.get([_event_path(order_id, number) for number in numbers])
        ours = (event.data["number"] for event in found if event and event.data.get("changeId") == change_id)
        return next(ours, None)

    def _page(  # noqa: PLR0913 (what a page is chosen by)
        self,
        where: Sequence[Any],
        criteria: Criteria,
        *,
        after: Sequence[Any] | None,
        limit: int,
        fields: Sequence[str] | None,
        deadline: Deadline,
    ) -> Slice[Document]:
        direction: Direction = "asc" if criteria.oldest_first else "desc"
        query = Query(
            "orders",
            where=where,
            order_by=[("createdAt", direction), ("__name__", direction)],
            after=None if after is None else (after[0], Reference(_path(after[1]))),
            fields=_with("createdAt", fields),
            limit=limit,
        )
        rows = self._firestore.query(query, deadline)
        end = (rows[-1].data["createdAt"], rows[-1].id) if len(rows) == limit else None
        return Slice(rows, end)

    def _count(self, where: Sequence[Any], deadline: Deadline) -> int:
        # Ordered, though it does not matter for a count, so that a range uses the index of the list.
        return self._firestore.count(Query("orders", where=where, order_by=[("createdAt", "desc")]), deadline)


def _path(order_id: str) -> str:
    return f"orders/{order_id}"


def _event_path(order_id: str, number: int) -> str:
    return f"{_path(order_id)}/events/{number}"


def _owned(document: Document | None, uid: str) -> Document | None:
    return document if document is not None and document.data["userId"] == uid else None


def _mine(uid: str, criteria: Criteria) -> list[Any]:
    return [("userId", "==", uid), ("deletedAt", "==", None), *_chosen(criteria)]


def _everybodys(criteria: Criteria) -> list[Any]:
    return [("shard", "in", list(range(SHARDS))), *_chosen(criteria)]


def _chosen(criteria: Criteria) -> list[Any]:
    conditions: list[Any] = []
    if criteria.status is not None:
        conditions.append(("status", "==", criteria.status.value))
    if criteria.created_from is not None:
        conditions.append(("createdAt", ">=", criteria.created_from))
    if criteria.created_to is not None:
        conditions.append(("createdAt", "<", criteria.created_to))
    return conditions


def _with(field: str, fields: Sequence[str] | None) -> Sequence[str] | None:
    """The projection with the field that a position is made of."""
    return None if fields is None else (field, *(name for name in fields if name != field))
