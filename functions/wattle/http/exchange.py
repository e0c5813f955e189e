"""One request on its way through the steps of `api.BEFORE`, the endpoint, and the steps of `api.AFTER`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from werkzeug.wrappers import Request, Response

from wattle.context import Caller, Context
from wattle.errors import Code, WattleError
from wattle.http.routing import BoundRoute, Route, Router
from wattle.services import Services


@dataclass(slots=True)
class Exchange:
    """What is known of a request; each step adds what it learned."""

    request: Request
    services: Services
    router: Router
    request_id: str
    batched: bool = False
    """Whether it is part of a batch."""
    bound: BoundRoute | None = None
    """Set by `find_route`; the steps after it may rely on it."""
    path: Mapping[str, str] = field(default_factory=dict)
    caller: Caller | None = None
    """Set by `identify`, on routes that need one."""
    unidentified: WattleError | None = None
    """Why there is no caller; `authorise` refuses the request for it, once its rate limit was counted."""
    context: Context | None = None
    arguments: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    """For the answer, whether it succeeds or fails."""
    failed_with: Code | None = None

    @property
    def route(self) -> Route:
        if self.bound is None:
            raise LookupError("no route was found yet")
        return self.bound.route


Before = Callable[[Exchange], Response | None]
"""A step before the endpoint: a response ends the way here, a WattleError refuses the request."""
After = Callable[[Exchange, Response], Response]
"""A step after the endpoint, taken by every answer."""


def find_route(exchange: Exchange) -> None:
    """The route of the request's method and path.

    Raises:
        RouteNotFound, NotAllowed.
    """
    exchange.bound, exchange.path = exchange.router.match(exchange.request.method, exchange.request.path)
