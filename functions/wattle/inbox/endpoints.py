from wattle.context import Context
from wattle.http.envelope import Page
from wattle.http.fields import select
from wattle.http.pagination import page, position
from wattle.inbox.schemas import ListNotifications, Notification
from wattle.services import Services


def list_notifications(services: Services, ctx: Context, query: ListNotifications) -> Page[Notification]:
    """The caller's inbox, newest first."""
    selection = select(query.fields, Notification)
    after = position(query, ctx, "notifications", services.cursors)
    found = services.inbox.page(ctx, after, query.size, selection.projection if selection else None)
    total = services.inbox.count(ctx) if query.include_total else None
    return page(found, query, ctx, "notifications", services.cursors, total=total, selection=selection)
