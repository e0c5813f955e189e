"""The tables of docs/callables.md, from the models of the callable functions and the registry of errors.

The page has each between two comments, `<!-- functions: ... -->` and `<!-- end of functions -->`.
"""

import re
import sys
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from inspect import cleandoc
from typing import Any, Final

from firebase_functions.https_fn import FunctionsErrorCode, HttpsError
from pydantic import TypeAdapter

from tools.docs import ROOT
from wattle.api import ROUTES
from wattle.callables import CALLS, Call, sdk_code
from wattle.errors import Code
from wattle.http.openapi.codes import codes_of
from wattle.http.openapi.schemas import Schemas, schemas_of
from wattle.http.routing import bind

PAGE: Final = ROOT / "docs/callables.md"
SAME: Final[Mapping[str, str]] = {
    "createOrder": "POST /v1/orders",
    "cancelOrder": "POST /v1/orders/{order_id}/cancel",
    "registerDevice": "PUT /v1/users/me/devices/{device_id}",
    "markNotificationRead": "POST /v1/notifications/{notification_id}/read",
}
"""The request that does the same as a function, and is refused for the same reasons."""

# About the body, which every call has.
_BODY: Final = frozenset({Code.INVALID_JSON, Code.BODY_TOO_LARGE, Code.UNSUPPORTED_MEDIA_TYPE})
# About headers that SDKs do not send.
_NEVER: Final = frozenset({Code.APP_UPGRADE_REQUIRED, Code.PRECONDITION_FAILED})
_TYPES: Final[Mapping[str, str]] = {"string": "text", "boolean": "true or false"}


def run(*, check: bool) -> int:
    """Write the tables, or only compare them: 1 when the page is not up to date."""
    present = PAGE.read_text(encoding="utf-8")
    wanted = present
    for name, lines in (("functions", _functions()), ("codes", _codes())):
        part = re.compile(rf"(<!-- {name}: .*? -->\n).*?(<!-- end of {name} -->)", re.DOTALL)
        text = "\n".join(["", *lines, "", ""])
        wanted = part.sub(lambda found, text=text: f"{found[1]}{text}{found[2]}", wanted)  # type: ignore[misc]
    if wanted == present:
        return 0
    if check:
        print(f"{PAGE.name} does not match the code: run `make reference` and commit it.", file=sys.stderr)
        return 1
    PAGE.write_text(wanted, encoding="utf-8")
    print(f"wrote {PAGE.relative_to(ROOT)}")
    return 0


def codes() -> Mapping[str, AbstractSet[Code]]:
    """What each function can be refused with."""
    by_name = {route.name: route for route in ROUTES}
    return {name: {*codes_of(bind(by_name[SAME[name]])), *_BODY} - _NEVER for name in CALLS}


def _functions() -> Iterator[str]:
    found = codes()
    everywhere = frozenset.intersection(*map(frozenset, found.values()))
    yield from (
        "| function | what it does | the same in REST | limit | refused, besides, with |",
        "|---|---|---|---|---|",
    )
    for name, call in CALLS.items():
        own = ", ".join(f"`{code.name}`" for code in Code if code in found[name] - everywhere)
        summary = cleandoc(call.work.__doc__ or "").partition("\n\n")[0].replace("\n", " ")
        yield f"| `{name}` | {summary} | `{_camel(SAME[name])}` | `{call.limit.value.name}` | {own} |"
    for name, call in CALLS.items():
        yield from _members(name, call)


def _members(name: str, call: Call) -> Iterator[str]:
    adapters: list[tuple[tuple[str, str], bool, TypeAdapter[Any]]] = [
        ((name, "data"), True, TypeAdapter(call.data)),
        ((name, "result"), False, TypeAdapter(call.result)),
    ]
    schemas = schemas_of(adapters)
    yield from ("", f"### {name}", "", "| | member | type | |", "|---|---|---|---|")
    for part in ("data", "result"):
        model = _resolved(schemas, schemas.by_key[name, part])
        for member, schema in model["properties"].items():
            optional = "" if member in model.get("required", ()) else "may be left out"
            yield f"| `{part}` | `{member}` | {_type(schema)} | {optional} |"


def _resolved(schemas: Schemas, schema: Mapping[str, Any]) -> Mapping[str, Any]:
    resolved: Mapping[str, Any] = schemas.components[schema["$ref"].rpartition("/")[2]]
    return resolved


def _type(schema: Mapping[str, Any]) -> str:
    """Such as `text`, `Order` or `list of NewItem`."""
    (one,) = [option for option in schema.get("anyOf", [schema]) if option != {"type": "null"}]
    if "$ref" in one:
        return f"`{one['$ref'].rpartition('/')[2]}`"
    if "enum" in one:
        return ", ".join(f"`{value}`" for value in one["enum"])
    kinds = [one["type"]] if isinstance(one["type"], str) else [kind for kind in one["type"] if kind != "null"]
    return f"list of {_type(one['items'])}" if kinds == ["array"] else _TYPES[kinds[0]]


def _codes() -> Iterator[str]:
    yield from ("| code in the SDK | HTTP | `details.code` |", "|---|---|---|")
    possible = frozenset().union(*codes().values())
    rows: dict[FunctionsErrorCode, list[str]] = {}
    for code in Code:
        if code in possible:
            rows.setdefault(sdk_code(code), []).append(f"`{code.name}`")
    for known, ours in rows.items():
        status = HttpsError(known, "")._http_error_code.status  # noqa: SLF001 (as wattle.callables)
        yield f"| `{known.value}` | {status} | {', '.join(ours)} |"


def _camel(name: str) -> str:
    return re.sub(r"_([a-z])", lambda found: found[1].upper(), name)
