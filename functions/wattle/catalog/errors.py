from collections.abc import Sequence

from wattle.errors import Code, FieldError, WattleError


class ProductUnavailable(WattleError):
    """`missing` are places in the order (`items[0].productId`) with the product ids there."""

    code = Code.PRODUCT_UNAVAILABLE

    def __init__(self, missing: Sequence[tuple[str, str]]) -> None:
        super().__init__(
            "Some products are not sold any more.",
            errors=[
                FieldError(place, "PRODUCT_UNAVAILABLE", f"{product_id} is not for sale.")
                for place, product_id in missing
            ],
        )


class OutOfStock(WattleError):
    """`short` are places in the order (`items[0].quantity`) with how many are left."""

    code = Code.OUT_OF_STOCK

    def __init__(self, short: Sequence[tuple[str, int]]) -> None:
        super().__init__(
            "There is not enough left.",
            errors=[FieldError(place, "OUT_OF_STOCK", f"{left} left.") for place, left in short],
        )
