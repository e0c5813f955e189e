"""Every change of an order goes through here: the fields, version, times and the event, in one transaction."""

from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

from wattle.adapters.firestore import SERVER_TIMESTAMP, Document, Firestore, Transaction
from wattle.context import Context
from wattle.kit.clock import Clock
from wattle.kit.ids import document_id
from wattle.orders.errors import OrderNotFound
from wattle.orders.repository import OrderRepository
from wattle.orders.states import Status

Kind = Literal["created", "status", "amended", "removed"]


class Change(NamedTuple):
    """What becomes of an order: the stored fields that change, and what its event says."""

    kind: Kind
    fields: Mapping[str, Any]
    reason: str | None = None


Decide = Callable[[Transaction, Mapping[str, Any]], Change | None]
"""From the stored order to its change, None where it is already as wanted. It may write more in the transaction."""


class OrderChanges:
    """Changes orders, each change once, even where nobody can tell whether a commit took effect."""

    def __init__(self, firestore: Firestore, orders: OrderRepository, clock: Clock) -> None:
        self._firestore = firestore
        self._orders = orders
        self._clock = clock

    def of_owner(self, ctx: Context, order_id: str, decide: Decide) -> dict[str, Any]:
        """Change one of the caller's orders. Its fields afterwards, as stored.

        Raises:
            OrderNotFound; PreconditionFailed: it is not the version that is expected; and what `decide` raises.
        """

        def read(transaction: Transaction) -> Document | None:
            return self._orders.get_in(transaction, ctx.user.uid, order_id)

        return self._apply(ctx, order_id, read, decide)

    def of_anybody(self, ctx: Context, order_id: str, decide: Decide) -> dict[str, Any]:
        """Change anybody's order, as an administrator. Its fields afterwards, as stored.

        Raises:
            As `of_owner`.
        """

        def read(transaction: Transaction) -> Document | None:
            return self._orders.get_any_in(transaction, order_id)

        return self._apply(ctx, order_id, read, decide)

    def _apply(
        self,
        ctx: Context,
        order_id: str,
        read: Callable[[Transaction], Document | None],
        decide: Decide,
    ) -> dict[str, Any]:
        # The id that the event of this change carries, whichever attempt makes it; and by version what each attempt
        # would have made of the order.
        change_id = document_id()
        attempts: dict[int, dict[str, Any]] = {}

        def work(transaction: Transaction) -> dict[str, Any]:
            if transaction.uncertain:
                landed = self._orders.event_of_in(transaction, order_id, list(attempts), change_id)
                if landed is not None:
                    return attempts[landed]
            found = read(transaction)
            if found is None:
                raise OrderNotFound(order_id)
            present = found.data
            ctx.expected.demand(present["version"])
            change = decide(transaction, present)
            if change is None:
                return present
            fields = {**change.fields, "updatedAt": self._clock(), "version": present["version"] + 1}
            changed = {**present, **fields}
            attempts[changed["version"]] = changed
            self._orders.update_in(transaction, order_id, {**fields, "changedAt": SERVER_TIMESTAMP})
            came_from = Status(present["status"])
            self._orders.add_event_in(
                transaction, order_id, event(ctx, change, changed, change_id=change_id, came_from=came_from)
            )
            return changed

        return self._firestore.transaction(work, ctx.deadline)


def event(
    ctx: Context, change: Change, order: Mapping[str, Any], *, change_id: str, came_from: Status | None
) -> dict[str, Any]:
    """The event of a change that made `order`, as it is stored. Its owner reads it."""
    return {
        "number": order["version"],
        "type": change.kind,
        "from": None if came_from is None else came_from.value,
        "to": order["status"],
        "changed": sorted(change.fields) if change.kind == "amended" else [],
        # The owner sees that the shop acted, not which of its people.
        "actor": "customer" if ctx.user.uid == order["userId"] else "shop",
        "at": order["updatedAt"],
        "reason": change.reason,
        "changeId": change_id,
    }
