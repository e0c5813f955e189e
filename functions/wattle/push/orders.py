"""What a customer is told of his order."""

from collections.abc import Mapping
from typing import Any, Final

from wattle.inbox.message import Message
from wattle.orders.states import Status
from wattle.push.catalogue import gettext_noop as _
from wattle.push.catalogue import texts
from wattle.users.preferences import Kind

_TEXTS: Final[Mapping[Status, tuple[str, str]]] = {
    Status.CONFIRMED: (_("Order confirmed"), _("We have confirmed your order {number}.")),
    Status.SHIPPED: (_("Order shipped"), _("Your order {number} is on its way.")),
    Status.DELIVERED: (_("Order delivered"), _("Your order {number} has been delivered.")),
    Status.CANCELLED: (_("Order cancelled"), _("Your order {number} has been cancelled.")),
    Status.REFUNDED: (_("Order refunded"), _("We have refunded your order {number}.")),
}


def order_message(
    order_id: str, before: Mapping[str, Any] | None, after: Mapping[str, Any] | None
) -> tuple[str, Message] | None:
    """Whom to tell what of a write to an order; None where there is nothing to tell.

    The message's id is made of the order and its version, so that a redelivered event tells nothing new.
    """
    if before is None or after is None or before["status"] == after["status"] or after["userId"] is None:
        # Without an id: the order of somebody who left, and whose account was purged.
        return None
    status = Status(after["status"])
    if status not in _TEXTS:
        return None
    title, body = _TEXTS[status]
    message = Message(
        id=f"{order_id}-{after['version']}",
        kind=Kind.ORDERS,
        texts=texts(title, body, number=after["number"]),
        data={"orderId": order_id, "status": status.value},
        at=after["updatedAt"],
    )
    return after["userId"], message
