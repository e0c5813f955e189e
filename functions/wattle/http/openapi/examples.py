"""Examples for the description: one that the schema gives, a value that fits the member's name, or one of its type."""

import re
from collections.abc import Mapping
from typing import Any, Final

# By the member's name, which says more than its type: one cast of people and goods through the whole description.
_BY_NAME: Final[Mapping[str, Any]] = {
    "id": "Yk3vQ8mZp0aLw5TnXc7e",
    "uid": "kJ2s9fQbX1hVtYp4WcRzMd7LgA03",
    "actor": "customer",
    "appVersion": "2.4.1",
    "body": "It is on its way.",
    "city": "Sydney",
    "code": "OUT_OF_STOCK",
    "country": "AU",
    "currency": "AUD",
    "cursor": "bXZ0bWw1c2hqaG5uY2dvd1siYSIsMV0",
    "database": "ok",
    "description": "Milk, espresso.",
    "displayName": "Alice Example",
    "email": "alice@example.com",
    "end": "07:00",
    "expiresIn": 3600,
    "fid": "cXyz0123456789abcdefgh",
    "idToken": "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJrSjJzIn0.c2lnbmVk",
    "key": "orderId",
    "kind": "orders",
    "limit": 20,
    "line1": "1 George Street",
    "line2": "Level 3",
    "lineTotal": 1365,
    "locale": "en-AU",
    "memoryMb": 118.2,
    "message": "3 left.",
    "name": "Flat white",
    "nextCursor": "bXZ0bWw1c2hqaG5uY2dvd1siYSIsMV0",
    "note": "No sugar, please.",
    "number": "W-7K3M-9QXT",
    "password": "correct horse battery",
    "phoneNumber": "+61400000000",
    "photoUrl": "https://example.com/alice.jpg",
    "platform": "ios",
    "postalCode": "2000",
    "productId": "Pf5wQ8mZp0aLw5TnXc7e",
    "quantity": 3,
    "reason": "Paid.",
    "refreshToken": "AMf-vBxQ7Zk0",
    "region": "NSW",
    "requestId": "3f0c2a9d5b7e4816",
    "start": "22:00",
    "stock": 12,
    "subtotal": 1365,
    "tax": 137,
    "timezone": "Australia/Sydney",
    "title": "Order shipped",
    "token": "cXyz0123456789abcdefgh:APA91bF4c3",
    "topic": "news",
    "total": 1502,
    "unitPrice": 455,
    "uptimeSeconds": 12.5,
    "version": 1,
}
_TIME: Final = "2026-03-04T05:06:07.123456Z"


def example_of(schema: Mapping[str, Any], components: Mapping[str, Any], name: str = "") -> Any:
    """An example of `schema`; `name` is that of the member it belongs to."""
    if "$ref" in schema:
        return example_of(components[schema["$ref"].rpartition("/")[2]], components, name)
    if schema.get("examples"):
        return schema["examples"][0]
    if name in _BY_NAME and _fits(_BY_NAME[name], schema):
        return _BY_NAME[name]
    given = [schema[part] for part in ("const", "default") if part in schema] + list(schema.get("enum", ()))
    if given:
        return given[0]
    for choice in ("anyOf", "oneOf"):
        if choice in schema:
            return example_of({**_rest(schema, choice), **schema[choice][0]}, components, name)
    return _of_type(schema, components, name)


def _rest(schema: Mapping[str, Any], choice: str) -> dict[str, Any]:
    return {key: value for key, value in schema.items() if key in {"properties", "type", "required"} and key != choice}


def _of_type(schema: Mapping[str, Any], components: Mapping[str, Any], name: str) -> Any:
    kind = schema.get("type")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object" or "properties" in schema:
        return _object(schema, components)
    if kind == "array":
        return [example_of(schema["items"], components, name)]
    if schema.get("format") == "date-time":
        return _TIME
    simple: Mapping[Any, Any] = {"string": "text", "integer": 1, "number": 1.5, "boolean": True}
    return simple.get(kind)


def _object(schema: Mapping[str, Any], components: Mapping[str, Any]) -> dict[str, Any]:
    made = {name: example_of(part, components, name) for name, part in schema.get("properties", {}).items()}
    free = schema.get("additionalProperties")
    if not made and isinstance(free, Mapping):
        return {"orderId": example_of(free, components, "id")}
    return made


def _fits(value: Any, schema: Mapping[str, Any]) -> bool:
    types: Mapping[str, type | tuple[type, ...]] = {"string": str, "integer": int, "number": (int, float)}
    kind = schema.get("type")
    kind = kind[0] if isinstance(kind, list) else kind
    if not isinstance(kind, str) or not isinstance(value, types.get(kind, ())) or schema.get("format") == "date-time":
        return False
    if "enum" in schema and value not in schema["enum"]:
        return False
    return re.search(schema.get("pattern", ""), str(value)) is not None
