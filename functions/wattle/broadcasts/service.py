"""What administrators do with broadcasts. All that can be wrong with one is found before anything is sent."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final, NamedTuple

from wattle.adapters.fcm import FcmCode, TooLarge
from wattle.adapters.firestore import Firestore, Transaction
from wattle.admin.service import AuditService
from wattle.broadcasts.conditions import Condition, parse
from wattle.broadcasts.delivery import unsent
from wattle.broadcasts.errors import (
    BroadcastEnded,
    BroadcastNotFound,
    InvalidCondition,
    PayloadTooLarge,
    TopicOfAnotherKind,
    UnknownTopic,
)
from wattle.broadcasts.repository import BroadcastRepository
from wattle.broadcasts.schemas import (
    Broadcast,
    BroadcastState,
    DryRun,
    NewBroadcast,
    Preview,
    Statistics,
)
from wattle.context import Context
from wattle.devices.service import DeviceService
from wattle.devices.topics import topic_rule
from wattle.errors import FieldError, ValidationFailed
from wattle.idempotency.service import IdempotencyService
from wattle.inbox.message import Message, Text
from wattle.kit.clock import Clock
from wattle.kit.ids import document_id
from wattle.kit.parallel import side_by_side
from wattle.kit.retry import Deadline
from wattle.push.service import Addressee, PushService
from wattle.users.preferences import DoNotPush, Kind, PushLater

CHUNK: Final = 100
"""People whose messages one task sends: a minute's work at most, and what a failure makes do again."""
# The chunks, from when it is to begin: they name people. A cancelled broadcast's would name them for ever.
_KEPT: Final = timedelta(days=90)
_SCHEDULED_MOST: Final = timedelta(days=366)
_PREVIEWED_MOST: Final = 10_000
# Ten thousand people are 440 calls: one after the other they would take longer than a request may.
_PREVIEWED_AT_ONCE: Final = 8
_DELIVERY_STATES: Final = ("queued", "sent", "failed", "pruned", "deferred", "withheld")
_WAITING: Final = ("deferred", "queued")
# What FCM may say that is none of its codes is sent again: no delivery ends with it.
_OF_FCM: Final = tuple(code.value for code in FcmCode if code is not FcmCode.UNKNOWN)
_CODES: Final = (*_OF_FCM, "DEVICE_REMOVED", "KIND_OFF", "MUTED", "READ", "CANCELLED", "EXPIRED")
_CANCELLABLE: Final = frozenset({BroadcastState.SCHEDULED, BroadcastState.SENDING})


class Ordered(NamedTuple):
    """A broadcast, and whether an earlier call with the same idempotency key made it."""

    broadcast: Broadcast
    replayed: bool


class BroadcastService:
    def __init__(  # noqa: PLR0913 (each is a service of its own)
        self,
        firestore: Firestore,
        *,
        push: PushService,
        devices: DeviceService,
        idempotency: IdempotencyService,
        audit: AuditService,
        clock: Clock,
    ) -> None:
        self._firestore = firestore
        self._broadcasts = BroadcastRepository(firestore)
        self._push = push
        self._devices = devices
        self._idempotency = idempotency
        self._audit = audit
        self._clock = clock

    def create(self, ctx: Context, wanted: NewBroadcast) -> Ordered:
        """Order a broadcast. It is sent by tasks, which the trigger on it starts.

        Raises:
            UnknownTopic, TopicOfAnotherKind, InvalidCondition, PayloadTooLarge, IdempotencyKeyReused.
        """
        self._check(wanted)
        broadcast_id = document_id()
        users = _once_each(wanted)
        # To topics it is one message, and so one chunk.
        chunks = [users[start : start + CHUNK] for start in range(0, max(1, len(users)), CHUNK)]

        def work(transaction: Transaction) -> Ordered:
            before = self._idempotency.recall(transaction, ctx.idempotent)
            if before is not None:
                return Ordered(Broadcast.model_validate_json(before), replayed=True)
            if transaction.uncertain:
                landed = self._broadcasts.get_in(transaction, broadcast_id)
                if landed is not None:
                    return Ordered(Broadcast.stored(landed.data, id=broadcast_id), replayed=False)
            now = self._clock()
            data = _data(wanted, len(users), len(chunks), ctx.user.uid, now)
            broadcast = Broadcast.stored(data, id=broadcast_id)
            fresh = {"done": False, "holder": None, "leasedUntil": now, "expiresAt": data["scheduledAt"] + _KEPT}
            waiting = [{"userIds": chunk, **fresh} for chunk in chunks]
            self._broadcasts.create_in(transaction, broadcast_id, data, waiting)
            self._audit.record(
                transaction,
                ctx,
                "push.create",
                f"broadcasts/{broadcast_id}",
                {"audience": [None, data["audience"]], "kind": [None, data["kind"]], "state": [None, data["state"]]},
            )
            self._idempotency.record(transaction, ctx.idempotent, 202, broadcast.model_dump_json(by_alias=True))
            return Ordered(broadcast, replayed=False)

        return self._firestore.transaction(work, ctx.deadline)

    def statistics(self, broadcast_id: str, deadline: Deadline) -> Statistics:
        """A broadcast and what became of its deliveries, counted from their ledgers: a read for each 1,000.

        Raises:
            BroadcastNotFound.
        """
        found = self._broadcasts.get(broadcast_id, deadline)
        if found is None:
            raise BroadcastNotFound(broadcast_id)
        broadcast = Broadcast.stored(found.data, id=broadcast_id)
        if broadcast.audience.users is None:
            state, code = _of_topic(found.data)
            return Statistics(broadcast=broadcast, deliveries={state: 1}, codes={code: 1} if code else {})
        return Statistics(
            broadcast=broadcast,
            deliveries=self._push.counts(broadcast_id, "state", _DELIVERY_STATES, deadline),
            codes=self._push.counts(broadcast_id, "code", _CODES, deadline),
        )

    def cancel(self, ctx: Context, broadcast_id: str) -> Broadcast:
        """Stop a broadcast: nothing more is sent, what waits for the end of quiet hours neither. Safe to repeat.

        One that is sent can be cancelled while some of it waits.

        Raises:
            BroadcastNotFound, BroadcastEnded.
        """

        def work(transaction: Transaction) -> Broadcast:
            found = self._broadcasts.get_in(transaction, broadcast_id)
            if found is None:
                raise BroadcastNotFound(broadcast_id)
            state = BroadcastState(found.data["state"])
            if state is BroadcastState.CANCELLED:
                return Broadcast.stored(found.data, id=broadcast_id)
            if state not in _CANCELLABLE and not self._waits(broadcast_id, state, ctx.deadline):
                raise BroadcastEnded(state)
            update = {"state": BroadcastState.CANCELLED.value, "updatedAt": self._clock()}
            self._broadcasts.update_in(transaction, broadcast_id, update)
            diff = {"state": [state.value, BroadcastState.CANCELLED.value]}
            self._audit.record(transaction, ctx, "push.cancel", f"broadcasts/{broadcast_id}", diff)
            return Broadcast.stored({**found.data, **update}, id=broadcast_id)

        return self._firestore.transaction(work, ctx.deadline)

    def preview(self, ctx: Context, wanted: NewBroadcast) -> Preview:
        """Whom it would reach now. Nothing is sent, nothing kept.

        Raises:
            UnknownTopic, TopicOfAnotherKind, InvalidCondition, PayloadTooLarge.
        """
        condition = self._check(wanted)
        if condition is not None:
            return self._preview_topics(condition, wanted.kind, ctx.deadline)
        platforms, locales, withheld = Counter[str](), Counter[str](), Counter[str]()
        recipients = deferred = 0
        for who in self._recipients(_once_each(wanted), wanted.kind, ctx.deadline):
            recipients += 1
            match who.verdict:
                case PushLater():
                    deferred += len(who.targets)
                case DoNotPush(reason):
                    withheld[reason] += len(who.targets)
                case _:
                    platforms.update(target.platform for target in who.targets)
                    locales.update(target.locale for target in who.targets)
        return Preview(
            recipients=recipients,
            devices=platforms.total(),
            by_platform=dict(platforms),
            by_locale=dict(locales),
            deferred=deferred,
            withheld={reason: count for reason, count in withheld.items() if count},
            complete=True,
        )

    def dry_run(self, ctx: Context, wanted: NewBroadcast) -> DryRun:
        """Have FCM check the messages of the first 100 people, 100 devices at most. Nothing is sent.

        Raises:
            UnknownTopic, TopicOfAnotherKind, InvalidCondition, PayloadTooLarge.
        """
        self._check(wanted)
        to = wanted.audience
        message = _message("dry-run", wanted)
        if to.users is None:
            outcomes = [self._push.send_to_topics(message, to.topic, to.condition, ctx.deadline, dry_run=True)]
        else:
            outcomes = self._push.dry_run(_once_each(wanted)[:CHUNK], message, ctx.deadline)
        refused = Counter(outcome.code or "UNAVAILABLE" for outcome in outcomes if outcome.state != "sent")
        return DryRun(accepted=len(outcomes) - refused.total(), refused=dict(refused))

    def _check(self, wanted: NewBroadcast) -> Condition | None:
        """Find what is wrong; the condition that a topic or a condition is."""
        if wanted.scheduled_at is not None and wanted.scheduled_at > self._clock() + _SCHEDULED_MOST:
            raise ValidationFailed([FieldError("scheduledAt", "TOO_FAR_AHEAD", "Schedule it within a year.")])
        condition = _condition(wanted)
        message = _message(document_id(), wanted)
        for language in message.texts:
            try:
                self._push.check_size(message, language, to_topics=condition is not None)
            except TooLarge as error:
                raise PayloadTooLarge(language, error.size, error.most) from error
        return condition

    def _waits(self, broadcast_id: str, state: BroadcastState, deadline: Deadline) -> bool:
        """Whether it is sent, but for those who sleep, or who slept and whose messages FCM did not take yet."""
        return state is BroadcastState.SENT and bool(self._push.counts(broadcast_id, "state", _WAITING, deadline))

    def _recipients(self, users: Sequence[str], kind: Kind, deadline: Deadline) -> Iterator[Addressee]:
        """Those of these people whom it reaches, a hundred at a time, some hundreds side by side."""
        calls = [
            partial(self._push.recipients, users[start : start + CHUNK], kind, deadline)
            for start in range(0, len(users), CHUNK)
        ]
        for start in range(0, len(calls), _PREVIEWED_AT_ONCE):
            for some in side_by_side(calls[start : start + _PREVIEWED_AT_ONCE]):
                yield from some

    def _preview_topics(self, condition: Condition, kind: Kind, deadline: Deadline) -> Preview:
        found = self._devices.subscribed(condition.topics, _PREVIEWED_MOST, deadline)
        meant = [device for device in found if condition.holds(device["topics"])]
        # While its owner does not want them a device keeps its topics, and FCM has no subscription.
        unwanted = self._push.unwanted(list({device["userId"] for device in meant}), kind, deadline)
        reached = [device for device in meant if device["userId"] not in unwanted]
        withheld = Counter(unwanted[device["userId"]] for device in meant if device["userId"] in unwanted)
        return Preview(
            recipients=None,
            devices=len(reached),
            by_platform=dict(Counter(device["platform"] for device in reached)),
            by_locale=dict(Counter(device["locale"] for device in reached)),
            deferred=0,
            withheld=dict(withheld),
            complete=len(found) < _PREVIEWED_MOST,
        )


def _condition(wanted: NewBroadcast) -> Condition | None:
    """The condition that the audience is, None for people.

    Raises:
        UnknownTopic, TopicOfAnotherKind, InvalidCondition.
    """
    to = wanted.audience
    if to.users is not None:
        return None
    if to.topic is not None:
        condition = Condition((to.topic,), lambda topics: to.topic in topics)
    else:
        try:
            condition = parse(to.condition or "")
        except ValueError as error:
            raise InvalidCondition(str(error)) from error
        if condition.holds(()):
            raise InvalidCondition("it holds for devices that subscribed to none of its topics")
    for topic in condition.topics:
        rule = topic_rule(topic)
        if rule is None:
            raise UnknownTopic(topic)
        if rule.kind is not wanted.kind:
            raise TopicOfAnotherKind(topic, rule.kind, wanted.kind)
    return condition


def _of_topic(broadcast: Mapping[str, Any]) -> tuple[str, str | None]:
    """State and code of the one message of a broadcast to a topic or a condition."""
    if (outcome := broadcast["outcome"]) is not None:
        return outcome["state"], outcome["code"]
    if broadcast["state"] in {BroadcastState.SCHEDULED, BroadcastState.SENDING}:
        return "queued", None
    ended = unsent(broadcast)
    return ended.state, ended.code


def _once_each(wanted: NewBroadcast) -> list[str]:
    return list(dict.fromkeys(wanted.audience.users or ()))


def _message(message_id: str, wanted: NewBroadcast) -> Message:
    texts = {language: Text(text.title, text.body) for language, text in wanted.texts.items()}
    return Message(message_id, Kind(wanted.kind), texts, wanted.data, wanted.image, wanted.link)


def _data(wanted: NewBroadcast, users: int, chunks: int, creator: str, now: datetime) -> dict[str, Any]:
    begins = max(wanted.scheduled_at or now, now)
    state = BroadcastState.SCHEDULED if begins > now else BroadcastState.SENDING
    to = wanted.audience
    return {
        "state": state.value,
        "audience": {"users": users or None, "topic": to.topic, "condition": to.condition},
        "kind": wanted.kind.value,
        "texts": {language: {"title": text.title, "body": text.body} for language, text in wanted.texts.items()},
        "data": dict(wanted.data),
        "image": wanted.image,
        "link": wanted.link,
        "scheduledAt": begins,
        "createdAt": now,
        "createdBy": creator,
        "updatedAt": now,
        "chunks": chunks,
        "chunksDone": 0,
        "failure": None,
        "outcome": None,
    }
