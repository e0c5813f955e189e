"""The inbox gets every message, whatever the phone may be sent; it also keeps the ledger of what was sent where."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from wattle.adapters.firestore import Firestore
from wattle.context import Context
from wattle.inbox.repository import NotificationRepository
from wattle.inbox.schemas import Notification, UnreadCount
from wattle.kit.clock import Clock
from wattle.kit.retry import Deadline
from wattle.kit.slices import Slice

KEPT: Final = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Message:
    """Something to tell a user. `id` is derived from what happened, so that the same event is told once."""

    id: str
    kind: str
    title: str
    body: str
    data: Mapping[str, str]


class InboxService:
    def __init__(self, firestore: Firestore, clock: Clock) -> None:
        self._notifications = NotificationRepository(firestore)
        self._clock = clock

    def page(
        self, ctx: Context, after: Sequence[Any] | None, limit: int, fields: Sequence[str] | None
    ) -> Slice[Notification]:
        """The caller's notifications, newest first."""
        found = self._notifications.page(ctx.user.uid, after, limit, fields, ctx.deadline)
        make = Notification.stored if fields is None else Notification.partial
        return Slice([make(row.data, id=row.id) for row in found.rows], found.end)

    def count(self, ctx: Context) -> int:
        return self._notifications.count(ctx.user.uid, ctx.deadline)

    def unread(self, ctx: Context) -> UnreadCount:
        """How many of the caller's notifications he has not read."""
        return UnreadCount(unread=self._notifications.count_unread(ctx.user.uid, ctx.deadline))

    def deliver(self, uid: str, message: Message, device_ids: Sequence[str], deadline: Deadline) -> frozenset[str]:
        """Put the message into the inbox, once; return the devices that it still has to be sent to.

        Called again for the same message, it writes nothing, and returns the devices whose outcome nobody wrote down.
        """
        now = self._clock()
        entry = {
            "kind": message.kind,
            "title": message.title,
            "body": message.body,
            "data": dict(message.data),
            "createdAt": now,
            "readAt": None,
            "expiresAt": now + KEPT,
        }
        queued = {"state": "queued", "code": None, "name": None, "at": now, "expiresAt": now + KEPT}
        if self._notifications.create(uid, message.id, entry, dict.fromkeys(device_ids, queued), deadline):
            return frozenset(device_ids)
        return frozenset(document.id for document in self._notifications.queued(uid, message.id, deadline))

    def settle(
        self, uid: str, message_id: str, outcomes: Mapping[str, tuple[str, str | None, str | None]], deadline: Deadline
    ) -> None:
        """Write down, by device id: `sent`, `failed` or `pruned`, FCM's error code, and FCM's message name."""
        now = self._clock()
        self._notifications.settle(
            uid,
            message_id,
            {
                id_: {"state": state, "code": code, "name": name, "at": now}
                for id_, (state, code, name) in outcomes.items()
            },
            deadline,
        )
