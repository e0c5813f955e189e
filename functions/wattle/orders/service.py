"""Orders: reading them, and what `placement` and `amendments` do to them."""

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple, TypeVar

from wattle.adapters.firestore import Document, Firestore
from wattle.admin.service import AuditService
from wattle.catalog.service import CatalogService
from wattle.context import Context
from wattle.idempotency.service import IdempotencyService
from wattle.kit.clock import Clock
from wattle.kit.parallel import side_by_side
from wattle.kit.slices import Slice
from wattle.orders.amendments import OrderAmendments
from wattle.orders.changes import OrderChanges
from wattle.orders.criteria import Criteria
from wattle.orders.errors import OrderNotFound
from wattle.orders.placement import OrderPlacement
from wattle.orders.repository import OrderRepository
from wattle.orders.schemas import AdminOrder, Order, OrderEvent
from wattle.orders.sync import SyncPosition

R = TypeVar("R", bound=Order)


class Changes(NamedTuple):
    """Orders that changed, and where the app stands now. `more` says that there may be others."""

    rows: Sequence[Order]
    position: SyncPosition
    more: bool


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
        self._orders = OrderRepository(firestore)
        self.placement: Final = OrderPlacement(
            firestore, self._orders, catalog=catalog, idempotency=idempotency, clock=clock, tax_rate=tax_rate
        )
        self.amendments: Final = OrderAmendments(
            OrderChanges(firestore, self._orders, clock), catalog=catalog, audit=audit, clock=clock, tax_rate=tax_rate
        )

    def get(self, ctx: Context, order_id: str) -> Order:
        """One of the caller's orders."""
        found = self._orders.get(ctx.user.uid, order_id, ctx.deadline)
        if found is None:
            raise OrderNotFound(order_id)
        return Order.stored(found.data, id=order_id)

    def page(
        self,
        ctx: Context,
        criteria: Criteria,
        after: Sequence[Any] | None,
        limit: int,
        fields: Sequence[str] | None,
    ) -> Slice[Order]:
        """The caller's orders, by the time they were made."""
        found = self._orders.page(
            uid=ctx.user.uid,
            criteria=criteria,
            after=after,
            limit=limit,
            fields=fields,
            deadline=ctx.deadline,
        )
        return Slice(_orders(Order, found.rows, fields), found.end)

    def count(self, ctx: Context, criteria: Criteria) -> int:
        return self._orders.count(ctx.user.uid, criteria, ctx.deadline)

    def changes(self, ctx: Context, position: SyncPosition, limit: int, fields: Sequence[str] | None) -> Changes:
        """The caller's orders that changed after `position`, removed ones as well: see `sync`."""
        found = self._orders.changes(ctx.user.uid, position, limit, fields, ctx.deadline)
        rows = found.documents
        more = len(rows) == limit
        last = (rows[-1].data["changedAt"], rows[-1].id) if rows else None
        return Changes(
            _orders(Order, rows, fields), position.advanced(last, more=more, read_time=found.read_time), more
        )

    def events(self, ctx: Context, order_id: str, after: Sequence[Any] | None, limit: int) -> Slice[OrderEvent]:
        """What happened to one of the caller's orders, newest first. A position proves that the order is his."""

        def events(below: int | None) -> Slice[Document]:
            return self._orders.events(order_id, below, limit, ctx.deadline)

        if after is None:
            # Both at once: whose order it is decides whether the events are told.
            both: list[Callable[[], Any]] = [lambda: self.get(ctx, order_id), lambda: events(None)]
            _, found = side_by_side(both)
        else:
            found = events(*after)
        return Slice([OrderEvent.stored(row.data) for row in found.rows], found.end)

    def count_events(self, ctx: Context, order_id: str) -> int:
        """How many there are: each version has one."""
        return self.get(ctx, order_id).version

    def get_any(self, ctx: Context, order_id: str) -> AdminOrder:
        """Anybody's order, for administrators."""
        found = self._orders.get_any(order_id, ctx.deadline)
        if found is None:
            raise OrderNotFound(order_id)
        return AdminOrder.stored(found.data, id=order_id)

    def page_of_all(
        self, ctx: Context, criteria: Criteria, after: Sequence[Any] | None, limit: int, fields: Sequence[str] | None
    ) -> Slice[AdminOrder]:
        """All users' orders, newest first, for administrators."""
        found = self._orders.page_of_all(
            criteria=criteria, after=after, limit=limit, fields=fields, deadline=ctx.deadline
        )
        return Slice(_orders(AdminOrder, found.rows, fields), found.end)

    def count_of_all(self, ctx: Context, criteria: Criteria) -> int:
        return self._orders.count_of_all(criteria, ctx.deadline)


def _orders(kind: type[R], rows: Sequence[Document], fields: Sequence[str] | None) -> list[R]:
    make: Callable[..., R] = kind.stored if fields is None else kind.partial
    return [make(row.data, id=row.id) for row in rows]
