"""What is asked of each server, and the proof that all of them answer the same."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import httpx
from bench.load import Request
from bench.servers import Kind, Server

from bench import data

FIELDS: Final = "id,status,total"
NEW_ORDER: Final[Mapping[str, Any]] = {
    "items": [{"productId": "flat-white", "quantity": 2}, {"productId": "lamington", "quantity": 1}],
    "shippingAddress": {
        "name": "Alice",
        "line1": "1 Martin Place",
        "city": "Sydney",
        "postalCode": "2000",
        "country": "AU",
    },
    "note": "Ring twice.",
}
# What nobody may take: a body that is no JSON, fields that are wrong, unknown or missing, and parameters.
_REFUSED: Final[Sequence[tuple[str, str, str | None]]] = (
    ("POST", "/v1/orders", "{"),
    ("POST", "/v1/orders", json.dumps({**NEW_ORDER, "items": [{"productId": "flat-white", "quantity": 0}]})),
    ("POST", "/v1/orders", json.dumps({**NEW_ORDER, "colour": "red"})),
    ("POST", "/v1/orders", json.dumps({"note": NEW_ORDER["note"]})),
    ("GET", "/v1/orders?limit=0", None),
    ("GET", "/v1/orders?status=lost", None),
    ("GET", f"/v1/orders?fields={FIELDS},colour", None),
)
# What differs from answer to answer, and what each server calls pages by.
_OWN: Final = {"timestamp", "requestId"}
_FRESH: Final = {"id", "number", "createdAt", "updatedAt"}
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)")


@dataclass(frozen=True, slots=True)
class Caller:
    uid: str
    token: str


@dataclass(frozen=True, slots=True)
class Scenario:
    """`make` gives the request of a caller; `writes` says that it leaves documents behind."""

    name: str
    make: Callable[[Caller], Request]
    writes: bool = False

    def requests(self, callers: Sequence[Caller]) -> list[Request]:
        return [self.make(caller) for caller in callers]


SCENARIOS: Final[Sequence[Scenario]] = (
    Scenario("get order", lambda who: Request("GET", f"/v1/orders/{data.order_id(who.uid, 3)}", who.token)),
    Scenario("list 20", lambda who: Request("GET", "/v1/orders?limit=20", who.token)),
    Scenario("list 20, 3 fields", lambda who: Request("GET", f"/v1/orders?limit=20&fields={FIELDS}", who.token)),
    Scenario("home screen", lambda who: Request("GET", "/v1/screens/home", who.token)),
    Scenario("create order", lambda who: Request("POST", "/v1/orders", who.token, NEW_ORDER, expect=201), writes=True),
)


class Mismatch(Exception):
    """Two servers answer the same request differently; nothing is timed then."""


def check_equal(servers: Sequence[Server], caller: Caller) -> int:
    """Ask all servers the same and compare their answers with the first one's. How many answers were compared.

    Compared are status and body, without the time and id of the request; times as instants, whatever their form. Of a
    list also its second page, which each server is asked for in its own way, and `limit` and `hasNext`. Of a created
    order all but its id, number and times; then the order is read back from the first server. Of a request that is
    refused the status and the code.

    Raises:
        Mismatch: naming the request, the server and the first place that differs.
    """
    first, *others = [_Asker(server, caller) for server in servers]
    compared = 0
    for scenario in SCENARIOS:
        wanted = first.answers(scenario)
        for other in others:
            for number, (expected, found) in enumerate(zip(wanted, other.answers(scenario), strict=True), start=1):
                place = _difference(expected, found)
                if place:
                    raise Mismatch(f"{scenario.name}, answer {number}, {other.kind.title}: {place}")
                compared += 1
    compared += _check_refusals(first, others)
    for asker in (first, *others):
        made = asker.send(SCENARIOS[-1].make(caller))
        if _difference(asker.normal(made), first.normal(first.get(f"/v1/orders/{made.json()['data']['id']}"), 201)):
            raise Mismatch(f"an order that {asker.kind.title} made is stored otherwise")
        compared += 1
    return compared


def _check_refusals(first: "_Asker", others: Sequence["_Asker"]) -> int:
    for method, path, body in _REFUSED:
        expected = first.refusal(method, path, body)
        if expected[0] < 400:
            raise Mismatch(f"{method} {path} {body or ''} is taken")
        for other in others:
            if (found := other.refusal(method, path, body)) != expected:
                raise Mismatch(f"{method} {path} {body or ''}, {other.kind.title}: {expected} and {found}")
    return len(_REFUSED) * len(others)


class _Asker:
    def __init__(self, server: Server, caller: Caller) -> None:
        self.kind: Kind = server.kind
        self._base = f"http://127.0.0.1:{server.port}"
        self._caller = caller

    def send(self, request: Request) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self._caller.token}"}
        return httpx.request(request.method, self._base + request.path, json=request.body, headers=headers, timeout=30)

    def get(self, path: str) -> httpx.Response:
        return self.send(Request("GET", path, self._caller.token))

    def answers(self, scenario: Scenario) -> list[Any]:
        request = scenario.make(self._caller)
        answer = self.send(request)
        if answer.status_code != request.expect:
            raise Mismatch(f"{scenario.name}, {self.kind.title}: {answer.status_code} {answer.text[:300]}")
        found = [self.normal(answer)]
        if "limit=" in request.path:
            page = answer.json()["pagination"]
            more = f"cursor={page['nextCursor']}" if self.kind.cursor else "page=2"
            found.append(self.normal(self.get(f"{request.path}&{more}")))
        if scenario.writes:
            found = [_without(body, _FRESH) for body in found]
        else:
            missing = f"/v1/orders/{data.order_id('nobody', 0)}"
            found.append(_without(self.normal(self.get(missing)), {"message"}))
        return found

    def refusal(self, method: str, path: str, body: str | None) -> tuple[int, str | None]:
        """Status and code."""
        headers = {"Authorization": f"Bearer {self._caller.token}", "Content-Type": "application/json"}
        answer = httpx.request(method, self._base + path, content=body, headers=headers, timeout=30)
        return answer.status_code, answer.json().get("code")

    def normal(self, answer: httpx.Response, status: int | None = None) -> Any:
        body = {name: value for name, value in answer.json().items() if name not in _OWN}
        if "pagination" in body:
            body["pagination"] = {name: body["pagination"][name] for name in ("limit", "hasNext")}
        return {"status": status or answer.status_code, "body": _instants(body)}


def _instants(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _instants(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_instants(member) for member in value]
    if isinstance(value, str) and _TIME.fullmatch(value):
        moment = datetime.fromisoformat(value)
        return moment.replace(microsecond=moment.microsecond // 1000 * 1000)
    return value


def _without(value: Any, names: set[str]) -> Any:
    if isinstance(value, dict):
        return {name: _without(member, names) for name, member in value.items() if name not in names}
    return value


def _difference(expected: Any, found: Any, place: str = "") -> str | None:
    """The first place where they differ, None where they do not."""
    if isinstance(expected, dict) and isinstance(found, dict):
        for name in sorted(expected.keys() | found.keys()):
            if name not in expected or name not in found:
                return f"{place}.{name} is only in {'one' if name in expected else 'the other'}"
            below = _difference(expected[name], found[name], f"{place}.{name}")
            if below:
                return below
        return None
    if isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        pairs = enumerate(zip(expected, found, strict=True))
        return next((d for n, (a, b) in pairs if (d := _difference(a, b, f"{place}[{n}]"))), None)
    return None if expected == found else f"{place}: {expected!r} and {found!r}"
