"""One request on its way through the steps of `api.BEFORE`, the endpoint, and the steps of `api.AFTER`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from werkzeug.wrappers import Request, Response

from wattle.adapters.firestore import Condition
from wattle.context import Caller, Context
from wattle.errors import Code, WattleError
from wattle.http.fields import Selection
from wattle.http.routing import BoundRoute, Route, Router
from wattle.kit.retry import Deadline
from wattle.services import Services

# Well below the functions' own time-out of 60 s: a phone has given up long before.
_DEADLINE: Final = 20.0


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
    check: Condition = field(default_factory=Condition)
    """Whether the caller's session counts: asked before anything is committed or told. Set by `authorise`."""
    deadline: Deadline = field(default_factory=lambda: Deadline.after(_DEADLINE))
    context: Context | None = None
    arguments: dict[str, Any] = field(default_factory=dict)
    selection: Selection | None = None
    """The fields that are to be sent; all of them where it is None."""
    headers: dict[str, str] = field(default_factory=dict)
    """For the answer, whether it succeeds or fails."""
    failed_with: Code | None = None

    @property
    def route(self) -> Route:
        if self.bound is None:
            raise LookupError("no route was found yet")
        return self.bound.route

    def session(self) -> Condition:
        """`check`, whichever it is by now."""
        return self.check


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
