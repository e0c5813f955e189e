from collections.abc import Mapping
from typing import Any

from wattle.adapters.firestore import Create, Transaction


class AuditRepository:
    """`auditLog/{id}`: entries are added, never changed."""

    def add_in(self, transaction: Transaction, entry_id: str, data: Mapping[str, Any]) -> None:
        transaction.write(Create(f"auditLog/{entry_id}", data))
