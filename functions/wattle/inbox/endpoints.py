from wattle.context import Context
from wattle.http.envelope import Page
from wattle.http.fields import select
from wattle.http.pagination import page, position
from wattle.inbox.schemas import ListNotifications, MarkedRead, Notification, UnreadCount
from wattle.schema import PathId
from wattle.services import Services


def list_notifications(services: Services, ctx: Context, query: ListNotifications) -> Page[Notification]:
    """The caller's inbox, newest first. It holds every message of 90 days, also those that were not pushed."""
    selection = select(query.fields, Notification)
    after = position(query, ctx, "notifications", services.cursors)
    found = services.inbox.page(ctx, after, query.size, selection.projection if selection else None)
    total = services.inbox.count(ctx) if query.include_total else None
    return page(found, query, ctx, "notifications", services.cursors, total=total, selection=selection)


def count_unread(services: Services, ctx: Context) -> UnreadCount:
    """How many messages the caller has not read, for a badge. It costs one read, however many there are."""
    return services.inbox.unread(ctx)


def mark_read(services: Services, ctx: Context, notification_id: PathId) -> Notification:
    """Mark a message as read. Doing it twice is no error; the first time counts.

    Raises:
        NotificationNotFound.
    """
    return services.inbox.mark_read(ctx, notification_id)


def mark_all_read(services: Services, ctx: Context) -> MarkedRead:
    """Mark as read whatever is unread now."""
    return services.inbox.mark_all_read(ctx)
