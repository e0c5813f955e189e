from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from wattle.adapters.firestore import Create, Delete, Document, Firestore, Query, Reference, Transaction, Update
from wattle.kit.retry import Deadline
from wattle.kit.slices import Slice


class ProductRepository:
    """`products/{productId}`, and `products/{productId}/stock/{n}`: see `stock`."""

    def __init__(self, firestore: Firestore) -> None:
        self._firestore = firestore

    def get(self, product_id: str, deadline: Deadline) -> Document | None:
        return self._firestore.get(_path(product_id), deadline)

    def page(  # noqa: PLR0913 (what a page is chosen by)
        self,
        *,
        active: bool | None,
        stock_below: int | None,
        after: Sequence[Any] | None,
        limit: int,
        fields: Sequence[str] | None,
        deadline: Deadline,
    ) -> Slice[Document]:
        """By name; with `stock_below` the scarcest first. A position is (name or stock, id)."""
        by = _order(stock_below)
        query = Query(
            "products",
            where=_chosen(active, stock_below),
            order_by=[(by, "asc"), ("__name__", "asc")],
            after=None if after is None else (after[0], Reference(_path(after[1]))),
            fields=None if fields is None else (by, *(field for field in fields if field != by)),
            limit=limit,
        )
        rows = self._firestore.query(query, deadline)
        end = (rows[-1].data[by], rows[-1].id) if len(rows) == limit else None
        return Slice(rows, end)

    def count(self, *, active: bool | None, stock_below: int | None, deadline: Deadline) -> int:
        query = Query("products", where=_chosen(active, stock_below), order_by=[(_order(stock_below), "asc")])
        return self._firestore.count(query, deadline)

    def expect_in(self, transaction: Transaction, product_ids: Iterable[str]) -> None:
        """Have the next read of the transaction bring these along."""
        transaction.expect(_path(product_id) for product_id in product_ids)

    def get_in(self, transaction: Transaction, product_ids: Sequence[str]) -> Mapping[str, Document]:
        """Those that exist, by id. One round trip."""
        found = transaction.get([_path(product_id) for product_id in product_ids])
        return {document.id: document for document in found if document is not None}

    def create_in(self, transaction: Transaction, product_id: str, data: Mapping[str, Any]) -> None:
        transaction.write(Create(_path(product_id), data))

    def update_in(self, transaction: Transaction, product_id: str, data: Mapping[str, Any]) -> None:
        transaction.write(Update(_path(product_id), data))

    def shards_in(self, transaction: Transaction, shards: Iterable[tuple[str, int]]) -> Mapping[tuple[str, int], int]:
        """The pieces in the shards, by product and number, of those that exist. One round trip, none for none."""
        wanted = list(shards)
        if not wanted:
            return {}
        found = transaction.get([_shard_path(*shard) for shard in wanted])
        return {shard: doc.data["left"] for shard, doc in zip(wanted, found, strict=True) if doc is not None}

    def set_shard_in(self, transaction: Transaction, product_id: str, number: int, left: int) -> None:
        transaction.write(Update(_shard_path(product_id, number), {"left": left}, upsert=True))

    def delete_shard_in(self, transaction: Transaction, product_id: str, number: int) -> None:
        transaction.write(Delete(_shard_path(product_id, number)))


def _path(product_id: str) -> str:
    return f"products/{product_id}"


def _shard_path(product_id: str, number: int) -> str:
    return f"{_path(product_id)}/stock/{number}"


def _chosen(active: bool | None, stock_below: int | None) -> list[Any]:  # noqa: FBT001 (a filter's value)
    conditions: list[Any] = [] if active is None else [("active", "==", active)]
    # An inequality finds numbers only: null, the unlimited stock, is not below anything.
    return conditions if stock_below is None else [*conditions, ("stock", "<", stock_below)]


def _order(stock_below: int | None) -> str:
    return "name" if stock_below is None else "stock"
