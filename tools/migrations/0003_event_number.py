"""Events of orders get their number, by which they are listed: 10 comes after 9, which it does not among ids.

Run it after the deployment that writes it. Events without it are not listed.
"""

from collections.abc import Mapping
from typing import Any

from wattle.adapters.firestore import Document

COLLECTION = "events"
EVERYWHERE = True


def transform(document: Document) -> Mapping[str, Any]:
    return {} if "number" in document.data else {"number": int(document.id), "changed": []}
