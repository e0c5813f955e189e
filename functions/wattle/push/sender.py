"""Sends messages to FCM and says what became of each, by the meaning of FCM's answers.

| FCM's answer | what follows |
|---|---|
| UNREGISTERED; INVALID_ARGUMENT that blames the target | `pruned`: the device is gone |
| INVALID_ARGUMENT that blames the message | `failed`, an alarm, and no more of this message is sent |
| QUOTA_EXCEEDED, UNAVAILABLE, INTERNAL, or none in time | sent again after Retry-After or a growing pause |
| THIRD_PARTY_AUTH_ERROR | `failed` and an alarm: our credentials at Apple or for the web are wrong |
| SENDER_ID_MISMATCH | `failed`: the device belongs to another project |
| anything else | an alarm, and sent again as above: our credentials may be wrong |

A pause that is longer than the time there is is not cut: the delivery stays `queued`, says how long it has to wait, and
nobody sends it before (`ledger`).

Source: FCM, "FCM error codes", and "Best practices when sending FCM messages at scale" (handling retries).
"""

import logging
from collections.abc import Callable, Sequence
from typing import Final, Literal, NamedTuple

from wattle.adapters.fcm import Fcm, FcmCode, Push, Refused, Sent
from wattle.kit.logging import redacted
from wattle.kit.retry import Deadline, full_jitter

logger = logging.getLogger(__name__)

_ATTEMPTS: Final = 5
# Seconds before the first retry where FCM names none: as FCM has it, 60 where a quota is exceeded, otherwise 10, then
# twice as many each time.
_QUOTA_PAUSE: Final = 60.0
_BACKOFF_BASE: Final = 10.0
_BACKOFF_CAP: Final = 300.0
# Seconds on top, at the first retry at most; so that many senders do not come back in the same moment.
_JITTER_BASE: Final = 1.0
_JITTER_CAP: Final = 30.0
# Left for writing down what was sent.
_RESERVE: Final = 5.0
_LATER: Final = frozenset({FcmCode.UNAVAILABLE, FcmCode.QUOTA_EXCEEDED, FcmCode.INTERNAL, FcmCode.UNKNOWN})
_ALARMS: Final = {
    FcmCode.INVALID_ARGUMENT: "FCM refused the message itself: nobody gets it",
    FcmCode.UNKNOWN: "FCM gave an answer that is none of its own: check the credentials and the project",
    FcmCode.THIRD_PARTY_AUTH_ERROR: "FCM is refused by APNs or a web push service: check the key of the project's app",
}

State = Literal["queued", "sent", "failed", "pruned", "withheld", "deferred"]


class Outcome(NamedTuple):
    """What became of a message to a device. `code` is FCM's, or says why it was withheld; `name` is FCM's, too.

    Where it is `queued`, `wait` is for how many seconds FCM is to be left alone.
    """

    state: State
    code: str | None = None
    name: str | None = None
    wait: float = 0


QUEUED: Final = Outcome("queued")
CANCELLED: Final = Outcome("withheld", "CANCELLED")
EXPIRED: Final = Outcome("withheld", "EXPIRED")
READ: Final = Outcome("withheld", "READ")
REFUSED: Final = Outcome("failed", FcmCode.INVALID_ARGUMENT.value)
"""FCM found fault with the message, so that nobody will get it."""


class Sender:
    """`pause` sleeps for so many seconds."""

    def __init__(self, fcm: Fcm, pause: Callable[[float], None]) -> None:
        self._fcm = fcm
        self._pause = pause

    def send(self, pushes: Sequence[Push], deadline: Deadline) -> list[Outcome]:
        """Send at most 100 messages; the outcome of each, in the same order."""
        outcomes = [QUEUED] * len(pushes)
        remaining = list(range(len(pushes)))
        sending = time_to_send(deadline)
        for attempt in range(_ATTEMPTS):
            answers = self._fcm.send([pushes[index] for index in remaining], sending)
            for index, answer in zip(remaining, answers, strict=True):
                outcomes[index] = _outcome(answer, attempt)
                if isinstance(answer, Refused):
                    _report(pushes[index], answer)
            remaining = [index for index in remaining if outcomes[index].state == "queued"]
            if not remaining or any(is_message_refused(outcome) for outcome in outcomes):
                break
            # FCM's quota is the project's, so that all wait for the longest of the pauses it asked for.
            wait = max(outcomes[index].wait for index in remaining)
            if attempt == _ATTEMPTS - 1 or wait >= sending.remaining():
                break
            self._pause(wait)
        return outcomes


def time_to_send(deadline: Deadline) -> Deadline:
    """Until when messages are sent: what is left after it is for writing down what was."""
    return Deadline(deadline.at - _RESERVE)


def is_message_refused(outcome: Outcome) -> bool:
    """Whether FCM found fault with the message, so that nobody will get it."""
    return outcome == REFUSED


def _outcome(answer: Sent | Refused, attempt: int) -> Outcome:
    if isinstance(answer, Sent):
        return Outcome("sent", name=answer.name)
    if answer.code in _LATER:
        return Outcome("queued", wait=_wait(answer, attempt))
    gone = answer.code is FcmCode.UNREGISTERED or answer.on_target
    return Outcome("pruned" if gone else "failed", answer.code.value)


def _wait(answer: Refused, attempt: int) -> float:
    """Seconds until it may be sent again, after `attempt` retries."""
    pause: float
    if answer.retry_after is not None:
        pause = answer.retry_after
    elif answer.code is FcmCode.QUOTA_EXCEEDED:
        pause = _QUOTA_PAUSE
    else:
        pause = min(_BACKOFF_CAP, _BACKOFF_BASE * 2**attempt)
    return pause + full_jitter(attempt, base=_JITTER_BASE, cap=_JITTER_CAP)


def _report(push: Push, answer: Refused) -> None:
    fields = {"notification": push.collapse_id, "code": answer.code.value, "reason": redacted(answer.message)}
    if answer.code in _ALARMS and not answer.on_target:
        logger.error(_ALARMS[answer.code], extra={"fields": {**fields, "alarm": f"push.{answer.code.value}"}})
    else:
        logger.warning("FCM refused a message", extra={"fields": fields})
