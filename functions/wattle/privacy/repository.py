from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Literal

from wattle.adapters.firestore import Delete, Document, Firestore, Increment, Query, Reference, Transaction, Update
from wattle.kit.retry import Deadline

BELOW_USER: Final = ("deliveries", "notifications", "consents", "devices", "deadLetters")
"""Collections anywhere below `users/{uid}`, the deeper ones first. They go with their owner."""
COUNTERS: Final = "counters"
"""Another one, which only counts documents of the others."""

# Every order has as many events as its version says, and their ids are the versions.
_EVENTS_MOST: Final = 300


class PersonalDataRepository:
    """Everything that is kept about one person. His id is in every path or condition.

    | where | what becomes of it when he is erased |
    |---|---|
    | `users/{uid}` and all below it, `deferrals` with his id | removed |
    | `installations` of his devices | removed with the devices, by their service |
    | `orders` with his id, and their events | kept for tax law, without his id, address, note and reasons |
    | `auditLog` entries by or about him | kept, with a hash in place of his id, without reasons |
    | `revocations/{uid}`, `rateLimits`, `idempotencyKeys` | gone by TTL, within two days of his last session |
    """

    def __init__(self, firestore: Firestore) -> None:
        self._firestore = firestore

    def profile(self, uid: str, deadline: Deadline) -> Document | None:
        return self._firestore.get(_user(uid), deadline)

    def profile_in(self, transaction: Transaction, uid: str) -> Document | None:
        return transaction.get([_user(uid)])[0]

    def profile_and_proof_in(
        self, transaction: Transaction, uid: str, proof_id: str
    ) -> tuple[Document | None, Document | None]:
        """In one round trip."""
        profile, proof = transaction.get([_user(uid), _proof(proof_id)])
        return profile, proof

    def change_profile_in(self, transaction: Transaction, uid: str, data: Mapping[str, Any]) -> None:
        transaction.write(Update(_user(uid), data))

    def due(self, now: datetime, limit: int, deadline: Deadline) -> list[str]:
        """Ids of all users whose grace period is over, those first who have waited longest: for the purge only."""
        query = Query(
            "users", where=[("purgeAt", "<=", now)], order_by=[("purgeAt", "asc")], fields=("purgeAt",), limit=limit
        )
        return [document.id for document in self._firestore.query(query, deadline)]

    def below_user(self, uid: str, name: str, after: str | None, limit: int, deadline: Deadline) -> list[Document]:
        """Documents of a collection below the user, by path, after the path `after`."""
        return self._firestore.query(_below(uid, name, after, limit), deadline)

    def owned(
        self,
        name: Literal["orders", "deferrals", "installations"],
        uid: str,
        after: str | None,
        limit: int,
        deadline: Deadline,
    ) -> list[Document]:
        """Documents with his id; his orders also where he took them off his list."""
        return self._firestore.query(_where(name, "userId", uid, after, limit), deadline)

    def events(self, orders: Sequence[Document], deadline: Deadline) -> list[Document]:
        """The events of these orders. A round trip for each 300."""
        found: list[Document] = []
        paths = _event_paths(orders)
        for start in range(0, len(paths), _EVENTS_MOST):
            part = self._firestore.get_many(paths[start : start + _EVENTS_MOST], deadline)
            found += [document for document in part if document is not None]
        return found

    def audit_about(self, uid: str, after: str | None, limit: int, deadline: Deadline) -> list[Document]:
        return self._firestore.query(_where("auditLog", "target", _user(uid), after, limit), deadline)

    def remove_below_in(self, transaction: Transaction, uid: str, name: str, limit: int) -> int:
        """Remove some documents of a collection of BELOW_USER, and count them; how many they were."""
        found = transaction.query(_below(uid, name, None, limit, fields=()))
        return self._removed(transaction, uid, name, found)

    def remove_deferrals_in(self, transaction: Transaction, uid: str, limit: int) -> int:
        """Remove some of the messages that wait for him, and count them; how many they were."""
        found = transaction.query(_where("deferrals", "userId", uid, None, limit, fields=()))
        return self._removed(transaction, uid, "deferrals", found)

    def anonymise_orders_in(self, transaction: Transaction, uid: str, limit: int) -> int:
        """Take out of some of his orders what leads to him, and count them; how many they were."""
        orders = transaction.query(_where("orders", "userId", uid, None, limit, fields=("version",)))
        paths = _event_paths(orders)
        events = transaction.get(paths) if paths else []
        nobody = {"userId": None, "shippingAddress": None, "note": None}
        transaction.write(*(Update(order.path, nobody) for order in orders))
        transaction.write(
            *(Update(event.path, {"reason": None}) for event in events if event and event.data["reason"] is not None)
        )
        self._count(transaction, uid, "orders", len(orders))
        return len(orders)

    def pseudonymise_audit_in(self, transaction: Transaction, uid: str, pseudonym: str, limit: int) -> int:
        """Put a pseudonym into some of the entries by or about him, and count them; how many they were."""
        about = transaction.query(_where("auditLog", "target", _user(uid), None, limit))
        by = transaction.query(_where("auditLog", "actor", uid, None, limit))
        entries = {entry.path: entry.data for entry in (*about, *by)}
        for path, data in entries.items():
            change: dict[str, Any] = {}
            if data["target"] == _user(uid):
                change["target"] = _user(pseudonym)
                if "reason" in data["diff"]:
                    change["diff.reason"] = None
            if data["actor"] == uid:
                change["actor"] = pseudonym
            transaction.write(Update(path, change))
        self._count(transaction, uid, "auditLog", len(entries))
        return len(entries)

    def finish_in(self, transaction: Transaction, uid: str, proof_id: str, proof: Mapping[str, Any]) -> None:
        """Remove the profile, and leave the proof.

        The counter goes last, whether it is there or not: the trigger that counts messages may just be making it anew.
        """
        transaction.write(
            Update(_proof(proof_id), proof, upsert=True),
            Delete(f"{_user(uid)}/{COUNTERS}/inbox"),
            Delete(_user(uid)),
        )

    def _removed(self, transaction: Transaction, uid: str, name: str, found: Sequence[Document]) -> int:
        transaction.write(*(Delete(document.path) for document in found))
        self._count(transaction, uid, name, len(found))
        return len(found)

    @staticmethod
    def _count(transaction: Transaction, uid: str, name: str, number: int) -> None:
        if number:
            transaction.write(Update(_user(uid), {f"purge.counts.{name}": Increment(number)}))


def _user(uid: str) -> str:
    return f"users/{uid}"


def _proof(proof_id: str) -> str:
    return f"purges/{proof_id}"


def _event_paths(orders: Sequence[Document]) -> list[str]:
    return [f"{order.path}/events/{number}" for order in orders for number in range(1, order.data["version"] + 1)]


def _below(uid: str, name: str, after: str | None, limit: int, *, fields: Sequence[str] | None = None) -> Query:
    return Query(
        f"{_user(uid)}/{name}",
        order_by=[("__name__", "asc")],
        after=None if after is None else (Reference(after),),
        fields=fields,
        limit=limit,
        everywhere=True,
    )


def _where(  # noqa: PLR0913, PLR0917 (what a page is chosen by)
    collection: str, field: str, value: str, after: str | None, limit: int, fields: Sequence[str] | None = None
) -> Query:
    return Query(
        collection,
        where=[(field, "==", value)],
        order_by=[("__name__", "asc")],
        after=None if after is None else (Reference(after),),
        fields=fields,
        limit=limit,
    )
