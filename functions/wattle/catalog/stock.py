"""How much of a product is left: a number in its document, or where there is much of it, a sharded counter.

A document takes about one write a second for long, and transactions that change it wait for each other: a product that
everybody orders at once would be a queue. From SHARDED_FROM pieces on, a buyer takes his from one of ten shards,
`products/{id}/stock/{n}`, at random. An empty shard is lent a hundredth of the product's own number, so of a hundred
orders ten write each shard; the product is written by one where there are 10,000 pieces, by twenty where there are 500,
by half of them towards the end. Below GATHERED_BELOW the shards are emptied again, and the last pieces are counted
exactly, in one place. All of it happens in the transaction that places the order.
"""

import random
from collections.abc import Mapping
from typing import Any, Final

from wattle.adapters.firestore import Document, Transaction
from wattle.catalog.repository import ProductRepository

SHARDS: Final = 10
SHARDED_FROM: Final = 500
# Well below SHARDED_FROM: what the shards give back, 30 pieces at most, does not start them again.
GATHERED_BELOW: Final = 250
# Ten shards with a hundredth each: the product's own number is at most a tenth less than what there is.
_LOANS: Final = 100


class Stock:
    """Takes and gives back pieces. `products` are documents that the transaction has read."""

    def __init__(self, repository: ProductRepository) -> None:
        self._products = repository

    def move(
        self, transaction: Transaction, products: Mapping[str, Document], amounts: Mapping[str, int]
    ) -> Mapping[str, int]:
        """Take (above 0) or give back (below 0) of those that are counted. At 0 nothing is done.

        Returns what is left of those of which there is too little. Nothing must be committed then.
        """
        counted = {
            id_: product for id_, product in products.items() if amounts[id_] and product.data["stock"] is not None
        }
        drawn = {id_: _shard() for id_, product in counted.items() if amounts[id_] > 0 and _is_spread(product)}
        shards = self._products.shards_in(transaction, drawn.items())
        short = {}
        for id_, product in counted.items():
            amount, own = amounts[id_], product.data["stock"]
            if amount < 0:
                self._products.update_in(transaction, id_, {"stock": own - amount})
                continue
            if id_ in drawn and self._draw(transaction, product, amount, drawn[id_], shards.get((id_, drawn[id_]), 0)):
                continue
            left = own + self.lent(transaction, product)
            if left < amount:
                short[id_] = left
            change = {"stock": left - amount, **self.gathered(transaction, product)}
            self._products.update_in(transaction, id_, change)
        return short

    def _draw(self, transaction: Transaction, product: Document, amount: int, number: int, held: int) -> bool:
        """Take from one shard, which holds so many; False where the product has too little to lend to it."""
        if held < amount:
            own = product.data["stock"]
            loan = max(own // _LOANS, amount - held)
            if own - loan < GATHERED_BELOW:
                return False
            self._products.update_in(transaction, product.id, {"stock": own - loan, "sharded": True})
            held += loan
        self._products.set_shard_in(transaction, product.id, number, held - amount)
        return True

    def lent(self, transaction: Transaction, product: Document) -> int:
        """How many pieces are in the product's shards. A read for each shard, none for a product without any."""
        if not product.data.get("sharded"):
            return 0
        return sum(self._products.shards_in(transaction, ((product.id, n) for n in range(SHARDS))).values())

    def gathered(self, transaction: Transaction, product: Document) -> Mapping[str, Any]:
        """Empty the product's shards; what to change in its document, beside the stock."""
        if not product.data.get("sharded"):
            return {}
        for number in range(SHARDS):
            self._products.delete_shard_in(transaction, product.id, number)
        return {"sharded": False}


def _is_spread(product: Document) -> bool:
    return bool(product.data.get("sharded")) or product.data["stock"] >= SHARDED_FROM


def _shard() -> int:
    return random.randrange(SHARDS)  # noqa: S311 (spreads writes, hides nothing)
