"""FCM's topic subscriptions follow what is stored with the devices.

Triggers say that something changed, more than once, late, or in the wrong order; so what they bring only names topics
to look at. What is to be is read from the database before FCM is told, and read again afterwards: a change that came
in between is applied in its turn. A process that ends half-way has its event delivered again.
"""

import logging
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from functools import partial
from typing import Final

from wattle.adapters.fcm import Fcm, FcmCode, Refused, Target
from wattle.adapters.firestore import Data
from wattle.devices.service import DeviceService, PushTarget
from wattle.devices.topics import topic_rule
from wattle.errors import Unavailable
from wattle.kit.logging import redacted
from wattle.kit.parallel import side_by_side
from wattle.kit.retry import Deadline
from wattle.users.service import UserService

logger = logging.getLogger(__name__)

# A person who changes his mind more often while FCM is being told has the event delivered again.
_ROUNDS: Final = 5
# A person's hundred topics, one call after the other, would take longer than a trigger has where FCM is slow.
_AT_ONCE: Final = 20
# Nothing is left to subscribe or unsubscribe there.
_GONE: Final = frozenset({FcmCode.UNREGISTERED, FcmCode.INVALID_ARGUMENT, FcmCode.SENDER_ID_MISMATCH})


class SubscriptionService:
    def __init__(self, fcm: Fcm, devices: DeviceService, users: UserService) -> None:
        self._fcm = fcm
        self._devices = devices
        self._users = users

    def device_changed(self, before: Data | None, after: Data | None, deadline: Deadline) -> None:
        """Follow a write to a device, given its fields before and after it.

        Raises:
            Unavailable: FCM did not do all of it; deliver the event again.
        """
        old = set(before["topics"]) if before else set()
        new = set(after["topics"]) if after else set()
        if before and after and before["target"] == after["target"]:
            self._settle(after, old ^ new, deadline)
            return
        if before and not (after and before["installation"] == after["installation"]):
            # Another installation, or none. (A FID of the same one has taken its token's record away.)
            self._settle(before, old, deadline)
        if after:
            self._settle(after, old | new, deadline)

    def preferences_changed(self, uid: str, deadline: Deadline) -> None:
        """Follow a change of what a person wants pushed.

        Raises:
            Unavailable: FCM did not do all of it; deliver the event again.
        """
        for device in self._devices.documents(uid, deadline):
            self._settle(device, set(device["topics"]), deadline)

    def _settle(self, device: Data, topics: AbstractSet[str], deadline: Deadline) -> None:
        """Have FCM agree with the database about these topics of a device's target."""
        if not topics:
            return
        target = PushTarget.stored("", device)
        wanted = self._wanted(device["installation"], target.value, deadline)
        for _ in range(_ROUNDS):
            refusals = [
                *self._tell(target, topics - wanted, subscribed=False),
                *self._tell(target, topics & wanted, subscribed=True),
            ]
            if refusals:
                raise Unavailable("FCM")
            before, wanted = wanted, self._wanted(device["installation"], target.value, deadline)
            if topics & before == topics & wanted:
                return
        raise Unavailable("FCM")

    def _wanted(self, installation: str, target: str, deadline: Deadline) -> AbstractSet[str]:
        """The topics that a target is to be subscribed to at the moment, by the preferences of whoever has it."""
        device = self._devices.of_installation(installation, deadline)
        if device is None or PushTarget.stored("", device).value != target:
            return frozenset()
        (person,) = self._users.recipients([device["userId"]], deadline)
        if person.deleted:
            return frozenset()
        rules = {topic: topic_rule(topic) for topic in device["topics"]}
        return {topic for topic, rule in rules.items() if rule and person.preferences.allows(rule.kind)}

    def _tell(self, target: PushTarget, topics: Iterable[str], *, subscribed: bool) -> list[Refused]:
        """Tell FCM, a call for each topic; what it refused and may yet do."""
        to = Target(target.value, legacy=target.legacy)
        names = sorted(topics)
        calls = [partial(self._fcm.set_subscribed, to, name, subscribed=subscribed) for name in names]
        answers = [
            answer
            for start in range(0, len(calls), _AT_ONCE)
            for answer in side_by_side(calls[start : start + _AT_ONCE])
        ]
        again = []
        for topic, answer in zip(names, answers, strict=True):
            if answer is None:
                continue
            fields = {
                "topic": topic,
                "subscribed": subscribed,
                "code": answer.code.value,
                "reason": redacted(answer.message),
            }
            logger.warning("FCM refused a topic subscription", extra={"fields": fields})
            if answer.code not in _GONE:
                again.append(answer)
        return again
