"""The ledger of deliveries: what is to be sent to which device, who is at it, and what became of it.

The entry in the inbox, its ledger and the number of unread messages are made in one transaction, so that a message
exists with all of its deliveries or not at all. Whoever sends holds a lease on the deliveries: a second process with
the same event leaves them alone, and takes them over when the first is not heard of again. Where FCM asks to be left
alone for a while, the lease lasts as long: so nobody sends before, whoever comes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final, Literal, NamedTuple

from wattle.adapters.firestore import AlreadyExists, Document, Firestore, Transaction
from wattle.inbox.message import Message
from wattle.inbox.service import InboxService
from wattle.kit.clock import Clock
from wattle.kit.ids import document_id
from wattle.kit.parallel import side_by_side
from wattle.kit.retry import Deadline
from wattle.push.repository import DeliveryRepository
from wattle.push.schemas import Delivery, meaning
from wattle.push.sender import READ, Outcome, State

KEPT: Final = timedelta(days=90)
# On top of the time that its holder has left: clocks of two machines differ by less.
_LEASE_MARGIN: Final = timedelta(seconds=5)


class Plan(NamedTuple):
    """What is to happen to a message on a person's devices; `due` where it waits until then."""

    uid: str
    locale: str | None
    device_ids: Sequence[str]
    outcome: Outcome
    due: datetime | None = None


class Lease(NamedTuple):
    """The right to send to these devices of a person. `held`: somebody else has it for others of them."""

    device_ids: frozenset[str]
    held: bool = False


@dataclass(frozen=True, slots=True)
class Due:
    """A message that waited and is due, with the right to send it. `read`: its person has read it already."""

    key: str
    uid: str
    message: Message
    lease: Lease = field(default_factory=lambda: Lease(frozenset()))
    read: bool = False


class Ledger:
    def __init__(self, firestore: Firestore, inbox: InboxService, clock: Clock) -> None:
        self._firestore = firestore
        self._inbox = inbox
        self._deliveries = DeliveryRepository(firestore)
        self._clock = clock

    def open(self, message: Message, plans: Sequence[Plan], deadline: Deadline) -> dict[str, Lease]:
        """Put the message into each person's inbox, once, with its ledger; by person, what there is to send.

        Called again for the same message it makes no entry, and leases what is left and nobody else is at. What is not
        to be sent any more, as the plan is another by then or the person has read it, ends or waits instead.
        """
        # It tells the deliveries that a commit of ours made, of which we were not told, from those of others.
        holder = document_id()

        def work(transaction: Transaction) -> None:
            for plan in plans:
                self._add_in(transaction, message, plan, holder, deadline)

        try:
            self._firestore.transaction(work, deadline)
        except AlreadyExists:
            return {plan.uid: self._open_again(message, plan, holder, deadline) for plan in plans}
        return {plan.uid: Lease(_queued(plan)) for plan in plans}

    def settle(
        self,
        message: Message,
        outcomes: Mapping[tuple[str, str], Outcome],
        deadline: Deadline,
        finished: str | None = None,
    ) -> None:
        """Write down what became of deliveries, by (uid, device id); those still `queued` are free after their `wait`.

        `finished` is a deferral that is done with.
        """
        now = self._clock()
        rows = {
            where: {"leasedUntil": now + timedelta(seconds=outcome.wait)}
            if outcome.state == "queued"
            else _settled(outcome, now)
            for where, outcome in outcomes.items()
        }
        if rows or finished is not None:
            self._deliveries.settle(message.id, rows, finished, deadline)

    def give_up(self, uid: str, notification_id: str, outcome: Outcome, deadline: Deadline) -> None:
        """End what is still `queued` with an outcome. Safe to repeat.

        Whoever is at a delivery meanwhile writes down afterwards what became of it.
        """

        def work(transaction: Transaction) -> None:
            rows = self._deliveries.in_state_in(transaction, uid, notification_id, ["queued"])
            ended = _settled(outcome, self._clock())
            self._deliveries.update_in(transaction, uid, notification_id, {row.id: ended for row in rows})

        self._firestore.transaction(work, deadline)

    def due(self, limit: int, deadline: Deadline) -> list[str]:
        """The keys of messages whose time has come."""
        return [document.id for document in self._deliveries.due(self._clock(), limit, deadline)]

    def take(self, key: str, deadline: Deadline) -> Due | None:
        """Lease what a deferral has to send; None where somebody else is at it, or was."""
        holder = document_id()

        def work(transaction: Transaction) -> Due | None:
            deferral = self._deliveries.deferral_in(transaction, key)
            now = self._clock()
            if deferral is None or (deferral.data["dueAt"] > now and deferral.data.get("holder") != holder):
                return None
            uid, message = deferral.data["userId"], Message.stored(deferral.data["message"])
            read = self._inbox.is_read_in(transaction, uid, message.id) is not False
            lease = self._claim_in(transaction, (uid, message.id), ("deferred", "queued"), holder, deadline)
            self._deliveries.put_off_in(transaction, key, {"dueAt": _end(now, deadline), "holder": holder})
            return Due(key, uid, message, lease, read=read)

        return self._firestore.transaction(work, deadline)

    def put_off(self, due: Due, moment: datetime, deadline: Deadline) -> None:
        """Let a message wait longer."""

        def work(transaction: Transaction) -> None:
            now = self._clock()
            waiting = _settled(Outcome("deferred"), now)
            rows = dict.fromkeys(due.lease.device_ids, waiting)
            self._deliveries.update_in(transaction, due.uid, due.message.id, rows)
            self._deliveries.put_off_in(transaction, due.key, {"dueAt": moment, "holder": None})

        self._firestore.transaction(work, deadline)

    def of_notification(self, uid: str, notification_id: str, deadline: Deadline) -> list[Delivery]:
        """What became of a notification, by device."""
        found = self._deliveries.of_notification(uid, notification_id, deadline)
        return [_delivery(row) for row in found]

    def waits_until(self, uid: str, notification_id: str, deadline: Deadline) -> datetime | None:
        """When a notification is looked at again that waits for the end of quiet hours."""
        found = self._deliveries.deferral(uid, notification_id, deadline)
        return found.data["dueAt"] if found else None

    def counts(
        self, broadcast_id: str, by: Literal["state", "code"], values: Sequence[str], deadline: Deadline
    ) -> dict[str, int]:
        """How many deliveries of a broadcast there are `by` "state" or "code"; those values that there are."""
        found = side_by_side([partial(self._deliveries.count, broadcast_id, by, value, deadline) for value in values])
        return {value: count for value, count in zip(values, found, strict=True) if count}

    def _open_again(self, message: Message, plan: Plan, holder: str, deadline: Deadline) -> Lease:
        def work(transaction: Transaction) -> Lease:
            read = self._inbox.is_read_in(transaction, plan.uid, message.id)
            if read is None:
                self._add_in(transaction, message, plan, holder, deadline)
                return Lease(_queued(plan))
            outcome = READ if read else plan.outcome
            entry = (plan.uid, message.id)
            if outcome.state == "queued":
                return self._claim_in(transaction, entry, ("queued",), holder, deadline)
            now = self._clock()
            left = self._free_in(transaction, entry, ("queued",), holder, now)
            self._deliveries.update_in(transaction, *entry, dict.fromkeys(left.device_ids, _settled(outcome, now)))
            if left.device_ids and outcome.state == "deferred":
                self._defer_in(transaction, message, plan, now)
            return Lease(frozenset(), held=left.held)

        return self._firestore.transaction(work, deadline)

    def _add_in(self, transaction: Transaction, message: Message, plan: Plan, holder: str, deadline: Deadline) -> None:
        now = self._clock()
        self._inbox.add_in(transaction, plan.uid, message, message.text(plan.locale), now + KEPT)
        lease = {"holder": holder, "leasedUntil": _end(now, deadline), "expiresAt": now + KEPT}
        if message.broadcast is not None:
            # Only with it, so that the index over it holds nothing else.
            lease["broadcastId"] = message.broadcast
        rows = {id_: {**_settled(plan.outcome, now), **lease} for id_ in plan.device_ids}
        self._deliveries.create_in(transaction, plan.uid, message.id, rows)
        if rows and plan.outcome.state == "deferred":
            self._defer_in(transaction, message, plan, now)

    def _defer_in(self, transaction: Transaction, message: Message, plan: Plan, now: datetime) -> None:
        deferral = {"userId": plan.uid, "message": message.as_data(), "dueAt": plan.due, "expiresAt": now + KEPT}
        self._deliveries.defer_in(transaction, plan.uid, message.id, {**deferral, "holder": None})

    def _claim_in(
        self,
        transaction: Transaction,
        entry: tuple[str, str],
        states: Sequence[State],
        holder: str,
        deadline: Deadline,
    ) -> Lease:
        """Lease the deliveries of an entry (uid, notification id) that are in one of these states."""
        now = self._clock()
        free = self._free_in(transaction, entry, states, holder, now)
        lease = {"state": "queued", "holder": holder, "leasedUntil": _end(now, deadline)}
        self._deliveries.update_in(transaction, *entry, dict.fromkeys(free.device_ids, lease))
        return free

    def _free_in(
        self, transaction: Transaction, entry: tuple[str, str], states: Sequence[State], holder: str, now: datetime
    ) -> Lease:
        """What there is to lease of an entry: nobody has it, or the holder himself."""
        rows = self._deliveries.in_state_in(transaction, *entry, states)
        free = [
            row.id
            for row in rows
            if row.data["state"] == "deferred" or row.data["holder"] == holder or row.data["leasedUntil"] <= now
        ]
        return Lease(frozenset(free), held=len(free) < len(rows))


def _delivery(row: Document) -> Delivery:
    state, code = row.data["state"], row.data["code"]
    retry_at = row.data["leasedUntil"] if state == "queued" else None
    return Delivery.stored(row.data, device_id=row.id, retry_at=retry_at, meaning=meaning(state, code))


def _settled(outcome: Outcome, now: datetime) -> dict[str, Any]:
    return {"state": outcome.state, "code": outcome.code, "name": outcome.name, "at": now}


def _queued(plan: Plan) -> frozenset[str]:
    return frozenset(plan.device_ids if plan.outcome.state == "queued" else ())


def _end(now: datetime, deadline: Deadline) -> datetime:
    return now + timedelta(seconds=deadline.remaining()) + _LEASE_MARGIN
