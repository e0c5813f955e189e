"""What the sink remembers of one Firebase project: accepted messages, scripts, faults, subscriptions."""

import json
import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from firesuite.fcm.errors import ApiError, FcmErrorCode, scripted
from firesuite.fcm.message import SendRequest
from firesuite.fcm.scripts import Script
from firesuite.fcm.topics import Audience, Topics

# 50,000 messages of 450 bytes to as many targets take 45 MB.
MAX_MESSAGES = 50_000


@dataclass(frozen=True, slots=True)
class Accepted:
    """A message as FCM took it, to one target or to the audience of a topic or condition.

    head: its JSON without the closing brace, as bytes: objects would take five times the memory.
    """

    sequence: int
    head: bytes
    target: str | None
    audience: Audience | None

    def as_json(self) -> bytes:
        if self.audience is None:
            return self.head + b"}"
        return self.head + b',"deliveredTo":' + json.dumps(list(self.audience)).encode() + b"}"


@dataclass(frozen=True, slots=True)
class Answer:
    """What to answer to a send, after `delay_ms`: a message name or an error."""

    name: str = ""
    error: ApiError | None = None
    delay_ms: int = 0


@dataclass(frozen=True, slots=True)
class Page:
    """Messages, the sequence of the newest one ever accepted, and that of the oldest one still kept."""

    messages: list[Accepted]
    cursor: int
    oldest: int


@dataclass
class Project:
    """Thread-safe. Sequence numbers start at 1 and never repeat, also when the messages are cleared."""

    project_id: str
    topics: Topics = field(default_factory=Topics)
    lock: threading.RLock = field(default_factory=threading.RLock)
    _messages: deque[Accepted] = field(default_factory=deque)
    _of_target: dict[str, list[int]] = field(default_factory=dict)  # a deque takes 624 bytes, a short list 88
    _broadcasts: deque[Accepted] = field(default_factory=deque)
    _scripts: dict[str, Script] = field(default_factory=dict)
    _faults: deque[Script] = field(default_factory=deque)
    _sequence: int = 0

    def __post_init__(self) -> None:
        self._arrived = threading.Condition(self.lock)

    def send(self, request: SendRequest) -> Answer:
        """Apply the script that is due, and keep the message unless it fails or is only validated."""
        with self.lock:
            script, own = self._due_script(request)
            error = None
            if script.error is not None:
                target_field = request.target_field if own else None
                error = scripted(
                    script.error, self.project_id, target_field, script.retry_after_seconds, blame=script.blame
                )
            if error is not None and not script.accept_then_error:
                return Answer(error=error, delay_ms=script.delay_ms)
            if request.validate_only:
                name = f"projects/{self.project_id}/messages/fake_message_id"
            else:
                name = self._accept(request)
            return Answer(name, error, script.delay_ms)

    def _due_script(self, request: SendRequest) -> tuple[Script, bool]:
        """The script for this send, and whether it is the target's own."""
        if self._faults:
            fault = self._faults.popleft()
            rest = fault.used_once()
            if rest is not None:
                self._faults.appendleft(rest)
            return fault, False
        script = self._scripts.get(request.target) if request.target_field else None
        if script is None:
            return Script(), False
        self.set_script(request.target, script.used_once())
        return script, True

    def _accept(self, request: SendRequest) -> str:
        self._sequence += 1
        now = datetime.now(UTC)
        # The shape of FCM's own ids: a time in microseconds and a hexadecimal tail.
        message_id = f"0:{int(now.timestamp() * 1_000_000)}%{self._sequence:016x}"
        name = f"projects/{self.project_id}/messages/{message_id}"
        record = {
            "name": name,
            "message": request.sent,
            "receivedAt": _rfc3339(now),
        }
        head = json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode()[:-1]
        if request.target_field:
            accepted = Accepted(self._sequence, head, request.target, None)
            self._of_target.setdefault(request.target, []).append(self._sequence)
        else:
            accepted = Accepted(self._sequence, head, None, self._audience(request))
            self._broadcasts.append(accepted)
        self._messages.append(accepted)
        if len(self._messages) > MAX_MESSAGES:
            self._forget_oldest()
        self._arrived.notify_all()
        return name

    def _audience(self, request: SendRequest) -> Audience:
        audience = self.topics.audience(request.kind, request.target)
        if any(script.error is FcmErrorCode.UNREGISTERED for script in self._scripts.values()):
            return {target: None for target in audience if not self._is_unregistered(target)}
        return audience

    def _is_unregistered(self, target: str) -> bool:
        script = self._scripts.get(target)
        return script is not None and script.error is FcmErrorCode.UNREGISTERED

    def _forget_oldest(self) -> None:
        oldest = self._messages.popleft()
        if oldest.target is None:
            self._broadcasts.popleft()
            return
        sequences = self._of_target[oldest.target]
        del sequences[0]
        if not sequences:
            del self._of_target[oldest.target]

    def messages(self) -> list[Accepted]:
        """Everything that was accepted and not cleared, oldest first."""
        with self.lock:
            return list(self._messages)

    def page(self, after: int, wait_seconds: float) -> Page:
        """The messages with a sequence above `after`; a negative `after` counts from the newest.

        When there is none, waits up to `wait_seconds` for one to arrive.
        """
        with self.lock:
            if after < 0:
                after = max(0, self._sequence + after)
            if wait_seconds and after == self._sequence:
                self._arrived.wait_for(lambda: self._sequence > after, wait_seconds)
            oldest = self._messages[0].sequence if self._messages else self._sequence + 1
            return Page(list(islice(self._messages, max(0, after - oldest + 1), None)), self._sequence, oldest)

    def delivered_to(self, target: str) -> list[Mapping[str, Any]]:
        """The messages that reached a target, directly or by topic, oldest first, as the client sent them."""
        with self.lock:
            wanted = set(self._of_target.get(target, ()))
            wanted.update(item.sequence for item in self._broadcasts if target in (item.audience or ()))
            found = [item for item in self._messages if item.sequence in wanted] if wanted else []
        return [json.loads(item.head + b"}") for item in found]

    def clear_messages(self) -> None:
        with self.lock:
            self._messages.clear()
            self._of_target.clear()
            self._broadcasts.clear()

    def set_subscribed(self, target: str, topic: str, *, subscribed: bool) -> bool:
        """False when it was so before. Raises ApiError: the target's lasting script, or more than 2,000 topics."""
        with self.lock:
            script = self._scripts.get(target)
            if script is not None and script.error is not None and script.times is None:
                raise scripted(script.error, self.project_id, None, script.retry_after_seconds)
            if not subscribed:
                return self.topics.unsubscribe(target, topic)
            return self.topics.subscribe(target, topic, _rfc3339(datetime.now(UTC)))

    def subscriptions_of(self, target: str) -> dict[str, str]:
        """Creation time (RFC 3339) by topic."""
        with self.lock:
            return dict(self.topics.of_target(target))

    def subscribers(self) -> dict[str, list[str]]:
        """Targets by topic."""
        with self.lock:
            return {topic: list(targets) for topic, targets in self.topics.by_topic().items()}

    def set_script(self, target: str, script: Script | None) -> None:
        with self.lock:
            if script is None:
                self._scripts.pop(target, None)
            else:
                self._scripts[target] = script

    def scripts(self) -> dict[str, Script]:
        with self.lock:
            return dict(self._scripts)

    def set_faults(self, faults: list[Script]) -> None:
        with self.lock:
            self._faults = deque(faults)

    def faults(self) -> list[Script]:
        with self.lock:
            return list(self._faults)


def _rfc3339(moment: datetime) -> str:
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")
