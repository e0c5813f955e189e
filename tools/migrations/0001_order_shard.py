"""Orders get their shard, by which administrators list everybody's (docs/decisions/0002-order-shards.md).

Run it after the deployment that writes shards. Orders without one are on no list of administrators.
"""

from collections.abc import Mapping
from typing import Any

from wattle.adapters.firestore import Document
from wattle.orders.shards import shard_of

COLLECTION = "orders"


def transform(document: Document) -> Mapping[str, Any]:
    shard = shard_of(document.id)
    return {} if document.data.get("shard") == shard else {"shard": shard}
