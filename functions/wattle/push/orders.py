"""What a customer is told of his order."""

from collections.abc import Mapping
from typing import Any, Final

from wattle.inbox.service import Message
from wattle.orders.states import Status

_TEXTS: Final[Mapping[Status, tuple[str, str]]] = {
    Status.CONFIRMED: ("Order confirmed", "We have confirmed your order {number}."),
    Status.SHIPPED: ("Order shipped", "Your order {number} is on its way."),
    Status.DELIVERED: ("Order delivered", "Your order {number} has been delivered."),
    Status.CANCELLED: ("Order cancelled", "Your order {number} has been cancelled."),
    Status.REFUNDED: ("Order refunded", "We have refunded your order {number}."),
}


def order_message(
    order_id: str, before: Mapping[str, Any] | None, after: Mapping[str, Any] | None
) -> tuple[str, Message] | None:
    """Whom to tell what of a write to an order; None where there is nothing to tell.

    The message's id is made of the order and its version, so that a redelivered event tells nothing new.
    """
    if before is None or after is None or before["status"] == after["status"]:
        return None
    status = Status(after["status"])
    if status not in _TEXTS:
        return None
    title, body = _TEXTS[status]
    message = Message(
        id=f"{order_id}-{after['version']}",
        kind="orders",
        title=title,
        body=body.format(number=after["number"]),
        data={"orderId": order_id, "status": status.value},
    )
    return after["userId"], message
