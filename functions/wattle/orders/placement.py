"""Placing an order."""

from typing import Any, NamedTuple

from wattle.adapters.firestore import SERVER_TIMESTAMP, Firestore, Transaction
from wattle.catalog.service import CatalogService
from wattle.context import Context
from wattle.idempotency.service import IdempotencyService
from wattle.kit.clock import Clock
from wattle.kit.ids import document_id, order_number
from wattle.orders.changes import Change, event
from wattle.orders.pricing import line, one_currency, sums
from wattle.orders.repository import OrderRepository
from wattle.orders.schemas import CreateOrder, Order
from wattle.orders.shards import shard_of
from wattle.orders.states import Status


class Placed(NamedTuple):
    """An order, and whether an earlier call with the same idempotency key made it."""

    order: Order
    replayed: bool


class OrderPlacement:
    def __init__(  # noqa: PLR0913 (each is a service of its own)
        self,
        firestore: Firestore,
        orders: OrderRepository,
        *,
        catalog: CatalogService,
        idempotency: IdempotencyService,
        clock: Clock,
        tax_rate: int,
    ) -> None:
        self._firestore = firestore
        self._orders = orders
        self._catalog = catalog
        self._idempotency = idempotency
        self._clock = clock
        self._tax_rate = tax_rate

    def create(self, ctx: Context, wanted: CreateOrder) -> Placed:
        """Place an order: take the stock, set the prices, write order, event and idempotency record together.

        Raises:
            ProductUnavailable, OutOfStock, MixedCurrencies, IdempotencyKeyReused.
        """
        order_id = document_id()

        def work(transaction: Transaction) -> Placed:
            self._catalog.expect(transaction, (item.product_id for item in wanted.items))
            before = self._idempotency.recall(transaction, ctx.idempotent)
            if before is not None:
                return Placed(Order.model_validate_json(before), replayed=True)
            if transaction.uncertain:
                landed = self._orders.get_in(transaction, ctx.user.uid, order_id)
                if landed is not None:
                    return Placed(Order.stored(landed.data, id=order_id), replayed=False)
            data = self._new(transaction, ctx, wanted)
            order = Order.stored(data, id=order_id)
            stored = {**data, "shard": shard_of(order_id), "changedAt": SERVER_TIMESTAMP}
            self._orders.create_in(transaction, order_id, stored)
            created = event(ctx, Change("created", {}), data, change_id=document_id(), came_from=None)
            self._orders.add_event_in(transaction, order_id, created)
            self._idempotency.record(transaction, ctx.idempotent, 201, order.model_dump_json(by_alias=True))
            return Placed(order, replayed=False)

        return self._firestore.transaction(work, ctx.deadline)

    def _new(self, transaction: Transaction, ctx: Context, wanted: CreateOrder) -> dict[str, Any]:
        offers = self._catalog.adjust(
            transaction,
            {item.product_id: item.quantity for item in wanted.items},
            {item.product_id: f"items[{index}]" for index, item in enumerate(wanted.items)},
        )
        lines = [line(offers[item.product_id], item.quantity) for item in wanted.items]
        now = self._clock()
        return {
            "userId": ctx.user.uid,
            "number": order_number(),
            "status": Status.PENDING.value,
            "currency": one_currency(offer.currency for offer in offers.values()),
            "items": lines,
            **sums(lines, self._tax_rate),
            "shippingAddress": wanted.shipping_address.model_dump(by_alias=True) if wanted.shipping_address else None,
            "note": wanted.note,
            "createdAt": now,
            "updatedAt": now,
            "deletedAt": None,
            "version": 1,
        }
