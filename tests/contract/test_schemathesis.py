"""schemathesis against the description: whatever it makes up, no answer is one that the description does not have.

A user's operations are called by a user and now and then by an administrator, those of administrators the other way
round. Made-up ids lead nowhere, so every other call is about something that exists.
"""

import itertools
import os
from copy import deepcopy
from dataclasses import dataclass, field

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from pydantic import TypeAdapter, ValidationError
from pydantic.alias_generators import to_camel
from schemathesis.checks import CHECKS
from schemathesis.config import SchemathesisConfig
from tests.described import description
from tests.samples import sample

from wattle.http.routing import Access, BoundRoute, NotAllowed
from wattle.schema import PathId

# Of each operation, besides the edge cases that schemathesis derives from the description. A longer search, other each
# time: FUZZ_EXAMPLES=500 .venv/bin/pytest tests/contract/test_schemathesis.py
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "0")) or 5
SEARCHING = "FUZZ_EXAMPLES" in os.environ

BEYOND_SCHEMAS = {
    "INVALID_CURSOR": "opaque, and signed",
    "TIME_OR_CURSOR": "opaque, or a time",
    "UNKNOWN_FIELD": "`fields` has a grammar",
    "INVALID_ETAG": "If-Match has one, too (RFC 9110 section 13.1.1)",
    "EMPTY_RANGE": "compares two parameters",
    "NOT_WITH_OTHERS": "is about several parameters",
    "VALUE_ERROR": "is about several members",
    "LANGUAGE_MISSING": "is about the names of a map",
    "NOTHING_TO_CHANGE": "is about several members",
    "STOCK_TWICE": "is about several members",
    "DUPLICATE_PRODUCT": "compares the items of a list",
    "CONTROL_CHARACTERS": "of the languages that are known only",
    "YEAR_OUT_OF_RANGE": "a date-time has no bounds",
    "INVALID_EMAIL": "Identity Toolkit decides what an address is",
    "INT_TYPE": "JSON Schema takes 3.0 for an integer; the models of Swift and Kotlin apps do not",
    "STRING_PATTERN_MISMATCH": "in Python `$` is also before a last line feed, in JSON Schema it is not",
}
"""Why data that fits its schema is refused with 400."""

ENOUGH = {"POST /v1/admin/users/{user_id}/disable": 10}
"""How many calls are made of what takes long: this waits for the next second, each time."""

CONFIG = SchemathesisConfig.from_dict(
    {
        "checks": {
            # Well formed, and refused for the state of things: another version, a product that is not sold.
            "positive_data_acceptance": {"expected-statuses": ["2xx", "304", 401, 403, 404, 409, 412, 422, 426, 429]},
        }
    }
)
DESCRIPTION = description()
SCHEMA = schemathesis.openapi.from_dict(deepcopy(DESCRIPTION.document), config=CONFIG)  # it adds to what it is given
BOUND = {DESCRIPTION.operation(bound)["operationId"]: bound for bound in DESCRIPTION.router.bound}

_ID = TypeAdapter(PathId)
_addresses = (f"10.2.{n >> 8 & 255}.{n & 255}" for n in itertools.count(1))


@dataclass
class Subject:
    """What the calls of one operation are about, and who calls."""

    bound: BoundRoute
    callers: tuple[object, object]
    path: dict[str, str]
    product: str
    numbers: itertools.count = field(default_factory=itertools.count)


@pytest.fixture(scope="module")
def subjects(backend, world):
    """By operation. What an earlier call did to it stays done."""
    made = {}

    def of(operation_id):
        if operation_id not in made:
            bound = BOUND[operation_id]
            callers = backend.user(), backend.user(role="admin")
            if bound.route.access is Access.ADMIN:
                callers = callers[::-1]
            call = sample(world, bound.route, callers[0])
            _, path = DESCRIPTION.router.match(bound.route.method, httpx.URL(call.path).path)
            made[operation_id] = Subject(bound, callers, dict(path), backend.product())
        return made[operation_id]

    return of


def well_formed(value):
    try:
        _ID.validate_python(value)
    except ValidationError:
        return False
    return True


def about_what_exists(case, subject):
    """Put ids of what exists where the case has well-formed ones."""
    for name, value in subject.path.items():
        if well_formed(case.path_parameters.get(to_camel(name))):
            case.path_parameters[to_camel(name)] = value
    items = case.body.get("items") if isinstance(case.body, dict) else None
    first = items[0] if isinstance(items, list) and items else None
    if isinstance(first, dict) and well_formed(first.get("productId")):
        first["productId"] = subject.product


def methods_of_place(bound):
    """The methods in the description of a route's path, and those that are possible there: `/v1/admin/push/preview` may
    be a broadcast's id as well."""
    described = {other.route.method for other in DESCRIPTION.router.bound if other.route.path == bound.route.path}
    with pytest.raises(NotAllowed) as refused:
        DESCRIPTION.router.match("BREW", bound.route.path)
    return described, set(refused.value.allowed) - {"HEAD"}


def excluded(case, response, bound):
    """The checks that say nothing here."""
    names = []
    described, possible = methods_of_place(bound)
    if described != possible:
        names += ["unsupported_method", "allow_header_conformance"]
    limit = str(case.query.get("limit", ""))
    if limit.isdigit() and int(limit) >= 2**63:
        names.append("negative_data_rejection")  # int64 is a format, which bounds nothing: a page has 100 at most
    if response.status_code == 400:
        body = response.json()
        codes = {error["code"] for error in body.get("errors", ())} or {body["code"]}
        if codes <= BEYOND_SCHEMAS.keys():
            names.append("positive_data_acceptance")
    return [CHECKS.get_one(name) for name in names]


@SCHEMA.parametrize()
@settings(
    max_examples=EXAMPLES,
    derandomize=not SEARCHING,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
def test_nothing_but_what_is_described(case, backend, subjects):
    subject = subjects(case.operation.definition.raw["operationId"])
    number = next(subject.numbers)
    if number >= ENOUGH.get(subject.bound.route.name, number + 1):
        return
    if number % 2:
        about_what_exists(case, subject)
    if "%0A" in case.formatted_path or "\n" in case.formatted_path:
        return  # functions-framework has no route for such a path: the API is not asked
    caller = subject.callers[number % 4 == 3]
    response = case.call(base_url=backend.api, headers={**caller.headers, "X-Forwarded-For": next(_addresses)})
    case.validate_response(response, excluded_checks=excluded(case, response, subject.bound))


def test_every_operation_is_called():
    assert len(BOUND) == len(DESCRIPTION.router.bound) == len(list(SCHEMA.get_all_operations()))
