"""What the sink remembers of one Firebase project: accepted messages, scripts, faults, subscriptions."""

import json
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from firesuite.fcm.errors import ApiError, FcmErrorCode, scripted
from firesuite.fcm.message import SendRequest
from firesuite.fcm.scripts import Script
from firesuite.fcm.topics import Audience, Topics

# 50,000 messages of an ordinary size (600 bytes) are 60 MB.
MAX_MESSAGES = 50_000


@dataclass(frozen=True, slots=True)
class Accepted:
    """A message as FCM took it. `head` is its JSON without the closing brace; an audience belongs to a topic or condition."""

    sequence: int
    head: bytes
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


@dataclass
class Project:
    """Thread-safe. Sequence numbers start at 1 and never repeat, also when the messages are cleared."""

    project_id: str
    topics: Topics = field(default_factory=Topics)
    lock: threading.RLock = field(default_factory=threading.RLock)
    _messages: deque[Accepted] = field(default_factory=deque)
    _of_target: dict[str, deque[int]] = field(default_factory=dict)
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
                error = scripted(script.error, self.project_id, target_field, script.retry_after_seconds)
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
            "receivedAt": now.isoformat(timespec="microseconds").replace("+00:00", "Z"),
        }
        head = json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")[:-1]
        if request.target_field:
            accepted = Accepted(self._sequence, head, None)
            self._of_target.setdefault(request.target, deque()).append(self._sequence)
        else:
            accepted = Accepted(self._sequence, head, self._audience(request))
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
        if oldest.audience is not None:
            self._broadcasts.popleft()
            return
        target = next(_targets_of(oldest))
        sequences = self._of_target[target]
        sequences.popleft()
        if not sequences:
            del self._of_target[target]

    def messages(self, after: int = 0) -> list[Accepted]:
        """Accepted messages with a sequence above `after`, oldest first."""
        with self.lock:
            return self._after(after)

    def wait_for_messages(self, after: int, timeout_seconds: float) -> list[Accepted]:
        """Like `messages`, but waits for the first one to arrive."""
        with self.lock:
            self._arrived.wait_for(lambda: self._sequence > after, timeout_seconds)
            return self._after(after)

    def _after(self, after: int) -> list[Accepted]:
        if not self._messages:
            return []
        first = self._messages[0].sequence
        return list(islice(self._messages, max(0, after - first + 1), None))

    @property
    def last_sequence(self) -> int:
        return self._sequence

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


def _targets_of(accepted: Accepted) -> Iterator[str]:
    message = json.loads(accepted.head + b"}")["message"]
    return (message[kind] for kind in ("fid", "token") if message.get(kind) is not None)
