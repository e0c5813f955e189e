from wattle.context import Context
from wattle.http.envelope import Page
from wattle.http.fields import projection
from wattle.http.pagination import page, position, with_total
from wattle.inbox.schemas import MarkedRead, Notification, UnreadCount
from wattle.schema import PageParameters, PathId, UserId
from wattle.services import Services


def list_notifications(services: Services, ctx: Context, query: PageParameters) -> Page[Notification]:
    """The caller's inbox, newest first. It holds every message of 90 days, also those that were not pushed."""
    return _page(services, ctx, ctx.user.uid, query, "notifications")


def list_notifications_of(
    services: Services, ctx: Context, user_id: UserId, query: PageParameters
) -> Page[Notification]:
    """Anybody's inbox, newest first; empty for somebody whom nobody knows."""
    return _page(services, ctx, user_id, query, f"notifications of {user_id}")


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


def _page(services: Services, ctx: Context, uid: str, query: PageParameters, name: str) -> Page[Notification]:
    after = position(query, ctx, name, services.cursors)
    fields = projection(query.fields, Notification)
    found, total = with_total(
        query,
        lambda: services.inbox.page(uid, after, query.size, fields, ctx.deadline),
        lambda: services.inbox.count(uid, ctx.deadline),
    )
    return page(found, query, ctx, name, services.cursors, total=total)
