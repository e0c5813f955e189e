from collections.abc import Mapping, Sequence
from typing import Any

from wattle.adapters.firestore import Document, Firestore, Increment, Query, Reference, Transaction, Update
from wattle.kit.retry import Deadline
from wattle.kit.slices import Slice


class ProductRepository:
    """`products/{productId}`."""

    def __init__(self, firestore: Firestore) -> None:
        self._firestore = firestore

    def active(
        self, after: Sequence[Any] | None, limit: int, fields: Sequence[str] | None, deadline: Deadline
    ) -> Slice[Document]:
        """Products for sale, by name. A position is (name, id)."""
        query = Query(
            "products",
            where=_ACTIVE,
            order_by=[("name", "asc"), ("__name__", "asc")],
            after=None if after is None else (after[0], Reference(f"products/{after[1]}")),
            fields=None if fields is None else ("name", *(field for field in fields if field != "name")),
            limit=limit,
        )
        rows = self._firestore.query(query, deadline)
        end = (rows[-1].data["name"], rows[-1].id) if len(rows) == limit else None
        return Slice(rows, end)

    def count_active(self, deadline: Deadline) -> int:
        return self._firestore.count(Query("products", where=_ACTIVE), deadline)

    def get_in(self, transaction: Transaction, product_ids: Sequence[str]) -> Mapping[str, Document]:
        """Those that exist, by id. One round trip."""
        found = transaction.get([f"products/{product_id}" for product_id in product_ids])
        return {document.id: document for document in found if document is not None}

    def add_stock_in(self, transaction: Transaction, product_id: str, amount: int) -> None:
        transaction.write(Update(f"products/{product_id}", {"stock": Increment(amount)}))


_ACTIVE: Sequence[Any] = (("active", "==", True),)
