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


class MixedCurrencies(WattleError):
    code = Code.MIXED_CURRENCIES

    def __init__(self, currencies: Sequence[str]) -> None:
        super().__init__(f"One order cannot be paid in {' and '.join(sorted(currencies))}.")
