"""Callables' errors: Firebase's codes for what an SDK does, ours in the details for what an app does."""

import pytest

from wattle.accounts.errors import TooManyAttempts, UserDisabled
from wattle.callables import https_error
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


@pytest.mark.parametrize("code", list(Code))
def test_every_code_of_the_registry_has_one(code):
    kind = type("Any", (WattleError,), {"code": code})
    assert https_error(kind("m"), "r")._as_dict()["details"]["code"] == code.name
