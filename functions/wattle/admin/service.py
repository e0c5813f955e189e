"""Who did what, when: written in the same transaction as the deed."""

from collections.abc import Mapping
from typing import Any

from wattle.adapters.firestore import Transaction
from wattle.admin.repository import AuditRepository
from wattle.context import Context
from wattle.kit.clock import Clock
from wattle.kit.ids import document_id


class AuditService:
    def __init__(self, clock: Clock) -> None:
        self._entries = AuditRepository()
        self._clock = clock

    def record(self, transaction: Transaction, ctx: Context, action: str, target: str, diff: Mapping[str, Any]) -> None:
        """Add an entry. `target` is a document's path; `diff` says what changed, as [before, after]."""
        entry = {
            "actor": ctx.user.uid,
            "action": action,
            "target": target,
            "at": self._clock(),
            "requestId": ctx.request_id,
            "diff": dict(diff),
        }
        self._entries.add_in(transaction, document_id(), entry)
