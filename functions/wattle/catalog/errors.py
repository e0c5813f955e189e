from collections.abc import Sequence

from wattle.errors import Code, FieldError, WattleError


class ProductNotFound(WattleError):
    """There is none, or it is not sold now, which only administrators are told."""

    code = Code.PRODUCT_NOT_FOUND

    def __init__(self, product_id: str) -> None:
        super().__init__(f"There is no product {product_id}.")


class StockNotCounted(WattleError):
    code = Code.STOCK_NOT_COUNTED

    def __init__(self) -> None:
        super().__init__("The stock of this product is unlimited. Set `stock` before changing it by `stockChange`.")


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
    """`short` are places in the request (`items[0].quantity`) with how many are left."""

    code = Code.OUT_OF_STOCK

    def __init__(self, short: Sequence[tuple[str, int]]) -> None:
        super().__init__(
            "There is not enough left.",
            errors=[FieldError(place, "OUT_OF_STOCK", f"{left} left.") for place, left in short],
        )
