from collections.abc import Sequence

from wattle.errors import Code, WattleError
from wattle.orders.states import NEXT, Status


class OrderNotFound(WattleError):
    """There is none, or it is somebody else's: a stranger is not told which."""

    code = Code.ORDER_NOT_FOUND

    def __init__(self, order_id: str) -> None:
        super().__init__(f"There is no order {order_id}.")


class InvalidTransition(WattleError):
    code = Code.INVALID_TRANSITION

    def __init__(self, present: Status, wanted: Status) -> None:
        possible = ", ".join(sorted(NEXT[present])) or "nothing"
        super().__init__(f"An order that is {present} cannot become {wanted}, only {possible}.")


class OrderNotPending(WattleError):
    code = Code.ORDER_NOT_PENDING

    def __init__(self, present: Status) -> None:
        super().__init__(f"The order is {present}: only a pending one can be changed.")


class OrderStillOpen(WattleError):
    code = Code.ORDER_STILL_OPEN

    def __init__(self, present: Status) -> None:
        super().__init__(f"The order is {present}: only one that is delivered, refunded or cancelled can be removed.")


class MixedCurrencies(WattleError):
    code = Code.MIXED_CURRENCIES

    def __init__(self, currencies: Sequence[str]) -> None:
        super().__init__(f"One order cannot be paid in {' and '.join(sorted(currencies))}.")
