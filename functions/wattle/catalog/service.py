"""What is for sale, at what price, and how much of it is left."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from wattle.adapters.firestore import Document, Firestore, Transaction
from wattle.admin.service import AuditService
from wattle.catalog.errors import OutOfStock, ProductNotFound, ProductUnavailable, StockNotCounted
from wattle.catalog.repository import ProductRepository
from wattle.catalog.schemas import STOCK_MOST, NewProduct, Product, ProductChange
from wattle.catalog.stock import Stock
from wattle.context import Context, Role
from wattle.errors import FieldError, ValidationFailed
from wattle.idempotency.service import IdempotencyService
from wattle.kit.clock import Clock
from wattle.kit.ids import document_id
from wattle.kit.slices import Slice


class Offer(NamedTuple):
    """A product as it is sold now; `unit_price` in minor units of `currency`. `counted`: its stock is."""

    product_id: str
    name: str
    unit_price: int
    currency: str
    counted: bool


class Created(NamedTuple):
    """A product, and whether an earlier call with the same idempotency key made it."""

    product: Product
    replayed: bool


class CatalogService:
    def __init__(
        self, firestore: Firestore, *, idempotency: IdempotencyService, audit: AuditService, clock: Clock
    ) -> None:
        self._firestore = firestore
        self._products = ProductRepository(firestore)
        self._stock = Stock(self._products)
        self._idempotency = idempotency
        self._audit = audit
        self._clock = clock

    def get(self, ctx: Context, product_id: str) -> Product:
        """A product that is for sale; for an administrator any.

        Raises:
            ProductNotFound.
        """
        found = self._products.get(product_id, ctx.deadline)
        if found is None or not (found.data["active"] or ctx.user.role is Role.ADMIN):
            raise ProductNotFound(product_id)
        return Product.stored(found.data, id=product_id)

    def page(  # noqa: PLR0913 (what a page is chosen by)
        self,
        ctx: Context,
        after: Sequence[Any] | None,
        limit: int,
        fields: Sequence[str] | None,
        *,
        active: bool | None = True,
        stock_below: int | None = None,
    ) -> Slice[Product]:
        """Products by name, those for sale unless asked otherwise; with `stock_below` the scarcest first."""
        found = self._products.page(
            active=active, stock_below=stock_below, after=after, limit=limit, fields=fields, deadline=ctx.deadline
        )
        make = Product.stored if fields is None else Product.partial
        return Slice([make(row.data, id=row.id) for row in found.rows], found.end)

    def count(self, ctx: Context, *, active: bool | None = True, stock_below: int | None = None) -> int:
        return self._products.count(active=active, stock_below=stock_below, deadline=ctx.deadline)

    def create(self, ctx: Context, wanted: NewProduct) -> Created:
        """Make a product, as an administrator.

        Raises:
            IdempotencyKeyReused.
        """
        product_id = document_id()

        def work(transaction: Transaction) -> Created:
            before = self._idempotency.recall(transaction, ctx.idempotent)
            if before is not None:
                return Created(Product.model_validate_json(before), replayed=True)
            if transaction.uncertain and (landed := self._products.get_in(transaction, [product_id])):
                return Created(Product.stored(landed[product_id].data, id=product_id), replayed=False)
            said = wanted.model_dump(by_alias=True)
            data = {**said, "updatedAt": self._clock(), "version": 1}
            product = Product.stored(data, id=product_id)
            self._products.create_in(transaction, product_id, data)
            diff = {name: [None, value] for name, value in said.items()}
            self._audit.record(transaction, ctx, "product.create", f"products/{product_id}", diff)
            self._idempotency.record(transaction, ctx.idempotent, 201, product.model_dump_json(by_alias=True))
            return Created(product, replayed=False)

        return self._firestore.transaction(work, ctx.deadline)

    def change(self, ctx: Context, product_id: str, wanted: ProductChange) -> Product:
        """Change a product, as an administrator. The audit log keeps the price history: before and after.

        Raises:
            ProductNotFound, PreconditionFailed, StockNotCounted; OutOfStock: less would be left than nothing.
        """
        entry_id = document_id()
        attempted: list[Product] = []

        def work(transaction: Transaction) -> Product:
            if transaction.uncertain and self._audit.is_recorded(transaction, entry_id):
                return attempted[-1]
            found = self._products.get_in(transaction, [product_id]).get(product_id)
            if found is None:
                raise ProductNotFound(product_id)
            stored = dict(found.data)
            said = wanted.model_dump(by_alias=True, exclude_unset=True)
            if stored["stock"] is not None and said.keys() & {"stock", "stockChange"}:
                stored["stock"] += self._stock.lent(transaction, found)
            present = Product.stored(stored, id=product_id)
            ctx.expected.demand(present.version)
            if "stockChange" in said:
                said["stock"] = _counted(present.stock, said.pop("stockChange"))
            diff = {name: [stored[name], value] for name, value in said.items() if stored[name] != value}
            if not diff:
                return present
            update = {name: value for name, (_, value) in diff.items()}
            if "stock" in update:
                update |= self._stock.gathered(transaction, found)
            update |= {"updatedAt": self._clock(), "version": present.version + 1}
            self._products.update_in(transaction, product_id, update)
            self._audit.record(transaction, ctx, "product.change", f"products/{product_id}", diff, entry_id=entry_id)
            attempted.append(Product.stored({**stored, **update}, id=product_id))
            return attempted[-1]

        return self._firestore.transaction(work, ctx.deadline)

    def expect(self, transaction: Transaction, product_ids: Iterable[str]) -> None:
        """Have the transaction's next read bring along the products that `adjust` will be asked for."""
        self._products.expect_in(transaction, product_ids)

    def adjust(
        self, transaction: Transaction, amounts: Mapping[str, int], places: Mapping[str, str]
    ) -> Mapping[str, Offer]:
        """Take from the stock (above 0), give back (below 0), or look. The offers of those that are for sale.

        One read for each product; one more, and a round trip, where its stock is sharded. `amounts` are by product id;
        `places` say where in the request each product that is taken stands (`items[0]`). What is not counted, or not
        there any more, takes nothing back.

        Raises:
            ProductUnavailable, OutOfStock: naming every product that it holds for. Nothing is taken then.
        """
        found = self._products.get_in(transaction, list(amounts))
        offers = {id_: _offer(document) for id_, document in found.items() if document.data["active"]}
        taken = [id_ for id_, amount in amounts.items() if amount > 0]
        missing = [id_ for id_ in taken if id_ not in offers]
        if missing:
            raise ProductUnavailable([(f"{places[id_]}.productId", id_) for id_ in missing])
        short = self._stock.move(transaction, found, amounts)
        if short:
            raise OutOfStock([(f"{places[id_]}.quantity", left) for id_, left in short.items()])
        return offers


def _counted(stock: int | None, change: int) -> int:
    if stock is None:
        raise StockNotCounted
    if stock + change < 0:
        raise OutOfStock([("stockChange", stock)])
    if stock + change > STOCK_MOST:
        message = f"There would be more than {STOCK_MOST:,}."
        raise ValidationFailed([FieldError("stockChange", "LESS_THAN_EQUAL", message)])
    return stock + change


def _offer(document: Document) -> Offer:
    data = document.data
    return Offer(document.id, data["name"], data["unitPrice"], data["currency"], data["stock"] is not None)
