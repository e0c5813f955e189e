from datetime import datetime
from typing import Final

from wattle.context import Context
from wattle.http.envelope import Created, Page
from wattle.http.fields import projection
from wattle.http.idempotency import REPLAYED
from wattle.http.pagination import page, position, with_total
from wattle.orders.schemas import (
    AdminOrder,
    AmendOrder,
    CancelOrder,
    ChangeStatus,
    CreateOrder,
    ListEvents,
    ListOrders,
    Order,
    OrderEvent,
    OrderFilter,
)
from wattle.orders.sync import SyncPosition
from wattle.schema import PathId
from wattle.services import Services

_SYNC: Final = "orders/changes"


def create_order(services: Services, ctx: Context, body: CreateOrder) -> Created[Order]:
    """Place an order at the shop's prices.

    The stock is taken, and prices and tax are set, at this moment. Repeated with the same `Idempotency-Key` it answers
    with the same order.

    Raises:
        ProductUnavailable, OutOfStock, MixedCurrencies.
    """
    placed = services.orders.placement.create(ctx, body)
    return Created(placed.order, headers=REPLAYED if placed.replayed else {})


def list_orders(services: Services, ctx: Context, query: ListOrders) -> Page[Order]:
    """The caller's orders, newest first.

    With `updatedAfter` it is delta sync: what changed, in the order of the changes, removed orders as well (their
    `deletedAt` is set). Start with a time, or with 1970-01-01T00:00:00Z for everything; go on with `nextCursor` as
    `updatedAfter` while `hasNext` is true; then keep the last `nextCursor` for the next time. A change can come twice:
    put orders in by their id, and keep the higher `version`.
    """
    if query.updated_after is not None:
        return _changed_orders(services, ctx, query, query.updated_after)
    after = position(query, ctx, "orders", services.cursors)
    fields = projection(query.fields, Order)
    found, total = with_total(
        query,
        lambda: services.orders.page(ctx, query.criteria, after, query.size, fields),
        lambda: services.orders.count(ctx, query.criteria),
    )
    return page(found, query, ctx, "orders", services.cursors, total=total)


def _changed_orders(services: Services, ctx: Context, query: ListOrders, after: datetime | str) -> Page[Order]:
    fields = projection(query.fields, Order)
    if isinstance(after, datetime):
        start = SyncPosition.since(after)
    else:
        start = SyncPosition(*services.cursors.read(after, ctx.user.uid, _SYNC, {}))
    found = services.orders.changes(ctx, start, query.size, fields)
    reached = (found.position.at, found.position.row, found.position.restart)
    cursor = services.cursors.sign(reached, ctx.user.uid, _SYNC, {})
    return Page(found.rows, query.size, cursor, has_next=found.more)


def read_order(services: Services, ctx: Context, order_id: PathId) -> Order:
    """One of the caller's orders.

    Raises:
        OrderNotFound.
    """
    return services.orders.get(ctx, order_id)


def amend_order(services: Services, ctx: Context, order_id: PathId, body: AmendOrder) -> Order:
    """Change a pending order: its items, address or note.

    Raises:
        OrderNotFound, OrderNotPending, ProductUnavailable, OutOfStock, MixedCurrencies.
    """
    return services.orders.amendments.amend(ctx, order_id, body)


def cancel_order(services: Services, ctx: Context, order_id: PathId, body: CancelOrder) -> Order:
    """Cancel a pending or confirmed order. Cancelling it again answers the same.

    Raises:
        OrderNotFound, InvalidTransition.
    """
    return services.orders.amendments.cancel(ctx, order_id, body.reason)


def remove_order(services: Services, ctx: Context, order_id: PathId) -> Order:
    """Take an order that is delivered, refunded or cancelled off the caller's list, on all of his phones.

    Raises:
        OrderNotFound, OrderStillOpen.
    """
    return services.orders.amendments.remove(ctx, order_id)


def list_events(services: Services, ctx: Context, order_id: PathId, query: ListEvents) -> Page[OrderEvent]:
    """What happened to one of the caller's orders, newest first.

    Raises:
        OrderNotFound.
    """
    name = f"orders/{order_id}/events"
    after = position(query, ctx, name, services.cursors)
    found, total = with_total(
        query,
        lambda: services.orders.events(ctx, order_id, after, query.size),
        lambda: services.orders.count_events(ctx, order_id),
    )
    return page(found, query, ctx, name, services.cursors, total=total)


def list_all_orders(services: Services, ctx: Context, query: OrderFilter) -> Page[AdminOrder]:
    """Everybody's orders, newest first, removed ones as well."""
    after = position(query, ctx, "admin/orders", services.cursors)
    fields = projection(query.fields, AdminOrder)
    found, total = with_total(
        query,
        lambda: services.orders.page_of_all(ctx, query.criteria, after, query.size, fields),
        lambda: services.orders.count_of_all(ctx, query.criteria),
    )
    return page(found, query, ctx, "admin/orders", services.cursors, total=total)


def read_any_order(services: Services, ctx: Context, order_id: PathId) -> AdminOrder:
    """Anybody's order.

    Raises:
        OrderNotFound.
    """
    return services.orders.get_any(ctx, order_id)


def change_status(services: Services, ctx: Context, order_id: PathId, body: ChangeStatus) -> AdminOrder:
    """Move an order on, as an administrator. Cancelling gives the stock back; repeating a move answers the same.

    Raises:
        OrderNotFound, InvalidTransition.
    """
    return services.orders.amendments.change_status(ctx, order_id, body.status, body.reason)
