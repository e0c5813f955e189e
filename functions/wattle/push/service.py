"""Messages to people: into the inbox, then to their devices, each step safe to repeat.

Events arrive at least once, and a process may end between any two lines. The inbox entry's id is derived from what
happened, so it is made once, together with the ledger that says which devices are to be sent to (`ledger`). A device
that got the message although nobody wrote it down gets it again under the same collapse id and tag: its owner sees one.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import timedelta
from functools import partial
from typing import Final, Literal, NamedTuple, Protocol

from wattle.adapters.fcm import CHUNK, Condition, Push, Target, Topic, check_size
from wattle.devices.service import DeviceService, PushTarget
from wattle.errors import Unavailable
from wattle.inbox.message import Message
from wattle.inbox.service import InboxService
from wattle.kit.clock import Clock
from wattle.kit.parallel import side_by_side
from wattle.kit.retry import Deadline
from wattle.push.ledger import Due, Ledger, Plan
from wattle.push.schemas import NO_DEVICE, Explanation
from wattle.push.sender import EXPIRED, QUEUED, READ, Outcome, Sender, is_message_refused, time_to_send
from wattle.users.preferences import DoNotPush, Kind, PushLater, PushNow, Recipient, Verdict
from wattle.users.service import UserService

logger = logging.getLogger(__name__)

TIME_TO_LIVE: Final = timedelta(days=1)
"""How long a message is pushed, and FCM keeps it for a phone that is off, from when it happened. What happened a day
ago is no news; the inbox has it."""
_LEAST_TO_LIVE: Final = timedelta(seconds=1)
# Promotions can wait for a moment that suits the phone's battery.
_URGENT: Final = frozenset({Kind.ORDERS, Kind.ACCOUNT})
_REMOVED: Final = Outcome("pruned", "DEVICE_REMOVED")
_DUE_AT_ONCE: Final = 100
# The quiet hours of many end at the same full hour. Each is a dozen calls that mostly wait.
_RELEASED_AT_ONCE: Final = 10


class Addressee(NamedTuple):
    """A person, his devices, and whether a message of some kind may be pushed to them now."""

    person: Recipient
    targets: Sequence[PushTarget]
    verdict: Verdict


class Told(NamedTuple):
    """How far it got: `remaining` deliveries are to be tried again, those that we know of after `wait` seconds; FCM
    `refused` the message; it was `stopped`.
    """

    remaining: int = 0
    wait: float = 0
    refused: bool = False
    stopped: bool = False


class Broadcasts(Protocol):
    """What a message that waited is a part of, by its id.

    `ended` says what becomes of it where the broadcast was cancelled or has failed; `refuse` that FCM refused it.
    """

    def ended(self, broadcast_id: str, deadline: Deadline) -> Outcome | None: ...

    def refuse(self, broadcast_id: str, deadline: Deadline) -> None: ...


class PushService:
    """`exempt` are the kinds that quiet hours do not hold back."""

    def __init__(  # noqa: PLR0913 (each is a service of its own)
        self,
        sender: Sender,
        ledger: Ledger,
        *,
        devices: DeviceService,
        inbox: InboxService,
        users: UserService,
        clock: Clock,
        exempt: AbstractSet[str],
    ) -> None:
        self._sender = sender
        self._ledger = ledger
        self._devices = devices
        self._inbox = inbox
        self._users = users
        self._clock = clock
        self._exempt = exempt

    def tell(self, uid: str, message: Message, deadline: Deadline) -> None:
        """Tell one person.

        Raises:
            Unavailable: some devices are to be tried later; call again with the same message.
        """
        if self.tell_all([uid], message, deadline, stop=_never).remaining:
            raise Unavailable("FCM")

    def tell_all(
        self, uids: Sequence[str], message: Message, deadline: Deadline, *, stop: Callable[[], Outcome | None]
    ) -> Told:
        """Tell some people. `stop` is asked before each 100 messages, and says what becomes of those not sent then."""
        if message.broadcast is not None:
            addressees = self.recipients(uids, message.kind, deadline)
        else:
            addressees = [who for who in self.addressees(uids, message.kind, deadline) if not who.person.deleted]
        if not addressees:
            return Told()
        plans = [self._plan(who) for who in addressees]
        leases = self._ledger.open(message, plans, deadline)
        targets = {(t.uid, t.device_id): t for who in addressees for t in who.targets}
        todo = [(uid, id_) for uid, lease in leases.items() for id_ in sorted(lease.device_ids)]
        told = self._send(message, todo, targets, deadline, stop)
        held = sum(lease.held for lease in leases.values())
        return told._replace(remaining=told.remaining + held)

    def give_up(self, uids: Sequence[str], message_id: str, outcome: Outcome, deadline: Deadline) -> None:
        """End with an outcome what these people's devices were to get and did not yet. Who has no entry gets none."""
        calls = [partial(self._ledger.give_up, uid, message_id, outcome, deadline) for uid in uids]
        for start in range(0, len(calls), _RELEASED_AT_ONCE):
            side_by_side(calls[start : start + _RELEASED_AT_ONCE])

    def addressees(self, uids: Sequence[str], kind: Kind, deadline: Deadline) -> list[Addressee]:
        """These people as a message of this kind would find them now."""
        people = self._users.recipients(uids, deadline)
        targets: dict[str, list[PushTarget]] = {}
        for target in self._devices.targets(uids, deadline):
            targets.setdefault(target.uid, []).append(target)
        now = self._clock()
        return [Addressee(who, targets.get(who.uid, ()), who.verdict(kind, now, self._exempt)) for who in people]

    def recipients(self, uids: Sequence[str], kind: Kind, deadline: Deadline) -> list[Addressee]:
        """Those of these people whom a broadcast reaches: it may have been addressed to anything."""
        return [
            who
            for who in self.addressees(uids, kind, deadline)
            if not who.person.deleted and (who.person.known or who.targets)
        ]

    def unwanted(self, uids: Sequence[str], kind: Kind, deadline: Deadline) -> dict[str, str]:
        """Those of these people to whom topics of this kind do not come, with the reason. FCM knows no quiet hours."""
        now = self._clock()
        found = {
            who.uid: DoNotPush("DELETED") if who.deleted else who.verdict(kind, now, {kind})
            for who in self._users.recipients(uids, deadline)
        }
        return {uid: verdict.reason for uid, verdict in found.items() if isinstance(verdict, DoNotPush)}

    def send_to_topics(
        self, message: Message, topic: str | None, condition: str | None, deadline: Deadline, *, dry_run: bool
    ) -> Outcome:
        """Send to a topic or a condition, in English: FCM knows nothing of its subscribers' languages."""
        to = Topic(topic) if topic is not None else Condition(condition or "")
        (outcome,) = self._sender.send([self._push_to(message, to)._replace(dry_run=dry_run)], deadline)
        return outcome

    def dry_run(self, uids: Sequence[str], message: Message, deadline: Deadline) -> list[Outcome]:
        """Have FCM check the message to these people's devices, 100 at most."""
        found = [target for who in self.recipients(uids, message.kind, deadline) for target in who.targets][:CHUNK]
        return self._sender.send([self._push(message, target, 1)._replace(dry_run=True) for target in found], deadline)

    def check_size(self, message: Message, language: str, *, to_topics: bool) -> None:
        """See that FCM takes the message in a language.

        Raises:
            TooLarge.
        """
        push = self._push_to(message, Topic("any") if to_topics else Target("any", legacy=False), language)
        # As many as a badge can show.
        check_size(push._replace(badge=None if to_topics else 9999))

    def counts(
        self, broadcast_id: str, by: Literal["state", "code"], values: Sequence[str], deadline: Deadline
    ) -> dict[str, int]:
        """How many deliveries of a broadcast there are by state or by code; those that there are."""
        return self._ledger.counts(broadcast_id, by, values, deadline)

    def explain(self, uid: str, notification_id: str, deadline: Deadline) -> Explanation:
        """What became of a person's notification on each of his devices, and why.

        Raises:
            NotificationNotFound.
        """
        entry = self._inbox.entry(uid, notification_id, deadline)
        deliveries = self._ledger.of_notification(uid, notification_id, deadline)
        then = {delivery.device_id for delivery in deliveries}
        return Explanation(
            notification=entry,
            deliveries=deliveries,
            waits_until=self._ledger.waits_until(uid, notification_id, deadline),
            reason=None if deliveries else NO_DEVICE,
            later_devices=sorted({t.device_id for t in self._devices.targets([uid], deadline)} - then),
        )

    def release_due(self, deadline: Deadline, broadcasts: Broadcasts) -> int:
        """Send what waited for the end of quiet hours; how many messages. What the time does not allow waits on."""
        released = 0
        while time_to_send(deadline).remaining() > 0:
            keys = self._ledger.due(_DUE_AT_ONCE, deadline)
            for start in range(0, len(keys), _RELEASED_AT_ONCE):
                if time_to_send(deadline).remaining() <= 0:
                    return released
                some = keys[start : start + _RELEASED_AT_ONCE]
                released += sum(side_by_side([partial(self._release, key, deadline, broadcasts) for key in some]))
            if len(keys) < _DUE_AT_ONCE:
                break
        return released

    def _release(self, key: str, deadline: Deadline, broadcasts: Broadcasts) -> bool:
        """Send one that waited; whether it was ours to send."""
        due = self._ledger.take(key, deadline)
        if due is None:
            return False
        (who,) = self.addressees([due.uid], due.message.kind, deadline)
        todo = [(due.uid, id_) for id_ in sorted(due.lease.device_ids)]
        broadcast = due.message.broadcast
        reason = _reason_to_withhold(due, who)
        if reason is None and broadcast is not None:
            reason = broadcasts.ended(broadcast, deadline)
        # What others hold is for later: the deferral stays until then.
        finished = None if due.lease.held else due.key
        if reason is not None:
            self._ledger.settle(due.message, dict.fromkeys(todo, reason), deadline, finished=finished)
        elif isinstance(who.verdict, PushLater):
            self._ledger.put_off(due, who.verdict.due, deadline)
        else:
            targets = {(t.uid, t.device_id): t for t in who.targets}
            told = self._send(due.message, todo, targets, deadline, _never)
            if told.refused and broadcast is not None:
                broadcasts.refuse(broadcast, deadline)
            if not told.remaining:
                self._ledger.settle(due.message, {}, deadline, finished=finished)
        return True

    def _plan(self, who: Addressee) -> Plan:
        match who.verdict:
            case PushNow():
                outcome, due = QUEUED, None
            case PushLater(moment):
                outcome, due = Outcome("deferred"), moment
            case DoNotPush(reason):
                outcome, due = Outcome("withheld", reason), None
        locale = who.person.locale or (who.targets[0].locale if who.targets else None)
        return Plan(who.person.uid, locale, [target.device_id for target in who.targets], outcome, due)

    def _send(
        self,
        message: Message,
        todo: Sequence[tuple[str, str]],
        targets: Mapping[tuple[str, str], PushTarget],
        deadline: Deadline,
        stop: Callable[[], Outcome | None],
    ) -> Told:
        """Send to devices by (uid, device id), 100 at a time, and write down after each 100 what became of them."""
        if self._to_live(message) <= timedelta():
            self._ledger.settle(message, dict.fromkeys(todo, EXPIRED), deadline)
            return Told()
        uids = sorted({uid for uid, _ in todo})
        badges = dict(zip(uids, self._inbox.badges(uids, deadline), strict=True))
        remaining, wait = 0, 0.0
        for start in range(0, len(todo), CHUNK):
            if time_to_send(deadline).remaining() <= 0:
                # Their lease ends soon after the deadline.
                return Told(remaining + len(todo) - start, wait)
            some = todo[start : start + CHUNK]
            if (ended := stop()) is not None:
                self._ledger.settle(message, dict.fromkeys(todo[start:], ended), deadline)
                return Told(remaining, wait, stopped=True)
            there = [where for where in some if where in targets]
            pushes = [self._push(message, targets[where], badges[where[0]]) for where in there]
            outcomes = dict.fromkeys(some, _REMOVED)
            outcomes.update(zip(there, self._sender.send(pushes, deadline), strict=True))
            self._devices.forget([targets[where] for where in there if outcomes[where].state == "pruned"], deadline)
            refused = next((outcome for outcome in outcomes.values() if is_message_refused(outcome)), None)
            if refused is not None:
                unsent = {where: refused for where in todo[start:] if outcomes.get(where, QUEUED).state == "queued"}
                self._ledger.settle(message, {**outcomes, **unsent}, deadline)
                return Told(remaining, wait, refused=True)
            self._ledger.settle(message, outcomes, deadline)
            waits = [outcome.wait for outcome in outcomes.values() if outcome.state == "queued"]
            remaining += len(waits)
            wait = max(wait, *waits, 0.0)
        return Told(remaining, wait)

    def _to_live(self, message: Message) -> timedelta:
        age = self._clock() - message.at if message.at is not None else timedelta()
        return TIME_TO_LIVE - max(timedelta(), age)

    def _push(self, message: Message, target: PushTarget, badge: int) -> Push:
        push = self._push_to(message, Target(target.value, legacy=target.legacy), target.locale)
        return push._replace(platform=target.platform, badge=badge)

    def _push_to(self, message: Message, to: Target | Topic | Condition, locale: str | None = None) -> Push:
        text = message.text(locale)
        return Push(
            to=to,
            platform=None,
            title=text.title,
            body=text.body,
            data={**message.data, "notificationId": message.id, "kind": message.kind.value},
            collapse_id=message.id,
            sent_at=self._clock(),
            time_to_live=max(_LEAST_TO_LIVE, self._to_live(message)),
            channel=message.kind.value,
            urgent=message.kind in _URGENT,
            image=message.image,
            link=message.link,
        )


def _reason_to_withhold(due: Due, who: Addressee) -> Outcome | None:
    """Why a person is not to be pushed a message any more that waited, None where he is."""
    if due.read or who.person.deleted:
        return READ
    return Outcome("withheld", who.verdict.reason) if isinstance(who.verdict, DoNotPush) else None


def _never() -> None:
    return None
