"""Callables' errors: Firebase's codes for what an SDK does, ours in the details for what an app does."""

import json
import subprocess
from pathlib import Path

import pytest

from wattle.accounts.errors import TooManyAttempts, UserDisabled
from wattle.callables import decoded, https_error
from wattle.catalog.errors import OutOfStock
from wattle.errors import Code, Contention, FieldError, Internal, ValidationFailed, WattleError
from wattle.http.authentication import TokenMissing
from wattle.idempotency.service import IdempotencyKeyReused
from wattle.orders.errors import OrderNotFound


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ValidationFailed([FieldError("items", "MISSING", "Field required.")]), "INVALID_ARGUMENT"),
        (TokenMissing(), "UNAUTHENTICATED"),
        (UserDisabled(), "PERMISSION_DENIED"),
        (OrderNotFound("o1"), "NOT_FOUND"),
        (OutOfStock([("items[0].quantity", 2)]), "FAILED_PRECONDITION"),
        (IdempotencyKeyReused(), "FAILED_PRECONDITION"),
        (TooManyAttempts(), "RESOURCE_EXHAUSTED"),
        (Internal(), "INTERNAL"),
        (Contention(), "UNAVAILABLE"),
    ],
)
def test_each_error_has_the_code_that_an_sdk_knows(error, status):
    sent = https_error(error, "r-1")._as_dict()
    assert (sent["status"], sent["message"]) == (status, error.message)
    assert sent["details"]["code"] == error.code.name
    assert sent["details"]["requestId"] == "r-1"


def test_details_name_the_fields_and_the_wait():
    details = https_error(OutOfStock([("items[0].quantity", 2)]), "r")._as_dict()["details"]
    assert details["errors"] == [{"field": "items[0].quantity", "code": "OUT_OF_STOCK", "message": "2 left."}]
    assert "retryAfter" not in details
    assert https_error(Contention(), "r")._as_dict()["details"]["retryAfter"] == 1


NODE = Path(__file__).resolve().parents[2] / "node_modules/firebase-functions/lib/common/providers/https.js"
LONG = "type.googleapis.com/google.protobuf.Int64Value"
UNSIGNED_LONG = "type.googleapis.com/google.protobuf.UInt64Value"
SENT = [
    *({"@type": kind, "value": value} for kind in (LONG, UNSIGNED_LONG) for value in ("1", "-7", "+3", "007", "0", 5)),
    *({"@type": LONG, "value": value} for value in ("1.0", "1.5", "-.5", "2.", "1e3", "1E-2", "9007199254740991", 2.5)),
    {
        "items": [
            {"productId": "p", "quantity": {"@type": LONG, "value": "1"}},
            [{"@type": UNSIGNED_LONG, "value": "2"}],
        ]
    },
    {"@type": "", "value": "1"},
    {"@type": None, "value": {"@type": LONG, "value": "1"}},
    {"@type": LONG, "value": "1", "more": 2},
    {"value": "1"},
    [1, 1.0, 1.5, -0.0, 1e20, True, None, "1", "@type", {}, []],
    "1",
    None,
]
THROWN_FOR = [
    {"@type": LONG, "value": "many"},
    {"@type": LONG, "value": ""},
    {"@type": LONG, "value": None},
    {"@type": LONG, "value": True},
    {"@type": LONG},
    {"@type": "type.googleapis.com/google.protobuf.Timestamp", "value": "1"},
    {"@type": 5},
]


def by_node(values):
    """What Node's decode makes of each value; `thrown` where it throws."""
    script = (
        f"const {{ decode }} = require({json.dumps(str(NODE))}); console.error = () => {{}};"
        "const made = (value) => { try { return decode(value); } catch { return 'thrown'; } };"
        "process.stdout.write(JSON.stringify(JSON.parse(require('fs').readFileSync(0)).map(made)));"
    )
    done = subprocess.run(["node", "-e", script], input=json.dumps(values), capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def test_numbers_are_decoded_as_node_does():
    """By the real one. As texts, because in Python 1 == 1.0: a whole number is an integer, as it is in JavaScript."""
    assert json.dumps([decoded(value) for value in SENT]) == json.dumps(by_node(SENT))


def test_what_node_throws_for_is_left_to_the_model():
    assert by_node(THROWN_FOR) == ["thrown"] * len(THROWN_FOR)
    assert [decoded(value) for value in THROWN_FOR] == THROWN_FOR


@pytest.mark.parametrize("code", list(Code))
def test_every_code_of_the_registry_has_one(code):
    kind = type("Any", (WattleError,), {"code": code})
    assert https_error(kind("m"), "r")._as_dict()["details"]["code"] == code.name
