"""Firebase Cloud Messaging, HTTP v1.

Messages are built, checked and encoded by firebase_admin (`fcm_message`); they are sent over a session of our own,
because the SDK has no setting for the host, starts a thread for each message, and sleeps by itself through FCM's
Retry-After.

Sources: FCM REST reference, `projects.messages.send`, `projects.registrations.topicSubscriptions`, `ErrorCode`.
"""

import re
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from email.utils import parsedate_to_datetime
from enum import Enum
from math import ceil
from typing import Any, Final, NamedTuple
from urllib.parse import quote

import google.auth
import google.auth.transport.requests
import requests
from google.auth.exceptions import GoogleAuthError, TransportError

from wattle.adapters.fcm_message import Condition, Push, Target, TooLarge, Topic, check_size, encode
from wattle.kit.retry import Deadline

__all__ = [
    "CHUNK",
    "Condition",
    "Fcm",
    "FcmCode",
    "Push",
    "Refused",
    "Sent",
    "Target",
    "TooLarge",
    "Topic",
    "check_size",
]

CHUNK: Final = 100
"""Messages that are sent in one call of `Fcm.send` at most: what waits for FCM stays small."""

_SCOPES: Final = ("https://www.googleapis.com/auth/firebase.messaging",)
# Seconds to connect, and to wait for the answer.
_TIMEOUT: Final = (3.0, 10.0)
# Connections to FCM at once: Google's advice is HTTP connections that are kept and few; send_each opens up to 100.
_PARALLEL: Final = 20
_JSON: Final = {"Content-Type": "application/json; charset=utf-8"}
# What FCM blames when the target is malformed; any other field is the message's own (FCM, "FCM error codes").
_TARGET_FIELDS: Final = frozenset({"message.fid", "message.token"})
# The same page's own example of a malformed target blames no field: only its sentence tells, "The registration token is
# not a valid FCM registration token". To miss it would end a broadcast because of one phone.
_TARGET_SENTENCE: Final = re.compile(r"registration token|installation id", re.IGNORECASE)

_SECONDS: Final = re.compile(r"[0-9]+")
# Seconds. What is a day old is not pushed any more, so that no longer pause says anything, and a date far away is none.
_RETRY_AFTER_MOST: Final = 86_400


class FcmCode(Enum):
    """FCM's error codes, and UNKNOWN for whatever else comes."""

    UNREGISTERED = "UNREGISTERED"
    INVALID_ARGUMENT = "INVALID_ARGUMENT"
    SENDER_ID_MISMATCH = "SENDER_ID_MISMATCH"
    QUOTA_EXCEEDED = "QUOTA_EXCEEDED"
    UNAVAILABLE = "UNAVAILABLE"
    INTERNAL = "INTERNAL"
    THIRD_PARTY_AUTH_ERROR = "THIRD_PARTY_AUTH_ERROR"
    UNKNOWN = "UNKNOWN"


class Sent(NamedTuple):
    """FCM accepted the message under this name."""

    name: str


class Refused(NamedTuple):
    """FCM did not accept the message, or did not say so in time (UNAVAILABLE): then it may have accepted it.

    `retry_after` is in seconds, a day at most, where FCM said so. `on_target`: an INVALID_ARGUMENT is the target's
    fault.
    """

    code: FcmCode
    message: str
    retry_after: int | None = None
    on_target: bool = False


class Fcm:
    """Sends messages for one project. One for a process; safe to use from many threads."""

    def __init__(self, project_id: str, emulator: str | None) -> None:
        base = f"http://{emulator}" if emulator else "https://fcm.googleapis.com"
        self._project = f"{base}/v1/projects/{project_id}"
        self._http = _session(emulated=emulator is not None)
        self._http.mount(base, requests.adapters.HTTPAdapter(pool_maxsize=_PARALLEL))

    def send(self, pushes: Sequence[Push], deadline: Deadline) -> list[Sent | Refused]:
        """Send each message and say what became of it, in the same order. Never raises for a message that fails.

        What is not begun by the deadline is not sent: UNAVAILABLE, to be sent at any time.

        Raises:
            ValueError: more than 100 messages.
        """
        if len(pushes) > CHUNK:
            raise ValueError(f"at most {CHUNK} messages at once")
        if len(pushes) <= 1:
            return [self._send(push, deadline) for push in pushes]
        with ThreadPoolExecutor(max_workers=min(_PARALLEL, len(pushes))) as pool:
            return list(pool.map(lambda push: self._send(push, deadline), pushes))

    def set_subscribed(self, target: Target, topic: str, *, subscribed: bool) -> Refused | None:
        """Subscribe a device to a topic, or end its subscription; None where that is so now. Safe to repeat."""
        url = f"{self._project}/registrations/{quote(target.value, safe='')}/topicSubscriptions"
        try:
            if subscribed:
                response = self._http.post(url, params={"topic_name": topic}, json={}, timeout=_TIMEOUT)
            else:
                response = self._http.delete(f"{url}/{topic}", params={"allow_missing": "true"}, timeout=_TIMEOUT)
        except (requests.RequestException, GoogleAuthError) as error:
            return _no_answer(error)
        if response.ok or (subscribed and response.status_code == 409):
            return None
        refusal = _refusal(response, _json(response))
        # This method has no codes of FCM's own: its 404 is about the registration, which the path names.
        return refusal._replace(code=FcmCode.UNREGISTERED) if response.status_code == 404 else refusal

    def _send(self, push: Push, deadline: Deadline) -> Sent | Refused:
        url = f"{self._project}/messages:send"
        left = deadline.remaining()
        if left <= 0:
            return Refused(FcmCode.UNAVAILABLE, "no time was left", retry_after=0)
        try:
            body = encode(push)
        except ValueError as error:
            # The SDK refuses what FCM would.
            return Refused(FcmCode.INVALID_ARGUMENT, str(error))
        try:
            timeout = (min(_TIMEOUT[0], left), min(_TIMEOUT[1], left))
            response = self._http.post(url, data=body, headers=_JSON, timeout=timeout)
        except (requests.RequestException, GoogleAuthError) as error:
            return _no_answer(error)
        answer = _json(response)
        if response.ok and isinstance(answer, dict) and isinstance(answer.get("name"), str):
            return Sent(answer["name"])
        return _refusal(response, answer)


def _session(*, emulated: bool) -> requests.Session:
    if emulated:
        session = requests.Session()
        session.headers["Authorization"] = "Bearer owner"
        return session
    credentials, _ = google.auth.default(scopes=_SCOPES)
    return google.auth.transport.requests.AuthorizedSession(credentials)


def _no_answer(error: requests.RequestException | GoogleAuthError) -> Refused:
    """Of a request that got none: also where Google gave us no access token to send it with."""
    credentials = isinstance(error, GoogleAuthError) and not isinstance(error, TransportError)
    return Refused(FcmCode.UNKNOWN if credentials else FcmCode.UNAVAILABLE, type(error).__name__)


def _json(response: requests.Response) -> Any:
    try:
        return response.json()
    except ValueError:
        return None


def _by_status(status: int) -> FcmCode:
    """Of an answer without a code of FCM's, as its front end gives them. 404 may be a wrong URL: it says nothing."""
    if status == 429:
        return FcmCode.QUOTA_EXCEEDED
    return FcmCode.INTERNAL if status >= 500 else FcmCode.UNKNOWN


def _refusal(response: requests.Response, answer: Any) -> Refused:
    error = answer.get("error") if isinstance(answer, dict) else None
    error = error if isinstance(error, dict) else {}
    details = [detail for detail in error.get("details") or () if isinstance(detail, dict)]
    # FCM's own code stands in the details; google.rpc's status is what is left for errors before FCM looked.
    codes = [detail["errorCode"] for detail in details if isinstance(detail.get("errorCode"), str)]
    name = codes[0] if codes else error.get("status")
    code = FcmCode(name) if name in FcmCode.__members__ else _by_status(response.status_code)
    message = str(error.get("message") or response.reason)
    return Refused(
        code=code,
        message=message,
        retry_after=_retry_after(response.headers.get("Retry-After", "")),
        on_target=code is FcmCode.INVALID_ARGUMENT and _blames_target(details, message),
    )


def _retry_after(header: str) -> int | None:
    """The seconds that it asks for, a day at most; it may name a moment instead (RFC 9110, section 10.2.3)."""
    if _SECONDS.fullmatch(header):
        return int(min(float(header), _RETRY_AFTER_MOST))
    try:
        left = parsedate_to_datetime(header).timestamp() - time.time()
    except (ValueError, OverflowError):
        return None
    return ceil(min(max(0.0, left), _RETRY_AFTER_MOST))


def _blames_target(details: Sequence[dict[str, Any]], message: str) -> bool:
    violations = [violation for detail in details for violation in detail.get("fieldViolations") or ()]
    if violations:
        return any(violation.get("field") in _TARGET_FIELDS for violation in violations)
    return _TARGET_SENTENCE.search(message) is not None
