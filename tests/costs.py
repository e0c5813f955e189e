"""What a call of each route costs, as the adapter counts it: what Firestore bills, and how often one waits for it.

Measured are the good calls of `tests.samples`, and further cases in which the bill depends on what is asked. The caller
is within the credit of his rate limits, which then cost nothing (see `wattle.rate_limits.service`).
"""

import itertools
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from unittest import mock

import httpx
from tests.api.orders import placed
from tests.backend import User
from tests.in_process import Instance
from tests.samples import Call, World, new_order, sample

from wattle.adapters import identity_toolkit
from wattle.api import ROUTES
from wattle.http.routing import Access, Route

# Longer than it takes to begin the calls of a home screen side by side, even on a busy machine.
_CALL = 0.02
_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class Cost:
    """`case` is empty for a route's plain call. Reads, writes and deletes are documents as Firestore bills them.

    `calls` are all calls to Firestore; `waits` those of them that follow one another: the round trips of DESIGN, in
    which calls side by side are one. `identity` are calls to Identity Toolkit, 30 to 100 ms each in production.
    """

    route: str
    case: str
    reads: int
    writes: int
    deletes: int
    calls: int
    waits: int
    identity: int


class Starts:
    """A plan for the calls to Firestore by which none fails: it notes when each began.

    Each call is made to last at least `_CALL`. So one that follows another begins so much later, and calls side by side
    begin sooner.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._at: list[float] = []

    def __call__(self, _call) -> None:
        # The list of revocations is renewed once a minute and process, for nobody in particular.
        if threading.current_thread().name != "revocations":
            with self._lock:
                self._at.append(time.monotonic())

    @property
    def waits(self) -> int:
        """How many calls followed one another."""
        count, free = 0, 0.0
        for began in sorted(self._at):
            if began >= free:
                count, free = count + 1, began + _CALL
        return count


class _Lines(logging.Handler):
    """What the log says of a request: its own line, and one of what is sent after that, such as an export."""

    def __init__(self) -> None:
        super().__init__()
        self._fields: list[dict] = []

    def emit(self, record) -> None:
        self._fields.append(getattr(record, "fields", {}))

    @property
    def route(self) -> str:
        (name,) = (fields["route"] for fields in self._fields if "route" in fields)
        return name

    def total(self, name: str) -> int:
        return sum(fields.get(name, 0) for fields in self._fields)


class Meter:
    """Measures calls to an instance of the API."""

    def __init__(self, backend) -> None:
        self.instance = Instance(backend)
        self.instance.faults.slow(_CALL)
        self._addresses = (f"10.1.{n >> 8}.{n & 255}" for n in itertools.count(1))

    def close(self) -> None:
        self.instance.close()

    def measure(self, method: str, call: Call, user: User | None, case: str = "") -> Cost:
        """The cost of one call, which succeeds."""
        headers = {"X-Forwarded-For": next(self._addresses), **(user.headers if user else {}), **call.headers}
        body = {} if call.body is None else {"json": call.body}
        lines, starts = _Lines(), Starts()
        asked = mock.Mock(side_effect=identity_toolkit._answer)
        self.instance.faults.follow(starts)
        logger = logging.getLogger("wattle")
        before = logger.level
        logger.addHandler(lines)
        logger.setLevel(logging.INFO)
        try:
            with mock.patch.object(identity_toolkit, "_answer", asked):
                response = self.instance.http.request(method, call.path, headers=headers, **body)
        finally:
            logger.setLevel(before)
            logger.removeHandler(lines)
        assert response.status_code < 400, f"{method} {call.path}: {response.status_code} {response.text[:300]}"
        return Cost(
            route=lines.route,
            case=case,
            reads=lines.total("reads"),
            writes=lines.total("writes"),
            deletes=lines.total("deletes"),
            calls=lines.total("roundTrips"),
            waits=starts.waits,
            identity=asked.call_count,
        )


@dataclass(frozen=True)
class Case:
    """A further way to call a route: `prepare` makes what it needs, and gives the call."""

    route: str
    name: str
    prepare: Callable[[World, User, httpx.Client], Call]


def _orders(world, owner, count):
    """Orders of the owner, the newest page of which is read."""
    product = world.backend.product()
    for _ in range(count):
        placed(owner, (product, 1))


def _profile(world, owner, http):
    world.profile(owner)
    return Call("/v1/users/me")


def _page(number):
    def prepare(world, owner, http):
        _orders(world, owner, 2 * number)
        path = "/v1/orders?limit=2"
        for _ in range(number - 1):
            answer = http.get(path, headers=owner.headers).json()
            path = f"/v1/orders?limit=2&cursor={answer['pagination']['nextCursor']}"
        return Call(path)

    return prepare


def _keyed(world, owner, http):
    return Call("/v1/orders", new_order(world), {"Idempotency-Key": f"key-of-{owner.uid}"})


def _replayed(world, owner, http):
    call = _keyed(world, owner, http)
    assert http.post(call.path, json=call.body, headers=owner.headers | call.headers).status_code == 201
    return call


def _unchanged(world, owner, http):
    path = f"/v1/orders/{world.order(owner)['id']}"
    tag = http.get(path, headers=owner.headers).headers["ETag"]
    return Call(path, headers={"If-None-Match": tag})


def _three_products(world, owner, http):
    items = [{"productId": world.backend.product(stock=9), "quantity": 1} for _ in range(3)]
    return Call("/v1/orders", {"items": items})


def _busy_home(world, owner, http):
    _orders(world, owner, 6)
    world.profile(owner)
    world.message(owner)
    return Call("/v1/screens/home")


def _total(world, owner, http):
    _orders(world, owner, 3)
    return Call("/v1/orders?limit=2&includeTotal=true")


CASES = (
    Case("GET /v1/users/me", "a profile that exists", _profile),
    Case("GET /v1/orders", "2 orders, page 1", _page(1)),
    Case("GET /v1/orders", "2 orders, page 5", _page(5)),
    Case("GET /v1/orders", "2 orders and their total", _total),
    Case("GET /v1/orders/{order_id}", "unchanged (304)", _unchanged),
    Case("POST /v1/orders", "3 products", _three_products),
    Case("POST /v1/orders", "with a key", _keyed),
    Case("POST /v1/orders", "repeated with its key", _replayed),
    Case("GET /v1/screens/home", "5 orders, a profile, unread messages", _busy_home),
)


def measured(world: World) -> list[Cost]:
    """The cost of each route, in the order of the route table, each followed by its further cases."""
    meter = Meter(world.backend)
    try:
        # The process knows the revocations of the last hour: from then on it asks for new ones beside the requests.
        meter.instance.http.get("/v1/users/me", headers=world.admin.headers)
        return [
            cost
            for route in ROUTES
            for cost in [
                _measured(world, meter, route, "", lambda owner, route=route: sample(world, route, owner)),
                *[
                    _measured(world, meter, route, case.name, _preparing(world, meter, case))
                    for case in CASES
                    if case.route == route.name
                ],
            ]
        ]
    finally:
        meter.close()


def _preparing(world: World, meter: Meter, case: Case) -> Callable[[User], Call]:
    return lambda owner: case.prepare(world, owner, meter.instance.http)


def _measured(world: World, meter: Meter, route: Route, case: str, prepare: Callable[[User], Call]) -> Cost:
    """Measured until two agree: of calls side by side one may begin late, and then looks like one that follows."""
    found: list[Cost] = []
    while True:
        owner = world.backend.user()
        call = prepare(owner)
        caller = {Access.PUBLIC: None, Access.ADMIN: world.admin}.get(route.access, owner)
        cost = meter.measure(route.method, call, caller, case)
        if cost in found or cost.calls < 2:
            return cost
        found.append(cost)
        assert len(found) < _ATTEMPTS, f"{route.name} costs something else each time: {found}"
