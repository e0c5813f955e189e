"""Lines and sums of an order, in minor units of its currency."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from wattle.catalog.service import Offer
from wattle.kit.money import tax_on
from wattle.orders.errors import MixedCurrencies


def line(offer: Offer, quantity: int) -> dict[str, Any]:
    """So many of a product at its present price, as it is stored."""
    return {
        "productId": offer.product_id,
        "name": offer.name,
        "quantity": quantity,
        "unitPrice": offer.unit_price,
        "lineTotal": offer.unit_price * quantity,
    }


def amended_line(before: Mapping[str, Any] | None, offer: Offer | None, quantity: int) -> dict[str, Any]:
    """A line of an amended order: as agreed where nothing changed, else at the present price.

    What is not sold any more (`offer` is None) can still be ordered less of, at the price agreed.
    """
    if before is not None and (offer is None or before["quantity"] == quantity):
        return {**before, "quantity": quantity, "lineTotal": before["unitPrice"] * quantity}
    if offer is None:
        raise LookupError("a new line has an offer")
    return line(offer, quantity)


def sums(lines: Sequence[Mapping[str, Any]], tax_rate: int) -> dict[str, int]:
    """Subtotal, tax at `tax_rate` basis points, and total."""
    subtotal = sum(entry["lineTotal"] for entry in lines)
    tax = tax_on(subtotal, tax_rate)
    return {"subtotal": subtotal, "tax": tax, "total": subtotal + tax}


def one_currency(currencies: Iterable[str]) -> str:
    """The currency that all lines share.

    Raises:
        MixedCurrencies.
    """
    first, *others = sorted(set(currencies))
    if others:
        raise MixedCurrencies([first, *others])
    return first
