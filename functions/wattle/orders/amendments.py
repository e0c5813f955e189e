"""What becomes of a placed order: amendments while it is pending, its way through the states, removal."""

from collections.abc import Mapping
from typing import Any, Final

from wattle.adapters.firestore import Transaction
from wattle.admin.service import AuditService
from wattle.catalog.service import CatalogService
from wattle.context import Context
from wattle.kit.clock import Clock
from wattle.orders.changes import Change, OrderChanges
from wattle.orders.errors import InvalidTransition, OrderNotPending, OrderStillOpen
from wattle.orders.pricing import amended_line, one_currency, sums, taken, to_take
from wattle.orders.schemas import AdminOrder, AmendOrder, NewItem, Order
from wattle.orders.states import CLOSED, NEXT, Status


class OrderAmendments:
    def __init__(
        self, changes: OrderChanges, *, catalog: CatalogService, audit: AuditService, clock: Clock, tax_rate: int
    ) -> None:
        self._changes = changes
        self._catalog = catalog
        self._audit = audit
        self._clock = clock
        self._tax_rate = tax_rate

    def amend(self, ctx: Context, order_id: str, wanted: AmendOrder) -> Order:
        """Change one of the caller's orders while it is pending. What was not sent stays as it is.

        Lines whose quantity changed, and new ones, get the present price; the stock moves by the difference.

        Raises:
            OrderNotFound, OrderNotPending, PreconditionFailed, ProductUnavailable, OutOfStock, MixedCurrencies.
        """

        def decide(transaction: Transaction, order: Mapping[str, Any]) -> Change | None:
            status = Status(order["status"])
            if status is not Status.PENDING:
                raise OrderNotPending(status)
            sent = wanted.plain_fields()
            if wanted.items:
                sent |= self._amended(transaction, order, wanted.items)
            fields = {name: value for name, value in sent.items() if value != order[name]}
            return Change("amended", fields) if fields else None

        changed = self._changes.of_owner(ctx, order_id, decide)
        return Order.stored(changed, id=order_id)

    def cancel(self, ctx: Context, order_id: str, reason: str | None) -> Order:
        """Cancel one of the caller's orders; the stock goes back. One that is cancelled already is left as it is.

        Raises:
            OrderNotFound, InvalidTransition.
        """

        def decide(transaction: Transaction, order: Mapping[str, Any]) -> Change | None:
            present = Status(order["status"])
            if present is Status.CANCELLED:
                return None
            return self._move(transaction, order, Status.CANCELLED, reason)

        return Order.stored(self._changes.of_owner(ctx, order_id, decide), id=order_id)

    def change_status(self, ctx: Context, order_id: str, status: Status, reason: str | None) -> AdminOrder:
        """Move anybody's order on, as an administrator. A cancelled one gives its stock back; one that has the status
        already is left as it is.

        Raises:
            OrderNotFound, InvalidTransition.
        """

        def decide(transaction: Transaction, order: Mapping[str, Any]) -> Change | None:
            if order["status"] == status.value:
                return None
            change = self._move(transaction, order, status, reason)
            diff = {"status": [order["status"], status.value]}
            self._audit.record(transaction, ctx, "order.status", f"orders/{order_id}", diff)
            return change

        return AdminOrder.stored(self._changes.of_anybody(ctx, order_id, decide), id=order_id)

    def remove(self, ctx: Context, order_id: str) -> Order:
        """Take a finished order off the caller's list; delta sync tells his other phones. Once is enough.

        Raises:
            OrderNotFound, OrderStillOpen.
        """

        def decide(_: Transaction, order: Mapping[str, Any]) -> Change | None:
            if order["deletedAt"] is not None:
                return None
            status = Status(order["status"])
            if status not in CLOSED:
                raise OrderStillOpen(status)
            return Change("removed", {"deletedAt": self._clock()})

        return Order.stored(self._changes.of_owner(ctx, order_id, decide), id=order_id)

    def _move(self, transaction: Transaction, order: Mapping[str, Any], status: Status, reason: str | None) -> Change:
        present = Status(order["status"])
        if status not in NEXT[present]:
            raise InvalidTransition(present, status)
        if status is Status.CANCELLED:
            self._catalog.adjust(transaction, {item["productId"]: -taken(item) for item in order["items"]}, {})
        return Change("status", {"status": status.value}, reason)

    def _amended(self, transaction: Transaction, order: Mapping[str, Any], items: list[NewItem]) -> dict[str, Any]:
        before = {entry["productId"]: entry for entry in order["items"]}
        quantities = {item.product_id: item.quantity for item in items}
        differences = {
            product_id: to_take(before.get(product_id), quantities.get(product_id, 0))
            for product_id in {**before, **quantities}
            if quantities.get(product_id, 0) != before.get(product_id, _NONE)["quantity"]
        }
        places = {item.product_id: f"items[{index}]" for index, item in enumerate(items)}
        offers = self._catalog.adjust(transaction, differences, places) if differences else {}
        lines = [amended_line(before.get(id_), offers.get(id_), quantity) for id_, quantity in quantities.items()]
        currency = one_currency(offers[id_].currency if id_ in offers else order["currency"] for id_ in quantities)
        return {"items": lines, "currency": currency, **sums(lines, self._tax_rate)}


_NONE: Final = {"quantity": 0}
