"""What the description says of every route, or of none in particular."""

from collections.abc import Mapping
from inspect import cleandoc
from typing import Any, Final

from wattle.errors import Code
from wattle.kit import versions

TEXT: Final = cleandoc(
    """
    Every answer is JSON in one envelope: `success`, `data` or `code` and `message`, `timestamp`, `requestId`. Times are
    RFC 3339 in UTC, money is an integer in minor units of an ISO 4217 currency. Programs read `code`, never `message`.

    Lists are paged by `cursor`: pass `pagination.nextCursor` with the same parameters until it is null. New members may
    be added to answers, and new values to their enums: ignore what you do not know.

    With `fields`, only the named members are sent, whatever the schema of the answer requires.

    A request that times out may be repeated as it is, with the same `Idempotency-Key` where the route has one. With
    `If-None-Match` a GET answers 304, without a body, when nothing has changed.
    """
)

FRAME: Final[Mapping[str, Any]] = {
    "timestamp": {"type": "string", "format": "date-time", "description": "When this was answered."},
    "requestId": {"type": "string", "description": "Quote it when you report a problem."},
}

SCHEMAS: Final[Mapping[str, Any]] = {
    "Error": {
        "type": "object",
        "properties": {
            "success": {"type": "boolean", "const": False},
            "code": {"type": "string", "description": "What a program reads."},
            "message": {"type": "string", "description": "What a person reads; it may change."},
            "errors": {"type": "array", "items": {"$ref": "#/components/schemas/FieldError"}},
            **FRAME,
        },
        "required": ["success", "code", "message", "timestamp", "requestId"],
    },
    "FieldError": {
        "type": "object",
        "properties": {
            "field": {
                "type": "string",
                "description": "Where it stands: `items[0].quantity`, the name of a parameter, or of a header.",
            },
            "code": {"type": "string"},
            "message": {"type": "string"},
        },
        "required": ["field", "code", "message"],
    },
    "Pagination": {
        "type": "object",
        "properties": {
            "limit": {"type": "integer"},
            "nextCursor": {"type": ["string", "null"], "description": "The parameter `cursor` of the next page."},
            "hasNext": {"type": "boolean"},
            "total": {"type": "integer", "format": "int64", "description": "With `includeTotal=true`."},
        },
        "required": ["limit", "nextCursor", "hasNext"],
    },
}

HEADERS: Final[Mapping[str, Any]] = {
    "ETag": {
        "schema": {"type": "string"},
        "description": "What this answer represents: send it as `If-None-Match`, and where a change may be made "
        "conditional as `If-Match`.",
    },
    "IdempotencyReplayed": {
        "schema": {"type": "string", "const": "true"},
        "description": "There when this is the answer to an earlier call with the same key.",
    },
    "RateLimit": {
        "schema": {"type": "string"},
        "description": 'How many requests are left now, and when more are: `"general";r=299;t=1`.',
    },
    "RequestId": {"schema": {"type": "string"}, "description": "The request's id, as in the envelope."},
    "RetryAfter": {"schema": {"type": "integer"}, "description": "Seconds after which trying again helps."},
}

PARAMETERS: Final[Mapping[str, Any]] = {
    "AppCheck": {
        "name": "X-Firebase-AppCheck",
        "in": "header",
        "required": False,
        "description": "The app's App Check token, demanded where the project has that switched on.",
        "schema": {"type": "string"},
    },
    "AppVersion": {
        "name": "X-App-Version",
        "in": "header",
        "required": False,
        "description": "The app's own version, such as 2.4.1: one that is too old is told so.",
        "schema": {"type": "string", "pattern": versions.PATTERN},
    },
    "IdempotencyKey": {
        "name": "Idempotency-Key",
        "in": "header",
        "required": False,
        "description": "Random, new for each thing you want done and the same when you repeat it: it is then done "
        "once, and the first answer comes again. Kept for 24 hours.",
        "schema": {"type": "string", "pattern": r"^[\x21-\x7e]{1,255}$"},
    },
    "IfMatch": {
        "name": "If-Match",
        "in": "header",
        "required": False,
        "description": "The ETag that you read: the change is refused with 412 when somebody else was faster.",
        "schema": {"type": "string"},
    },
    "IfNoneMatch": {
        "name": "If-None-Match",
        "in": "header",
        "required": False,
        "description": "The ETag of the answer that you have: 304 without a body when it is still the same.",
        "schema": {"type": "string"},
    },
    "RequestId": {
        "name": "X-Request-Id",
        "in": "header",
        "required": False,
        "description": "An id of your own for this request, 8 to 128 characters; any other is replaced by a new one.",
        "schema": {"type": "string"},
    },
}

SECURITY: Final[Mapping[str, Any]] = {
    "firebase": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "A Firebase ID token of this project, valid for an hour.",
    }
}


def error_example(code: Code) -> dict[str, Any]:
    """An answer with this error."""
    value: dict[str, Any] = {"success": False, "code": code.name, "message": code.meaning}
    if code is Code.VALIDATION_FAILED:
        value["errors"] = [{"field": "limit", "code": "GREATER_THAN_EQUAL", "message": "Must be at least 1."}]
    return {"value": {**value, "timestamp": "2026-03-04T05:06:07.123456Z", "requestId": "3f0c2a9d5b7e4816"}}
