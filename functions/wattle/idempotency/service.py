"""The record of a call is written in the same transaction as the call's effect: both happen or neither.

Calls with one key at the same time therefore meet in that transaction: one commits, the others are made to start again,
and then find the record.
"""

from datetime import timedelta
from typing import Final

from wattle.adapters.firestore import Transaction, Update
from wattle.context import IdempotentCall
from wattle.errors import Code, WattleError
from wattle.kit.clock import Clock

KEPT: Final = timedelta(hours=24)


class IdempotencyKeyReused(WattleError):
    code = Code.IDEMPOTENCY_KEY_REUSED

    def __init__(self) -> None:
        super().__init__("This Idempotency-Key was used for another request. Use a new key for each new request.")


class IdempotencyService:
    """Reads and writes the records, inside the transactions of others."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def recall(self, transaction: Transaction, call: IdempotentCall | None) -> str | None:
        """The first answer (JSON) where this call was made before.

        Raises:
            IdempotencyKeyReused: the key belongs to another call.
        """
        if call is None:
            return None
        (found,) = transaction.get([_path(call)])
        # The TTL policy removes expired records within a day of their time, not at once.
        if found is None or found.data["expiresAt"] <= self._clock():
            return None
        if found.data["requestHash"] != call.fingerprint:
            raise IdempotencyKeyReused
        response: str = found.data["response"]
        return response

    def record(self, transaction: Transaction, call: IdempotentCall | None, status: int, response: str) -> None:
        """Keep the answer for 24 hours."""
        if call is None:
            return
        now = self._clock()
        record = {
            "requestHash": call.fingerprint,
            "status": status,
            "response": response,
            "createdAt": now,
            "expiresAt": now + KEPT,
        }
        transaction.write(Update(_path(call), record, upsert=True))


def _path(call: IdempotentCall) -> str:
    return f"idempotencyKeys/{call.key}"
