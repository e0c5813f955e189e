from wattle.context import Context
from wattle.http.envelope import Page, Reply
from wattle.http.fields import select
from wattle.http.idempotency import REPLAYED
from wattle.http.pagination import page, position
from wattle.orders.schemas import ChangeStatus, CreateOrder, ListOrders, Order
from wattle.schema import PathId
from wattle.services import Services


def create_order(services: Services, ctx: Context, body: CreateOrder) -> Reply[Order]:
    """Place an order at the shop's prices."""
    placed = services.orders.create(ctx, body)
    return Reply(placed.order, status=201, headers=REPLAYED if placed.replayed else {})


def list_orders(services: Services, ctx: Context, query: ListOrders) -> Page[Order]:
    """The caller's orders, newest first."""
    selection = select(query.fields, Order)
    after = position(query, ctx, "orders", services.cursors)
    fields = selection.projection if selection else None
    found = services.orders.page(ctx, query.status, after, query.size, fields)
    total = services.orders.count(ctx, query.status) if query.include_total else None
    return page(found, query, ctx, "orders", services.cursors, total=total, selection=selection)


def read_order(services: Services, ctx: Context, order_id: PathId) -> Order:
    """One of the caller's orders."""
    return services.orders.get(ctx, order_id)


def change_status(services: Services, ctx: Context, order_id: PathId, body: ChangeStatus) -> Order:
    """Move an order on, as an administrator."""
    return services.orders.change_status(ctx, order_id, body.status, body.reason)
