"""Routes: what each needs, read from its row in `api.ROUTES` and from the signature of its endpoint."""

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import cache
from typing import Annotated, Any, Final, get_args, get_origin, get_type_hints

from pydantic import TypeAdapter, ValidationError
from pydantic.alias_generators import to_camel
from werkzeug.wrappers import Response

from wattle.context import Context
from wattle.errors import Code, FieldError, ValidationFailed, WattleError
from wattle.rate_limits.policies import Limits
from wattle.schema import Body, Parameters, Resource, Selecting
from wattle.services import Services


class Access(Enum):
    """Who may call a route."""

    PUBLIC = "anyone"
    USER = "a signed-in user"
    CHECKED_USER = "a signed-in user, whose session is checked before anything is done and not beside it"
    RECENT_USER = "a user who signed in within the last five minutes, checked before anything is done"
    RETURNING_USER = "a signed-in user, also one who deleted his account and signed in again, which undoes it"
    ADMIN = "a user with the role admin, as Identity Toolkit knows him now"


class RouteNotFound(WattleError):
    code = Code.ROUTE_NOT_FOUND

    def __init__(self, path: str) -> None:
        super().__init__(f"There is nothing at {path}.")


class NotAllowed(WattleError):
    """`allowed` are the methods that the path has."""

    code = Code.METHOD_NOT_ALLOWED

    def __init__(self, method: str, allowed: Sequence[str]) -> None:
        super().__init__(f"{method} is not possible here, only {', '.join(allowed)}.")
        self.allowed = tuple(allowed)


class Caching(Enum):
    """What may be kept of a GET's answer: the value of `Cache-Control`."""

    REVALIDATED = "private, no-cache"
    """Kept, but asked for again with its ETag each time."""
    A_MINUTE = "private, max-age=60"
    NONE = "no-store"
    """Not kept, so it has no ETag. Answers to other methods than GET are never kept."""


@dataclass(frozen=True, slots=True)
class Route:
    """One row of the route table. A new row gets everything there is; its other fields say what it needs besides.

    `endpoint` takes the services, the context, and by name what its signature asks for: `body`, `query`, the
    parameters of the path, `fetch` (see `http.batch`), and `routes` (every BoundRoute). It returns the data, a Page or
    a Reply; or a werkzeug Response, which is sent as it is: a page of HTML, or a stream.
    """

    method: str
    path: str
    endpoint: Callable[..., Any]
    access: Access = Access.USER
    idempotent: bool = False
    """Whether it honours Idempotency-Key."""
    conditional: bool = False
    """Whether it honours If-Match: its service calls `ctx.expected.demand`. Elsewhere a change with If-Match is
    refused, because to ignore it would be to lose somebody's change."""
    limit: Limits = Limits.GENERAL
    caching: Caching = Caching.REVALIDATED
    gated: bool = True
    """Whether maintenance, App Check and the lowest version of the app concern it."""
    unproven: bool = False
    """Whether it serves somebody whose address is not proven also where that is demanded: what he needs to prove it, to
    look after his account, and to leave."""
    admits: bool = False
    """Whether it begins sessions. Maintenance then looks at whose it would be, and not at who asks: its service is told
    by `ctx.only` to begin none but administrators', and whatever else it answers becomes 503 MAINTENANCE."""

    @property
    def name(self) -> str:
        """Such as `GET /v1/orders/{id}`: for logs, limits and the contract."""
        return f"{self.method} {self.path}"


@dataclass(frozen=True, slots=True, eq=False)
class BoundRoute:
    """A route with what its endpoint's signature says."""

    route: Route
    body: type[Body] | None
    query: type[Parameters] | None
    path: Mapping[str, TypeAdapter[Any]]
    answer: Any
    selects: type[Resource] | None
    """The resource, or that of the list, whose fields a GET may select."""
    asks: frozenset[str]
    """What it wants of the pipeline itself (`fetch`, `routes`), and whether it wants its `query`."""

    @property
    def enveloped(self) -> bool:
        """Whether it answers in the envelope; if not, with a Response of its own."""
        kind = get_args(self.answer)[0] if get_origin(self.answer) is Annotated else self.answer
        return kind is not Response

    def parse_path(self, given: Mapping[str, str]) -> dict[str, Any]:
        """The path's parameters as the endpoint wants them.

        Raises:
            ValidationFailed: naming every one that is wrong.
        """
        parsed: dict[str, Any] = {}
        errors: list[FieldError] = []
        for name, text in given.items():
            try:
                parsed[name] = self.path[name].validate_python(text)
            except ValidationError as error:
                first = error.errors(include_url=False)[0]
                errors.append(FieldError(to_camel(name), first["type"].upper(), f"{first['msg']}."))
        if errors:
            raise ValidationFailed(errors)
        return parsed


_PROVIDED: Final = frozenset({"fetch", "routes"})


@cache
def _adapter(hint: Any) -> TypeAdapter[Any]:
    return TypeAdapter(hint)


def bind(route: Route) -> BoundRoute:
    """Read the endpoint's signature.

    Raises:
        TypeError: its parameters do not fit the route.
    """
    hints = get_type_hints(route.endpoint, include_extras=True)
    names = list(inspect.signature(route.endpoint).parameters)
    if names[:2] != ["services", "ctx"] or hints["services"] is not Services or hints["ctx"] is not Context:
        raise TypeError(f"{route.name}: an endpoint takes services and ctx first")
    body, query = hints.get("body"), hints.get("query")
    in_path = {part[1:-1] for part in route.path.split("/") if part.startswith("{")}
    others = set(names[2:]) - {"body", "query"} - _PROVIDED
    if others != in_path:
        raise TypeError(f"{route.name}: the endpoint takes {sorted(others)}, the path has {sorted(in_path)}")
    for model, base in ((body, Body), (query, Parameters)):
        if model is not None and not (isinstance(model, type) and issubclass(model, base)):
            raise TypeError(f"{route.name}: {model} is no {base.__name__}")
    path = {name: _adapter(hints[name]) for name in in_path}
    kept = route.method == "GET" and route.caching is not Caching.NONE
    selects = _resource(hints.get("return")) if kept else None
    asks = (_PROVIDED | {"query"}) & set(names)
    return BoundRoute(route, body, query or (Selecting if selects else None), path, hints.get("return"), selects, asks)


def _resource(answer: Any) -> type[Resource] | None:
    """The resource in an annotation such as `Order`, `Page[Order]`, `list[Device]` or `Order | None`."""
    for part in get_args(answer) or (answer,):
        if isinstance(part, type) and issubclass(part, Resource):
            return part
    return None


@dataclass(slots=True)
class _Place:
    """What may follow one part of a path: named parts, else any one part; and the routes that end here, by method."""

    named: "dict[str, _Place]" = field(default_factory=dict)
    any: "_Place | None" = None
    ending: dict[str, BoundRoute] = field(default_factory=dict)

    def ends(self, parts: Sequence[str]) -> "Iterator[_Place]":
        """Where a path may lead, the most specific place first."""
        if not parts:
            yield self
            return
        first, *rest = parts
        if first in self.named:
            yield from self.named[first].ends(rest)
        if self.any is not None and first:
            yield from self.any.ends(rest)


class Router:
    """Finds the route of a request: a tree of the paths' parts.

    werkzeug's own also builds URLs: to prepare that for 50 routes takes it 10 ms of each start.
    """

    def __init__(self, routes: Sequence[Route]) -> None:
        self.bound: Final = tuple(bind(route) for route in routes)
        self._root = _Place()
        self._parameters = {bound: _parameters(bound.route) for bound in self.bound}
        for bound in self.bound:
            self._place(bound.route.path).ending[bound.route.method] = bound
            if bound.route.method == "GET":
                self._place(bound.route.path).ending.setdefault("HEAD", bound)

    def match(self, method: str, path: str) -> tuple[BoundRoute, Mapping[str, str]]:
        """The route and the path's parameters.

        Raises:
            RouteNotFound, NotAllowed.
        """
        _, *parts = path.split("/")
        allowed: set[str] = set()
        for place in self._root.ends(parts):
            found = place.ending.get(method)
            if found is not None:
                return found, {name: parts[index] for name, index in self._parameters[found]}
            allowed |= place.ending.keys()
        if allowed:
            raise NotAllowed(method, sorted(allowed))
        raise RouteNotFound(path)

    def _place(self, path: str) -> _Place:
        place = self._root
        for part in path.split("/")[1:]:
            if part.startswith("{"):
                place.any = place.any or _Place()
                place = place.any
            else:
                place = place.named.setdefault(part, _Place())
        return place


def _parameters(route: Route) -> list[tuple[str, int]]:
    """The names of the path's parameters, with the numbers of their parts."""
    parts = route.path.split("/")[1:]
    return [(part[1:-1], index) for index, part in enumerate(parts) if part.startswith("{")]
