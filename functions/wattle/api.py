"""The map of the REST API: every route, who may call it, and the order in which a request is handled.

`http.pipeline` handles a request in this order: request id and trace, route, caller and role, path and query, body and
idempotency key, endpoint, envelope; then headers, the count of what Firestore bills, and one line of log.
"""

from collections.abc import Callable, Sequence
from typing import Final

from wattle.accounts import endpoints as accounts
from wattle.catalog import endpoints as catalog
from wattle.devices import endpoints as devices
from wattle.health import endpoints as health
from wattle.http.pipeline import Pipeline
from wattle.http.routing import Access, Route
from wattle.inbox import endpoints as inbox
from wattle.orders import endpoints as orders
from wattle.services import Services
from wattle.users import endpoints as users

ROUTES: Final[Sequence[Route]] = (
    Route("POST", "/v1/auth/register", accounts.register, Access.PUBLIC),
    Route("POST", "/v1/auth/login", accounts.login, Access.PUBLIC),
    Route("POST", "/v1/auth/refresh", accounts.refresh, Access.PUBLIC),
    Route("GET", "/v1/users/me", users.read_me),
    Route("PATCH", "/v1/users/me", users.change_me),
    Route("GET", "/v1/users/me/notification-preferences", users.read_preferences),
    Route("PATCH", "/v1/users/me/notification-preferences", users.change_preferences),
    Route("PUT", "/v1/users/me/devices/{device_id}", devices.register),
    Route("GET", "/v1/products", catalog.list_products),
    Route("POST", "/v1/orders", orders.create_order, idempotent=True),
    Route("GET", "/v1/orders", orders.list_orders),
    Route("GET", "/v1/orders/{order_id}", orders.read_order),
    Route("POST", "/v1/admin/orders/{order_id}/status", orders.change_status, Access.ADMIN),
    Route("GET", "/v1/notifications", inbox.list_notifications),
    Route("GET", "/health", health.live, Access.PUBLIC),
    Route("GET", "/health/ready", health.ready, Access.PUBLIC),
)


def create_api(services: Callable[[], Services], routes: Sequence[Route] = ROUTES) -> Pipeline:
    """The WSGI app. `services` is asked at each request, so that nothing is connected before the first."""
    return Pipeline(services, routes)
