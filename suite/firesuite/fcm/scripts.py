"""Scripted behaviour of a target (`PUT .../targets/{target}`) or of the next sends of a project (`PUT .../faults`)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from firesuite.fcm.errors import ApiError, FcmErrorCode

MAX_DELAY_MS = 60_000
# FCM sends Retry-After with 429 and 503 and clients obey it, so that a long default would stall every careless test.
DEFAULT_RETRY_AFTER_SECONDS = 1
_RETRYABLE = (FcmErrorCode.QUOTA_EXCEEDED, FcmErrorCode.UNAVAILABLE)


@dataclass(frozen=True, slots=True)
class Script:
    """What FCM does with a send.

    error: the code it answers, None answers as usual.
    times: how many sends this holds for; None holds until it is cleared.
    retry_after_seconds: the Retry-After header of the error; None sends none.
    delay_ms: how long the answer takes. A message is accepted before the wait, so that a client which gives up waiting
        has nevertheless sent it.
    accept_then_error: the message is accepted, and `error` is answered all the same.
    blame: INVALID_ARGUMENT names the target among the fields that are wrong; otherwise only its message does.
    """

    error: FcmErrorCode | None = None
    times: int | None = None
    retry_after_seconds: int | None = None
    delay_ms: int = 0
    accept_then_error: bool = False
    blame: bool = True

    def used_once(self) -> "Script | None":
        """This script after one more send; None when it has run out."""
        if self.times is None:
            return self
        return replace(self, times=self.times - 1) if self.times > 1 else None

    def as_json(self) -> dict[str, Any]:
        return {
            "error": self.error,
            "times": self.times,
            "retryAfter": self.retry_after_seconds,
            "delayMs": self.delay_ms,
            "acceptThenError": self.accept_then_error,
            "blame": self.blame,
        }


def parse_target_script(body: Any) -> Script | None:
    """None clears: `{"error": null}` and nothing else. Raises ApiError (400) that says what is wrong."""
    if body == {"error": None}:
        return None
    return _parse(body, default_times=None)


def parse_faults(body: Any) -> list[Script]:
    """`{"faults": [...]}`, each used for one send unless it says `times`. Raises ApiError (400)."""
    if not isinstance(body, Mapping) or set(body) != {"faults"} or not isinstance(body["faults"], list):
        raise _refused('Send {"faults": [{"error": "UNAVAILABLE"}, ...]}.')
    return [_parse(fault, default_times=1) for fault in body["faults"]]


def _parse(body: Any, default_times: int | None) -> Script:
    known = ("error", "times", "retryAfter", "delayMs", "acceptThenError", "blame")
    if not isinstance(body, Mapping) or not body or not set(body) <= set(known):
        raise _refused(f"A script is a JSON object of {', '.join(known)}.")
    accept_then_error = _flag(body, "acceptThenError", default=False)
    error = _error(body.get("error"))
    if accept_then_error and error is None:
        error = FcmErrorCode.UNAVAILABLE
    retry_after = _whole(body, "retryAfter", 0, 86_400)
    if "retryAfter" not in body and error in _RETRYABLE:
        retry_after = DEFAULT_RETRY_AFTER_SECONDS
    return Script(
        error=error,
        times=_whole(body, "times", 1, 1_000_000) or default_times,
        retry_after_seconds=retry_after,
        delay_ms=_whole(body, "delayMs", 0, MAX_DELAY_MS) or 0,
        accept_then_error=accept_then_error,
        blame=_flag(body, "blame", default=True),
    )


def _error(name: Any) -> FcmErrorCode | None:
    if name is None:
        return None
    try:
        return FcmErrorCode(name)
    except ValueError as error:
        raise _refused(f"Unknown FCM error code {name!r}. Use one of {', '.join(FcmErrorCode)}, or null.") from error


def _flag(body: Mapping[str, Any], key: str, *, default: bool) -> bool:
    value = body.get(key, default)
    if not isinstance(value, bool):
        raise _refused(f"{key} must be true or false.")
    return value


def _whole(body: Mapping[str, Any], key: str, low: int, high: int) -> int | None:
    value = body.get(key)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise _refused(f"{key} must be a whole number from {low} to {high}.")
    return value


def _refused(message: str) -> ApiError:
    return ApiError(400, "INVALID_ARGUMENT", message)
