"""Sends broadcasts, chunk by chunk, each in a task of a queue whose rate is limited.

Everything is safe to repeat: a task may come twice, a process may end half-way, the queue may lose patience. A chunk is
leased while it is worked on; the ledger says what is left of it; the sweep finds broadcasts that stand still.
"""

import logging
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final, Protocol

from wattle.adapters.fcm import FcmCode
from wattle.adapters.firestore import Document, Firestore, Transaction
from wattle.broadcasts.repository import BroadcastRepository
from wattle.broadcasts.schemas import BroadcastState
from wattle.errors import Unavailable
from wattle.inbox.message import Message
from wattle.kit.clock import Clock
from wattle.kit.ids import document_id
from wattle.kit.retry import Deadline
from wattle.push.sender import CANCELLED, EXPIRED, REFUSED, Outcome, is_message_refused
from wattle.push.service import PushService

logger = logging.getLogger(__name__)

QUEUE: Final = "sendBroadcastChunk"
"""The task queue function of main.py."""
# A task's attempts go on for 25 minutes: one more does no harm, and none may be left.
_STANDS_STILL_AFTER: Final = timedelta(minutes=15)
# What an administrator had to say a day ago is no news.
_GIVEN_UP_AFTER: Final = timedelta(days=1)
_LEASE_MARGIN: Final = timedelta(seconds=5)
_STOPPED: Final = frozenset({BroadcastState.CANCELLED, BroadcastState.FAILED})
_AT_ONCE: Final = 20


class Tasks(Protocol):
    """Task queues: `enqueue` has a function of ours called with `data`, once at least, soon."""

    def enqueue(self, function: str, data: dict[str, Any]) -> None: ...


class BroadcastDelivery:
    def __init__(self, firestore: Firestore, push: PushService, tasks: Tasks, clock: Clock) -> None:
        self._firestore = firestore
        self._broadcasts = BroadcastRepository(firestore)
        self._push = push
        self._tasks = tasks
        self._clock = clock

    def fan_out(self, broadcast_id: str, deadline: Deadline) -> None:
        """Enqueue a task for each chunk that is not dealt with."""
        for chunk in self._broadcasts.waiting_chunks(broadcast_id, deadline):
            self._tasks.enqueue(QUEUE, {"broadcastId": broadcast_id, "chunk": chunk})

    def wind_up(self, broadcast_id: str, deadline: Deadline) -> None:
        """Enqueue a task for each chunk of an ended broadcast that had begun: of what it has not sent, people are told.

        Whoever is at one of them finds out by itself that it has ended.
        """
        for chunk in self._broadcasts.begun_chunks(broadcast_id, deadline):
            self._tasks.enqueue(QUEUE, {"broadcastId": broadcast_id, "chunk": chunk})

    def send_chunk(self, broadcast_id: str, chunk: str, deadline: Deadline) -> None:
        """Send one chunk, or what is left of it. Of a broadcast that has ended, write down that it is not sent.

        Raises:
            Unavailable: not all of it was possible now; do it again later.
        """
        holder = document_id()
        begun = self._begin(broadcast_id, chunk, holder, deadline)
        if begun is None:
            return
        broadcast, users = begun
        if broadcast.data["state"] != BroadcastState.SENDING:
            self._push.give_up(users, broadcast_id, unsent(broadcast.data), deadline)
            self._finish(broadcast_id, chunk, None, refused=False, deadline=deadline)
            return
        message = Message.stored(
            {name: broadcast.data[name] for name in ("kind", "texts", "data", "image", "link")}
            | {"id": broadcast_id, "broadcast": broadcast_id, "at": broadcast.data["scheduledAt"]}
        )
        outcome = None
        if users:
            told = self._push.tell_all(users, message, deadline, stop=lambda: self.ended(broadcast_id, deadline))
            remaining, wait, refused = told.remaining, told.wait, told.refused
        else:
            to = broadcast.data["audience"]
            outcome = self._push.send_to_topics(message, to["topic"], to["condition"], deadline, dry_run=False)
            remaining, wait, refused = int(outcome.state == "queued"), outcome.wait, is_message_refused(outcome)
        if remaining and refused:
            # What FCM did not take before it refused the message, and what the sweep is at: no task comes again for it.
            self._push.give_up(users, broadcast_id, REFUSED, deadline)
        elif remaining:
            # FCM is to be left alone until then, however soon the task comes again.
            free = self._clock() + timedelta(seconds=wait)
            self._broadcasts.update_chunk(broadcast_id, chunk, {"leasedUntil": free}, deadline)
            raise Unavailable("FCM")
        self._finish(broadcast_id, chunk, outcome, refused=refused, deadline=deadline)

    def sweep(self, deadline: Deadline) -> None:
        """Begin broadcasts whose time has come, go on with those that stand still, and end those that are too old."""
        now = self._clock()
        for found in self._broadcasts.in_state(BroadcastState.SCHEDULED, "scheduledAt", now, _AT_ONCE, deadline):
            # The trigger on the broadcast sees it and fans it out.
            self._move(found.id, BroadcastState.SCHEDULED, {"state": BroadcastState.SENDING.value}, deadline)
        still = now - _STANDS_STILL_AFTER
        for found in self._broadcasts.in_state(BroadcastState.SENDING, "updatedAt", still, _AT_ONCE, deadline):
            logger.warning("a broadcast stands still", extra={"fields": {"broadcast": found.id}})
            if found.data["scheduledAt"] <= now - _GIVEN_UP_AFTER:
                failed = {"state": BroadcastState.FAILED.value, "failure": "EXPIRED"}
                if self._move(found.id, BroadcastState.SENDING, failed, deadline):
                    fields = {"broadcast": found.id, "alarm": "broadcast.EXPIRED"}
                    logger.error("a broadcast got nowhere for a day and is given up", extra={"fields": fields})
            elif self._move(found.id, BroadcastState.SENDING, {}, deadline):
                self.fan_out(found.id, deadline)

    def ended(self, broadcast_id: str, deadline: Deadline) -> Outcome | None:
        """What becomes of the messages that are not sent yet, where a broadcast was cancelled or has failed."""
        found = self._broadcasts.get(broadcast_id, deadline)
        if found is None:
            return CANCELLED
        return unsent(found.data) if found.data["state"] in _STOPPED else None

    def refuse(self, broadcast_id: str, deadline: Deadline) -> None:
        """End a broadcast whose message FCM refused when somebody's quiet hours were over: all others' wait in vain."""
        failed = {"state": BroadcastState.FAILED.value, "failure": FcmCode.INVALID_ARGUMENT.value}
        # In this order: it may be sent to the last of the others in between.
        for present in (BroadcastState.SENDING, BroadcastState.SENT):
            self._move(broadcast_id, present, failed, deadline)

    def _begin(
        self, broadcast_id: str, chunk: str, holder: str, deadline: Deadline
    ) -> tuple[Document, list[str]] | None:
        """Lease a chunk: its broadcast and its people; None where there is nothing to do.

        One of a broadcast that has ended is not leased: nothing of it is sent.
        """

        def work(transaction: Transaction) -> tuple[Document, list[str]] | None:
            broadcast, found = self._broadcasts.with_chunk_in(transaction, broadcast_id, chunk)
            if broadcast is None or found is None:
                return None
            if found.data["done"]:
                return None
            if broadcast.data["state"] != BroadcastState.SENDING:
                # Of what nobody has begun nobody has heard. A topic's only message is the broadcast's own outcome.
                told = found.data["holder"] is not None and found.data["userIds"]
                return (broadcast, found.data["userIds"]) if told else None
            now = self._clock()
            if found.data["leasedUntil"] > now and found.data["holder"] != holder:
                raise Unavailable("Another task at the same chunk")
            end = now + timedelta(seconds=deadline.remaining()) + _LEASE_MARGIN
            self._broadcasts.update_chunk_in(transaction, broadcast_id, chunk, {"holder": holder, "leasedUntil": end})
            return broadcast, found.data["userIds"]

        return self._firestore.transaction(work, deadline)

    def _finish(
        self, broadcast_id: str, chunk: str, outcome: Outcome | None, *, refused: bool, deadline: Deadline
    ) -> None:
        def work(transaction: Transaction) -> None:
            broadcast, found = self._broadcasts.with_chunk_in(transaction, broadcast_id, chunk)
            if broadcast is None or found is None or found.data["done"]:
                return
            done = broadcast.data["chunksDone"] + 1
            update: dict[str, Any] = {"chunksDone": done, "updatedAt": self._clock()}
            if outcome is not None:
                update["outcome"] = {"state": outcome.state, "code": outcome.code, "name": outcome.name}
            if broadcast.data["state"] == BroadcastState.SENDING:
                if refused or (outcome is not None and outcome.state == "failed"):
                    update |= {"state": BroadcastState.FAILED.value, "failure": FcmCode.INVALID_ARGUMENT.value}
                    if outcome is not None:
                        update["failure"] = outcome.code
                elif done == broadcast.data["chunks"]:
                    update["state"] = BroadcastState.SENT.value
            # Whom it went to is in their own ledgers: who leaves is not to be found here for ever.
            self._broadcasts.update_chunk_in(transaction, broadcast_id, chunk, {"done": True, "userIds": []})
            self._broadcasts.update_in(transaction, broadcast_id, update)

        self._firestore.transaction(work, deadline)

    def _move(self, broadcast_id: str, present: BroadcastState, update: dict[str, Any], deadline: Deadline) -> bool:
        """Update a broadcast that is still in this state; whether it was."""

        def work(transaction: Transaction) -> bool:
            found = self._broadcasts.get_in(transaction, broadcast_id)
            if found is None or found.data["state"] != present:
                return False
            self._broadcasts.update_in(transaction, broadcast_id, {**update, "updatedAt": self._clock()})
            return True

        return self._firestore.transaction(work, deadline)


def unsent(broadcast: Mapping[str, Any]) -> Outcome:
    """What became of the messages of an ended broadcast that were not sent."""
    if broadcast["state"] == BroadcastState.CANCELLED:
        return CANCELLED
    return EXPIRED if broadcast["failure"] == "EXPIRED" else Outcome("failed", broadcast["failure"])
