"""Orders get the time of their last change, in whose order delta sync reads (docs/decisions/0003-delta-sync.md).

Run it after the deployment that writes it. Orders without it are not synchronised.
"""

from collections.abc import Mapping
from typing import Any

from wattle.adapters.firestore import Document

COLLECTION = "orders"


def transform(document: Document) -> Mapping[str, Any]:
    return {} if "changedAt" in document.data else {"changedAt": document.data["updatedAt"]}
