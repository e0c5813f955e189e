"""Lines and sums of an order, in minor units of its currency."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from wattle.catalog.service import Offer
from wattle.kit.money import tax_on
from wattle.orders.errors import MixedCurrencies


def line(offer: Offer, quantity: int) -> dict[str, Any]:
    """So many of a product at its present price, as it is stored."""
    return _taking(_line(offer, quantity), quantity if offer.counted else 0)


def taken(line_: Mapping[str, Any]) -> int:
    """How many pieces of a line came out of the stock: none where it was not counted then. So many can go back."""
    pieces: int = line_.get("taken", line_["quantity"])
    return pieces


def to_take(before: Mapping[str, Any] | None, quantity: int) -> int:
    """How many pieces more an amended line takes; below 0, so many less."""
    if before is None:
        return quantity
    return max(0, quantity - before["quantity"]) or min(0, quantity - taken(before))


def amended_line(before: Mapping[str, Any] | None, offer: Offer | None, quantity: int) -> dict[str, Any]:
    """A line of an amended order: as agreed where nothing changed, else at the present price.

    What is not sold any more (`offer` is None) can still be ordered less of, at the price agreed.
    """
    if before is not None and (offer is None or before["quantity"] == quantity):
        changed = {**before, "quantity": quantity, "lineTotal": before["unitPrice"] * quantity}
        return _taking(changed, taken(before) + to_take(before, quantity))
    if offer is None:
        raise LookupError("a new line has an offer")
    if before is None:
        return line(offer, quantity)
    more = to_take(before, quantity)
    return _taking(_line(offer, quantity), taken(before) + (more if more < 0 or offer.counted else 0))


def _line(offer: Offer, quantity: int) -> dict[str, Any]:
    return {
        "productId": offer.product_id,
        "name": offer.name,
        "quantity": quantity,
        "unitPrice": offer.unit_price,
        "lineTotal": offer.unit_price * quantity,
    }


def _taking(line_: dict[str, Any], pieces: int) -> dict[str, Any]:
    """The line of which so many pieces came out of the stock. Nearly always it is all of them, and that is not kept."""
    others = {name: value for name, value in line_.items() if name != "taken"}
    return others if pieces == line_["quantity"] else {**others, "taken": pieces}


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
