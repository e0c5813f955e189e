"""A spread of orders over ten ranges of an index: docs/decisions/0002-order-shards.md."""

from typing import Final
from zlib import crc32

SHARDS: Final = 10


def shard_of(order_id: str) -> int:
    """The shard of an order, from 0 to 9: the same for the same id, and even over random ids."""
    return crc32(order_id.encode()) % SHARDS
