"""Orders. Each change of status appends an event and bumps the version, in one transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from wattle.adapters.firestore import Firestore, Transaction
from wattle.admin.service import AuditService
from wattle.catalog.service import CatalogService, Offer
from wattle.context import Context
from wattle.idempotency.service import IdempotencyService
from wattle.kit.clock import Clock
from wattle.kit.ids import document_id, order_number
from wattle.kit.money import tax_on
from wattle.kit.slices import Slice
from wattle.orders.errors import InvalidTransition, MixedCurrencies, OrderNotFound
from wattle.orders.repository import OrderRepository
from wattle.orders.schemas import CreateOrder, Order
from wattle.orders.states import NEXT, Status


@dataclass(frozen=True, slots=True)
class Placed:
    """An order, and whether an earlier call with the same idempotency key made it."""

    order: Order
    replayed: bool


class OrderService:
    def __init__(  # noqa: PLR0913 (each is a service of its own)
        self,
        firestore: Firestore,
        *,
        catalog: CatalogService,
        idempotency: IdempotencyService,
        audit: AuditService,
        clock: Clock,
        tax_rate: int,
    ) -> None:
        self._firestore = firestore
        self._orders = OrderRepository(firestore)
        self._catalog = catalog
        self._idempotency = idempotency
        self._audit = audit
        self._clock = clock
        self._tax_rate = tax_rate

    def create(self, ctx: Context, wanted: CreateOrder) -> Placed:
        """Place an order: take the stock, set the prices, write order, event and idempotency record together.

        Raises:
            ProductUnavailable, OutOfStock, MixedCurrencies, IdempotencyKeyReused.
        """
        order_id = document_id()

        def work(transaction: Transaction) -> Placed:
            before = self._idempotency.recall(transaction, ctx.idempotent)
            if before is not None:
                return Placed(Order.model_validate_json(before), replayed=True)
            if transaction.uncertain:
                landed = self._orders.get_in(transaction, ctx.user.uid, order_id)
                if landed is not None:
                    return Placed(Order.stored(landed.data, id=order_id), replayed=False)
            offers = self._catalog.take(
                transaction,
                {item.product_id: item.quantity for item in wanted.items},
                {item.product_id: f"items[{index}]" for index, item in enumerate(wanted.items)},
            )
            data = self._new_order(ctx.user.uid, wanted, offers)
            order = Order.stored(data, id=order_id)
            self._orders.create_in(transaction, order_id, data)
            self._append_event(transaction, ctx, order_id, data, came_from=None, reason=None)
            self._idempotency.record(transaction, ctx.idempotent, 201, order.model_dump_json(by_alias=True))
            return Placed(order, replayed=False)

        return self._firestore.transaction(work, ctx.deadline)

    def get(self, ctx: Context, order_id: str) -> Order:
        """One of the caller's orders."""
        found = self._orders.get(ctx.user.uid, order_id, ctx.deadline)
        if found is None:
            raise OrderNotFound(order_id)
        return Order.stored(found.data, id=order_id)

    def page(
        self,
        ctx: Context,
        status: Status | None,
        after: Sequence[Any] | None,
        limit: int,
        fields: Sequence[str] | None,
    ) -> Slice[Order]:
        """The caller's orders, newest first."""
        found = self._orders.page(
            uid=ctx.user.uid, status=status, after=after, limit=limit, fields=fields, deadline=ctx.deadline
        )
        make = Order.stored if fields is None else Order.partial
        return Slice([make(row.data, id=row.id) for row in found.rows], found.end)

    def count(self, ctx: Context, status: Status | None) -> int:
        return self._orders.count(ctx.user.uid, status, ctx.deadline)

    def change_status(self, ctx: Context, order_id: str, status: Status, reason: str | None) -> Order:
        """Move anybody's order on, as an administrator.

        Raises:
            OrderNotFound, InvalidTransition.
        """

        def work(transaction: Transaction) -> Order:
            found = self._orders.get_any_in(transaction, order_id)
            if found is None:
                raise OrderNotFound(order_id)
            present = Status(found.data["status"])
            if status not in NEXT[present]:
                raise InvalidTransition(present, status)
            update = {"status": status.value, "updatedAt": self._clock(), "version": found.data["version"] + 1}
            data = {**found.data, **update}
            self._orders.update_in(transaction, order_id, update)
            self._append_event(transaction, ctx, order_id, data, came_from=present, reason=reason)
            self._audit.record(
                transaction, ctx, "order.status", f"orders/{order_id}", {"status": [present.value, status.value]}
            )
            return Order.stored(data, id=order_id)

        return self._firestore.transaction(work, ctx.deadline)

    def _new_order(self, uid: str, wanted: CreateOrder, offers: Mapping[str, Offer]) -> dict[str, Any]:
        currencies = {offer.currency for offer in offers.values()}
        if len(currencies) > 1:
            raise MixedCurrencies(sorted(currencies))
        items = [_item(offers[item.product_id], item.quantity) for item in wanted.items]
        subtotal = sum(item["lineTotal"] for item in items)
        tax = tax_on(subtotal, self._tax_rate)
        now = self._clock()
        return {
            "userId": uid,
            "number": order_number(),
            "status": Status.PENDING.value,
            "currency": currencies.pop(),
            "items": items,
            "subtotal": subtotal,
            "tax": tax,
            "total": subtotal + tax,
            "shippingAddress": wanted.shipping_address.model_dump(by_alias=True) if wanted.shipping_address else None,
            "note": wanted.note,
            "createdAt": now,
            "updatedAt": now,
            "deletedAt": None,
            "version": 1,
        }

    def _append_event(  # noqa: PLR0913 (what an event says)
        self,
        transaction: Transaction,
        ctx: Context,
        order_id: str,
        data: Mapping[str, Any],
        *,
        came_from: Status | None,
        reason: str | None,
    ) -> None:
        event = {
            "type": "created" if came_from is None else "status",
            "from": None if came_from is None else came_from.value,
            "to": data["status"],
            # The owner reads the events: he sees that the shop acted, not which of its people.
            "actor": "customer" if ctx.user.uid == data["userId"] else "shop",
            "at": data["updatedAt"],
            "reason": reason,
        }
        self._orders.add_event_in(transaction, order_id, data["version"], event)


def _item(offer: Offer, quantity: int) -> dict[str, Any]:
    return {
        "productId": offer.product_id,
        "name": offer.name,
        "quantity": quantity,
        "unitPrice": offer.unit_price,
        "lineTotal": offer.unit_price * quantity,
    }
