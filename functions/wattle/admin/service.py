"""Who did what, when: written in the same transaction as the deed."""

from collections.abc import Mapping, Sequence
from typing import Any

from wattle.adapters.firestore import Firestore, Transaction
from wattle.admin.repository import AuditRepository
from wattle.admin.schemas import AuditEntry
from wattle.context import Context
from wattle.kit.clock import Clock
from wattle.kit.ids import document_id
from wattle.kit.retry import Deadline
from wattle.kit.slices import Slice


class AuditService:
    def __init__(self, firestore: Firestore, clock: Clock) -> None:
        self._entries = AuditRepository(firestore)
        self._clock = clock

    def record(  # noqa: PLR0913 (what an entry says)
        self,
        transaction: Transaction,
        ctx: Context,
        action: str,
        target: str,
        diff: Mapping[str, Any],
        *,
        entry_id: str | None = None,
    ) -> None:
        """Add an entry. `target` is a document's path; `diff` says what changed, as [before, after].

        Whoever has to know later whether the deed was done gives the entry an id of his own.
        """
        entry = {
            "actor": ctx.user.uid,
            "action": action,
            "target": target,
            "at": self._clock(),
            "requestId": ctx.request_id,
            "diff": dict(diff),
        }
        self._entries.add_in(transaction, entry_id or document_id(), entry)

    def is_recorded(self, transaction: Transaction, entry_id: str) -> bool:
        """Whether the deed of this entry was done: an earlier commit of the transaction took effect."""
        return self._entries.exists_in(transaction, entry_id)

    def page(
        self, target: str | None, after: Sequence[Any] | None, limit: int, deadline: Deadline
    ) -> Slice[AuditEntry]:
        """Entries, the newest first; with `target` those about one document."""
        found = self._entries.page(target, after, limit, deadline)
        return Slice([AuditEntry.stored(row.data, id=row.id) for row in found.rows], found.end)

    def count(self, target: str | None, deadline: Deadline) -> int:
        return self._entries.count(target, deadline)
