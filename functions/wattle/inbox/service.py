"""What a person finds in his inbox. Messages are put there by `push`, which also counts them.

The number of unread messages is a counter: it changes in the transaction that makes or reads a message. Two things
change messages past it: an app that sets `readAt` itself, as the rules allow, and the TTL policy. A trigger follows
both, and counts again.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from wattle.adapters.firestore import Firestore, Transaction
from wattle.context import Context
from wattle.inbox.errors import NotificationNotFound
from wattle.inbox.message import Message, Text
from wattle.inbox.repository import NotificationRepository
from wattle.inbox.schemas import MarkedRead, Notification, UnreadCount
from wattle.kit.clock import Clock
from wattle.kit.retry import Deadline
from wattle.kit.slices import Slice

# Messages that are marked in one transaction.
_READ_AT_ONCE: Final = 200


class InboxService:
    def __init__(self, firestore: Firestore, clock: Clock) -> None:
        self._firestore = firestore
        self._notifications = NotificationRepository(firestore)
        self._clock = clock

    def page(
        self, uid: str, after: Sequence[Any] | None, limit: int, fields: Sequence[str] | None, deadline: Deadline
    ) -> Slice[Notification]:
        """A person's notifications, newest first."""
        found = self._notifications.page(uid, after, limit, fields, deadline)
        make = Notification.stored if fields is None else Notification.partial
        return Slice([make(row.data, id=row.id) for row in found.rows], found.end)

    def count(self, uid: str, deadline: Deadline) -> int:
        return self._notifications.count(uid, deadline)

    def entry(self, uid: str, notification_id: str, deadline: Deadline) -> Notification:
        """One of a person's notifications.

        Raises:
            NotificationNotFound.
        """
        found = self._notifications.get(uid, notification_id, deadline)
        if found is None:
            raise NotificationNotFound(notification_id)
        return Notification.stored(found.data, id=notification_id)

    def unread(self, ctx: Context) -> UnreadCount:
        """How many of the caller's messages are unread. One read."""
        return UnreadCount(unread=self.badges([ctx.user.uid], ctx.deadline)[0])

    def badges(self, uids: Sequence[str], deadline: Deadline) -> list[int]:
        """How many messages each of these people has not read."""
        return self._notifications.counters(uids, deadline)

    def add_in(self, transaction: Transaction, uid: str, message: Message, text: Text, expires_at: datetime) -> None:
        """Add a message, unread. The commit fails with AlreadyExists where it is there."""
        entry = {
            "kind": message.kind.value,
            "title": text.title,
            "body": text.body,
            "data": dict(message.data),
            "image": message.image,
            "link": message.link,
            "createdAt": self._clock(),
            "readAt": None,
            "expiresAt": expires_at,
        }
        self._notifications.create_in(transaction, uid, message.id, entry)

    def is_read_in(self, transaction: Transaction, uid: str, notification_id: str) -> bool | None:
        """Whether it was read; None where it is not there."""
        found = self._notifications.get_in(transaction, uid, notification_id)
        return None if found is None else found.data["readAt"] is not None

    def mark_read(self, ctx: Context, notification_id: str) -> Notification:
        """Mark one of the caller's messages as read; the first time counts.

        Raises:
            NotificationNotFound.
        """
        uid = ctx.user.uid

        def work(transaction: Transaction) -> Notification:
            found = self._notifications.get_in(transaction, uid, notification_id)
            if found is None:
                raise NotificationNotFound(notification_id)
            data = found.data
            if data["readAt"] is None:
                data = {**data, "readAt": self._clock()}
                self._notifications.set_read_in(transaction, uid, [notification_id], data["readAt"])
            return Notification.stored(data, id=notification_id)

        return self._firestore.transaction(work, ctx.deadline)

    def mark_all_read(self, ctx: Context) -> MarkedRead:
        """Mark as read what the caller has not read until now. A message that comes meanwhile stays unread."""
        started = self._clock()
        read = 0
        while True:
            marked = self._firestore.transaction(lambda t: self._mark_some_in(t, ctx.user.uid, started), ctx.deadline)
            read += marked
            if marked < _READ_AT_ONCE:
                return MarkedRead(read=read)

    def changed(
        self, uid: str, before: Mapping[str, Any] | None, after: Mapping[str, Any] | None, deadline: Deadline
    ) -> None:
        """Follow a write to a message, given its fields before and after it: count again if one was read or removed.

        Counting again instead of counting one off makes it right however often and in which order this is called.
        Others write the counter together with the messages, so a count that it has not changed since is exact.
        """
        was_unread = before is not None and before["readAt"] is None
        is_unread = after is not None and after["readAt"] is None
        if not was_unread or is_unread:
            return

        def work(transaction: Transaction) -> None:
            counter = self._notifications.counter_in(transaction, uid)
            unread = self._notifications.count_unread(uid, deadline)
            # Without a counter and messages the person may be gone: nothing is made for him.
            if (counter["unread"] if counter else 0) != unread:
                self._notifications.set_counter_in(transaction, uid, {"unread": unread})

        self._firestore.transaction(work, deadline)

    def _mark_some_in(self, transaction: Transaction, uid: str, until: datetime) -> int:
        found = self._notifications.unread_in(transaction, uid, until, _READ_AT_ONCE)
        if found:
            self._notifications.set_read_in(transaction, uid, [row.id for row in found], self._clock())
        return len(found)
