"""Firebase Cloud Messaging, HTTP v1.

Messages are built, checked and encoded by firebase_admin; they are sent over a session of our own, because the SDK has
no setting for the host, starts a thread for each message, and sleeps by itself through FCM's Retry-After.

Source: FCM REST reference, `projects.messages.send`, `ErrorCode`.
"""

import json
import warnings
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from typing import Any, Final

import google.auth
import google.auth.transport.requests
import requests
from firebase_admin import messaging

_SCOPES: Final = ("https://www.googleapis.com/auth/firebase.messaging",)
_TIMEOUT: Final = (3.0, 10.0)
# Connections to FCM at once: Google's advice is HTTP connections that are kept and few; send_each opens up to 100.
_PARALLEL: Final = 20

# We send to legacy tokens on purpose, for apps that do not register by installation id yet.
warnings.filterwarnings("ignore", message=r"Message\.token is deprecated", category=DeprecationWarning)


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


@dataclass(frozen=True, slots=True)
class Target:
    """A device: its Firebase Installation ID, or the registration token of an app that has none."""

    value: str
    legacy: bool


@dataclass(frozen=True, slots=True)
class Push:
    """A message to one device.

    `collapse_id` makes a later copy replace an earlier one on the screen: Android's tag, APNs' collapse id. (FCM's own
    collapse key only concerns phones that are off, and FCM keeps four of them a phone: with one for each notification
    the fifth would be lost.) `time_to_live` is how long FCM keeps it for a phone that is off.
    """

    target: Target
    title: str
    body: str
    data: Mapping[str, str]
    collapse_id: str
    time_to_live: timedelta


@dataclass(frozen=True, slots=True)
class Sent:
    """FCM accepted the message under this name."""

    name: str


@dataclass(frozen=True, slots=True)
class Refused:
    """FCM did not accept the message. `retry_after` is in seconds, where FCM said so."""

    code: FcmCode
    message: str
    retry_after: int | None


class Fcm:
    """Sends messages for one project. One for a process; safe to use from many threads."""

    def __init__(self, project_id: str, emulator: str | None) -> None:
        base = f"http://{emulator}" if emulator else "https://fcm.googleapis.com"
        self._url = f"{base}/v1/projects/{project_id}/messages:send"
        self._http = _session(emulated=emulator is not None)
        self._http.mount(base, requests.adapters.HTTPAdapter(pool_maxsize=_PARALLEL))

    def send(self, pushes: Sequence[Push]) -> list[Sent | Refused]:
        """Send each message and say what became of it, in the same order. Never raises for a message that fails."""
        if not pushes:
            return []
        with ThreadPoolExecutor(max_workers=min(_PARALLEL, len(pushes))) as pool:
            return list(pool.map(self._send, pushes))

    def _send(self, push: Push) -> Sent | Refused:
        try:
            response = self._http.post(self._url, data=_encode(push), headers=_JSON, timeout=_TIMEOUT)
        except requests.RequestException as error:
            return Refused(FcmCode.UNAVAILABLE, type(error).__name__, None)
        try:
            answer = response.json()
        except ValueError:
            answer = None
        if response.ok and isinstance(answer, dict) and isinstance(answer.get("name"), str):
            return Sent(answer["name"])
        return _refusal(response, answer)


_JSON: Final = {"Content-Type": "application/json; charset=utf-8"}


def _session(*, emulated: bool) -> requests.Session:
    if emulated:
        session = requests.Session()
        session.headers["Authorization"] = "Bearer owner"
        return session
    credentials, _ = google.auth.default(scopes=_SCOPES)
    return google.auth.transport.requests.AuthorizedSession(credentials)


def _encode(push: Push) -> bytes:
    collapse = push.collapse_id
    message = messaging.Message(
        **{"token" if push.target.legacy else "fid": push.target.value},
        notification=messaging.Notification(title=push.title, body=push.body),
        data=dict(push.data),
        android=messaging.AndroidConfig(
            priority="high",
            ttl=push.time_to_live,
            notification=messaging.AndroidNotification(tag=collapse),
        ),
        apns=messaging.APNSConfig(
            # APNs cuts a collapse id that is longer than 64 bytes.
            headers={"apns-collapse-id": collapse[:64], "apns-priority": "10"},
            payload=messaging.APNSPayload(aps=messaging.Aps(sound="default")),
        ),
    )
    # str() of a Message is its JSON, made by the SDK's encoder, which also validates it.
    return f'{{"message":{message}}}'.encode()


def _refusal(response: requests.Response, answer: Any) -> Refused:
    error = answer.get("error") if isinstance(answer, dict) else None
    error = error if isinstance(error, dict) else {}
    details = error.get("details")
    codes = [d["errorCode"] for d in details or () if isinstance(d, dict) and isinstance(d.get("errorCode"), str)]
    # FCM's own code stands in the details; google.rpc's status is what is left for errors before FCM looked.
    name = codes[0] if codes else error.get("status")
    code = FcmCode(name) if name in FcmCode.__members__ else FcmCode.UNKNOWN
    after = response.headers.get("Retry-After", "")
    return Refused(
        code=code,
        message=json.dumps(error.get("message") or response.reason),
        retry_after=int(after) if after.isdigit() else None,
    )
