"""What is for sale, at what price, and how much of it is left."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from wattle.adapters.firestore import Document, Firestore, Transaction
from wattle.catalog.errors import OutOfStock, ProductUnavailable
from wattle.catalog.repository import ProductRepository
from wattle.catalog.schemas import Product
from wattle.context import Context
from wattle.kit.slices import Slice


@dataclass(frozen=True, slots=True)
class Offer:
    """A product as it is sold now; `unit_price` in minor units of `currency`."""

    product_id: str
    name: str
    unit_price: int
    currency: str


class CatalogService:
    def __init__(self, firestore: Firestore) -> None:
        self._products = ProductRepository(firestore)

    def page(
        self, ctx: Context, after: Sequence[Any] | None, limit: int, fields: Sequence[str] | None
    ) -> Slice[Product]:
        """Products for sale, by name."""
        found = self._products.active(after, limit, fields, ctx.deadline)
        make = Product.stored if fields is None else Product.partial
        return Slice([make(row.data, id=row.id) for row in found.rows], found.end)

    def count(self, ctx: Context) -> int:
        return self._products.count_active(ctx.deadline)

    def take(
        self, transaction: Transaction, quantities: Mapping[str, int], places: Mapping[str, str]
    ) -> Mapping[str, Offer]:
        """Take from the stock, and say at what price. One read for each product.

        `quantities` are by product id; `places` say where in the request each product stands (`items[0]`).

        Raises:
            ProductUnavailable, OutOfStock: naming every product that it holds for. Nothing is taken then.
        """
        found = self._products.get_in(transaction, list(quantities))
        missing = [id_ for id_ in quantities if id_ not in found or not found[id_].data["active"]]
        if missing:
            raise ProductUnavailable([(f"{places[id_]}.productId", id_) for id_ in missing])
        limited = {id_: stock for id_ in quantities if (stock := found[id_].data["stock"]) is not None}
        short = [id_ for id_, stock in limited.items() if stock < quantities[id_]]
        if short:
            raise OutOfStock([(f"{places[id_]}.quantity", limited[id_]) for id_ in short])
        for id_ in limited:
            self._products.add_stock_in(transaction, id_, -quantities[id_])
        return {id_: _offer(found[id_]) for id_ in quantities}


def _offer(document: Document) -> Offer:
    data = document.data
    return Offer(document.id, data["name"], data["unitPrice"], data["currency"])
