"""The error bodies of FCM HTTP v1.

Sources: the reference of `google.firebase.fcm.v1.ErrorCode` (codes, HTTP statuses, which extension each code carries),
the page "FCM error codes" (bodies), and bodies recorded from production in public test suites (the order of `details`,
the wording). What was never recorded is worded here and marked "our wording" beside it.
"""

import json
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

FCM_ERROR = "type.googleapis.com/google.firebase.fcm.v1.FcmError"
BAD_REQUEST = "type.googleapis.com/google.rpc.BadRequest"
QUOTA_FAILURE = "type.googleapis.com/google.rpc.QuotaFailure"

Detail = Mapping[str, Any]


class FcmErrorCode(StrEnum):
    """`google.firebase.fcm.v1.ErrorCode`."""

    UNSPECIFIED_ERROR = "UNSPECIFIED_ERROR"
    INVALID_ARGUMENT = "INVALID_ARGUMENT"
    UNREGISTERED = "UNREGISTERED"
    SENDER_ID_MISMATCH = "SENDER_ID_MISMATCH"
    QUOTA_EXCEEDED = "QUOTA_EXCEEDED"
    UNAVAILABLE = "UNAVAILABLE"
    INTERNAL = "INTERNAL"
    THIRD_PARTY_AUTH_ERROR = "THIRD_PARTY_AUTH_ERROR"


# HTTP status, canonical status (google.rpc.Code), message.
_ANSWERS: Mapping[FcmErrorCode, tuple[int, str, str]] = {
    FcmErrorCode.UNSPECIFIED_ERROR: (500, "UNKNOWN", "Unknown Error."),
    FcmErrorCode.INVALID_ARGUMENT: (400, "INVALID_ARGUMENT", "Request contains an invalid argument."),
    FcmErrorCode.UNREGISTERED: (404, "NOT_FOUND", "Requested entity was not found."),
    FcmErrorCode.SENDER_ID_MISMATCH: (403, "PERMISSION_DENIED", "SenderId mismatch"),
    FcmErrorCode.QUOTA_EXCEEDED: (429, "RESOURCE_EXHAUSTED", "Resource has been exhausted (e.g. check quota)."),
    FcmErrorCode.UNAVAILABLE: (503, "UNAVAILABLE", "The service is currently unavailable."),
    FcmErrorCode.INTERNAL: (500, "INTERNAL", "Internal error encountered."),
    FcmErrorCode.THIRD_PARTY_AUTH_ERROR: (401, "UNAUTHENTICATED", "Auth error from APNS or Web Push Service"),
}

INVALID_TOKEN = "The registration token is not a valid FCM registration token"  # noqa: S105 - a message, no secret


class ApiError(Exception):
    """An answer of a Google API other than 200: `{"error": {"code", "message", "status", "details"?}}`."""

    def __init__(
        self,
        http_status: int,
        status: str,
        message: str,
        details: Sequence[Detail] = (),
        retry_after_seconds: int | None = None,
    ) -> None:
        super().__init__(message)
        self.http_status = http_status
        self.status = status
        self.message = message
        self.details = details
        self.retry_after_seconds = retry_after_seconds

    def body(self) -> bytes:
        error: dict[str, Any] = {"code": self.http_status, "message": self.message, "status": self.status}
        if self.details:
            error["details"] = list(self.details)
        return json.dumps({"error": error}, indent=2).encode()


def fcm_detail(code: FcmErrorCode) -> Detail:
    return {"@type": FCM_ERROR, "errorCode": code.value}


def bad_request_detail(*violations: tuple[str, str]) -> Detail:
    """A `google.rpc.BadRequest` with one violation per (field, description); the root of the request has field ""."""
    if not violations:
        return {"@type": BAD_REQUEST}
    return {
        "@type": BAD_REQUEST,
        "fieldViolations": [
            {"field": field, "description": description} if field else {"description": description}
            for field, description in violations
        ],
    }


def invalid_json(violations: Sequence[tuple[str, str]]) -> ApiError:
    """What Google's JSON parser answers, before FCM sees the request: no FcmError among the details."""
    message = "\n".join(description for _, description in violations)
    return ApiError(400, "INVALID_ARGUMENT", message, [bad_request_detail(*violations)])


def invalid_message(field: str, message: str) -> ApiError:
    """What FCM answers to a well-formed request whose `field` it refuses."""
    details = [bad_request_detail((field, message)), fcm_detail(FcmErrorCode.INVALID_ARGUMENT)]
    return ApiError(400, "INVALID_ARGUMENT", message, details)


def invalid_target(field: str, *, blame: bool = True) -> ApiError:
    """The answer to a malformed token or fid (`field` is message.token or message.fid).

    Its details come in this order, the other refusals have them the other way round. Both forms were recorded: with a
    violation of the field, and, as on the page "FCM error codes", without `blame`.
    """
    details = [fcm_detail(FcmErrorCode.INVALID_ARGUMENT)]
    if blame:
        details.append(bad_request_detail((field, INVALID_TOKEN)))
    return ApiError(400, "INVALID_ARGUMENT", INVALID_TOKEN, details)


def message_too_large(limit_bytes: int) -> ApiError:
    details = [bad_request_detail(), fcm_detail(FcmErrorCode.INVALID_ARGUMENT)]
    text = f"Message is too large. The maximum is {limit_bytes // 1024}K ({limit_bytes} bytes)."
    return ApiError(400, "INVALID_ARGUMENT", text, details)


def invalid_condition() -> ApiError:
    """A malformed condition gets the bare status, without details."""
    return ApiError(400, "INVALID_ARGUMENT", "Request contains an invalid argument.")


def scripted(
    code: FcmErrorCode, project: str, target_field: str | None, retry_after_seconds: int | None, *, blame: bool = True
) -> ApiError:
    """The answer FCM gives with `code`.

    `target_field` is `message.token` or `message.fid` when the failure is the target's own: INVALID_ARGUMENT then
    blames that field, without `blame` only in its message; else nothing in particular. QUOTA_EXCEEDED carries a
    `google.rpc.QuotaFailure`.
    """
    if code is FcmErrorCode.INVALID_ARGUMENT and target_field:
        return invalid_target(target_field, blame=blame)
    http_status, status, message = _ANSWERS[code]
    details = [fcm_detail(code)]
    if code is FcmErrorCode.QUOTA_EXCEEDED:
        violation = {"subject": f"project:{project}", "description": "Message rate exceeded."}
        details.append({"@type": QUOTA_FAILURE, "violations": [violation]})
    return ApiError(http_status, status, message, details, retry_after_seconds)
