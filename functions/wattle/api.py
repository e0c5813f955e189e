"""The map of the REST API: every route, who may call it, and the order in which a request is handled."""

from collections.abc import Callable, Sequence
from typing import Final

from wattle.accounts import endpoints as accounts
from wattle.admin import endpoints as admin
from wattle.broadcasts import endpoints as broadcasts
from wattle.catalog import endpoints as catalog
from wattle.contract import endpoints as contract
from wattle.devices import endpoints as devices
from wattle.health import endpoints as health
from wattle.http import (
    app_check,
    app_version,
    arguments,
    authentication,
    batch,
    compression,
    conditional,
    cors,
    exchange,
    headers,
    maintenance,
    rate_limit,
)
from wattle.http.exchange import After, Before
from wattle.http.pipeline import Pipeline
from wattle.http.routing import Access, Caching, Route
from wattle.inbox import endpoints as inbox
from wattle.orders import endpoints as orders
from wattle.privacy import endpoints as privacy
from wattle.push import endpoints as push
from wattle.rate_limits.policies import Limits
from wattle.screens import endpoints as screens
from wattle.services import Services
from wattle.users import endpoints as users

ROUTES: Final[Sequence[Route]] = (
    Route("POST", "/v1/auth/register", accounts.register, Access.PUBLIC, limit=Limits.AUTH),
    Route("POST", "/v1/auth/login", accounts.login, Access.PUBLIC, limit=Limits.AUTH, admits=True),
    Route("POST", "/v1/auth/refresh", accounts.refresh, Access.PUBLIC, limit=Limits.AUTH, admits=True),
    Route("POST", "/v1/auth/logout", accounts.logout, Access.CHECKED_USER, limit=Limits.AUTH, unproven=True),
    Route("POST", "/v1/auth/password-reset", accounts.reset_password, Access.PUBLIC, limit=Limits.AUTH),
    Route(
        "POST", "/v1/auth/verify-email", accounts.verify_email, Access.CHECKED_USER, limit=Limits.AUTH, unproven=True
    ),
    Route("POST", "/v1/auth/email", accounts.change_email, Access.RECENT_USER, limit=Limits.AUTH, unproven=True),
    Route("POST", "/v1/auth/password", accounts.change_password, Access.RECENT_USER, limit=Limits.AUTH, unproven=True),
    Route("GET", "/v1/users/me", users.read_me, Access.RETURNING_USER),
    Route("PATCH", "/v1/users/me", users.change_me, conditional=True),
    Route("DELETE", "/v1/users/me", users.delete_me, Access.RECENT_USER, limit=Limits.AUTH, unproven=True),
    Route("GET", "/v1/users/me/export", privacy.export_me, caching=Caching.NONE, limit=Limits.EXPORTS, unproven=True),
    Route("GET", "/v1/users/{user_id}", users.read_user),
    Route("GET", "/v1/users/me/notification-preferences", users.read_preferences),
    Route("PATCH", "/v1/users/me/notification-preferences", users.change_preferences, conditional=True),
    Route("GET", "/v1/users/me/devices", devices.list_devices),
    Route("PUT", "/v1/users/me/devices/{device_id}", devices.register, conditional=True),
    Route("DELETE", "/v1/users/me/devices/{device_id}", devices.remove),
    Route("GET", "/v1/users/me/topics", devices.list_topics),
    Route("PUT", "/v1/users/me/topics/{topic}", devices.subscribe),
    Route("DELETE", "/v1/users/me/topics/{topic}", devices.unsubscribe),
    Route("GET", "/v1/products", catalog.list_products, caching=Caching.A_MINUTE),
    Route("GET", "/v1/products/{product_id}", catalog.read_product, caching=Caching.A_MINUTE),
    Route("GET", "/v1/admin/products", catalog.list_all_products, Access.ADMIN),
    Route("POST", "/v1/admin/products", catalog.create_product, Access.ADMIN, idempotent=True),
    Route("PATCH", "/v1/admin/products/{product_id}", catalog.change_product, Access.ADMIN, conditional=True),
    Route("POST", "/v1/orders", orders.create_order, idempotent=True, limit=Limits.ORDERS),
    Route("GET", "/v1/orders", orders.list_orders),
    Route("GET", "/v1/orders/{order_id}", orders.read_order),
    Route("PATCH", "/v1/orders/{order_id}", orders.amend_order, conditional=True),
    Route("DELETE", "/v1/orders/{order_id}", orders.remove_order, conditional=True),
    Route("POST", "/v1/orders/{order_id}/cancel", orders.cancel_order, conditional=True),
    Route("GET", "/v1/orders/{order_id}/events", orders.list_events),
    Route("GET", "/v1/admin/users", admin.list_users, Access.ADMIN),
    Route("GET", "/v1/admin/users/{user_id}", admin.read_user, Access.ADMIN),
    Route("PUT", "/v1/admin/users/{user_id}/role", admin.set_role, Access.ADMIN),
    Route("POST", "/v1/admin/users/{user_id}/disable", admin.disable_user, Access.ADMIN),
    Route("POST", "/v1/admin/users/{user_id}/enable", admin.enable_user, Access.ADMIN),
    Route("GET", "/v1/admin/users/{user_id}/notifications", inbox.list_notifications_of, Access.ADMIN),
    Route("GET", "/v1/admin/users/{user_id}/notifications/{notification_id}", push.explain, Access.ADMIN),
    Route("GET", "/v1/admin/audit-log", admin.list_audit_log, Access.ADMIN),
    Route("GET", "/v1/admin/orders", orders.list_all_orders, Access.ADMIN),
    Route("GET", "/v1/admin/orders/{order_id}", orders.read_any_order, Access.ADMIN),
    Route("POST", "/v1/admin/orders/{order_id}/status", orders.change_status, Access.ADMIN, conditional=True),
    Route("POST", "/v1/admin/push", broadcasts.create, Access.ADMIN, idempotent=True),
    Route("POST", "/v1/admin/push/preview", broadcasts.preview, Access.ADMIN),
    Route("POST", "/v1/admin/push/dry-run", broadcasts.dry_run, Access.ADMIN),
    Route("GET", "/v1/admin/push/{broadcast_id}", broadcasts.statistics, Access.ADMIN),
    Route("POST", "/v1/admin/push/{broadcast_id}/cancel", broadcasts.cancel, Access.ADMIN),
    Route("GET", "/v1/notifications", inbox.list_notifications),
    Route("GET", "/v1/notifications/unread-count", inbox.count_unread),
    Route("POST", "/v1/notifications/read-all", inbox.mark_all_read),
    Route("POST", "/v1/notifications/{notification_id}/read", inbox.mark_read),
    Route("GET", "/v1/screens/home", screens.home),
    Route("POST", "/v1/batch", batch.fetch_all),
    Route("GET", "/v1/openapi.json", contract.read_openapi, Access.PUBLIC, caching=Caching.A_MINUTE, gated=False),
    Route("GET", "/docs", contract.read_docs, Access.PUBLIC, caching=Caching.A_MINUTE, gated=False),
    Route("GET", "/health", health.live, Access.PUBLIC, caching=Caching.NONE, gated=False),
    Route("GET", "/health/ready", health.ready, Access.PUBLIC, caching=Caching.NONE, gated=False),
)


BEFORE: Final[Sequence[Before]] = (
    cors.answer_preflight,
    exchange.find_route,  # 404, 405
    batch.demand_envelope,  # 400
    maintenance.refuse_during_maintenance,  # 503
    app_version.demand_recent_app,  # 426
    app_check.demand_our_app,  # 401
    authentication.identify,
    rate_limit.take_token,  # 429
    authentication.authorise,  # 401, 403
    arguments.read_arguments,  # 400, 413, 415
)
"""What a request passes before its endpoint, in this order: a stranger learns nothing, what costs most comes last.
Each refuses with the status named beside it."""

AFTER: Final[Sequence[After]] = (
    conditional.answer_unchanged,  # 304
    compression.compress,
    cors.allow_origin,
    headers.secure,
)
"""What every answer passes, refusals too."""


def create_api(services: Callable[[], Services], routes: Sequence[Route] = ROUTES) -> Pipeline:
    """The WSGI app. `services` is asked at each request, so that nothing is connected before the first."""
    return Pipeline(services, routes, BEFORE, AFTER)
