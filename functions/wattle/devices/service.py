"""Where a user's messages go.

An installation of the app has one live target, whoever registers it how often: `installations/{key}` says whose device
it is, and changes in the same transaction as the devices. A device that somebody else registers leaves its old owner.
"""

import hashlib
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, Final, Literal, NamedTuple, Self

from wattle.adapters.firestore import Data, Document, Firestore, Transaction
from wattle.context import Context, Role
from wattle.devices.errors import ConsentRequired, NoDevice, TooManyTopics, TopicNeedsRole, TopicNotFound
from wattle.devices.repository import DeviceRepository
from wattle.devices.schemas import Device, RegisterDevice, Topic
from wattle.devices.topics import TOPICS_MOST, TopicRule, topic_rule
from wattle.kit.clock import Clock
from wattle.kit.retry import Deadline
from wattle.users.service import UserService

DEVICES_MOST: Final = 20
"""A user's devices; registering one more drops the one that was not seen for the longest time."""
SEEN_FOR: Final = timedelta(days=1)
"""How exact `lastSeenAt` is."""
# FCM itself gives up a token of an Android app that was not opened for 270 days (FCM, "Manage registration tokens").
STALE_AFTER: Final = timedelta(days=270)
_PRUNED_AT_ONCE: Final = 100


class PushTarget(NamedTuple):
    """A device that a message can be sent to."""

    uid: str
    device_id: str
    value: str
    legacy: bool
    platform: Literal["android", "ios", "web"]
    locale: str

    @classmethod
    def stored(cls, device_id: str, data: Data) -> Self:
        target = data["target"]
        fid = target.get("fid")
        return cls(
            uid=data["userId"],
            device_id=device_id,
            value=fid or target["token"],
            legacy=fid is None,
            platform=data["platform"],
            locale=data["locale"],
        )


class DeviceService:
    def __init__(self, firestore: Firestore, users: UserService, clock: Clock) -> None:
        self._firestore = firestore
        self._devices = DeviceRepository(firestore)
        self._users = users
        self._clock = clock

    def register(self, ctx: Context, device_id: str, device: RegisterDevice) -> Device:
        """Make or renew one of the caller's devices. A new one joins the topics of his others.

        One that was seen within a day and has nothing new is left as it is: apps register at each start, and an index
        over a time that everybody writes would be a queue.

        Raises:
            PreconditionFailed.
        """
        uid = ctx.user.uid
        key = installation_key(device.fid or device.token or "")
        # What each attempt would have made of the device: one whose commit is uncertain may have done so.
        attempts: list[Data] = []

        def work(transaction: Transaction) -> Device:
            found, installation = self._devices.with_installation_in(transaction, uid, device_id, key)
            if transaction.uncertain and found is not None and found.data in attempts:
                return _device(device_id, found.data)
            ctx.expected.demand(_device(device_id, found.data).digest() if found else None)
            # Reads come before writes, so the others are read before the device leaves its former owner.
            others = self._devices.of_user_in(transaction, uid) if found is None else []
            now = self._clock()
            sent: dict[str, Any] = {
                "target": {"fid": device.fid} if device.fid else {"token": device.token},
                "installation": key,
                "platform": device.platform,
                "appVersion": device.app_version,
                "locale": device.locale,
                "lastSeenAt": now,
            }
            owner = (installation.data["userId"], installation.data["deviceId"]) if installation else None
            if found is not None and owner == (uid, device_id) and _is_seen(found.data, sent):
                return _device(device_id, found.data)
            if owner != (uid, device_id):
                if owner is not None:
                    self._devices.delete_in(transaction, *owner)
                self._devices.put_installation_in(transaction, key, uid, device_id)
            if found is not None:
                if found.data["installation"] != key:
                    self._devices.delete_installation_in(transaction, found.data["installation"])
                self._devices.update_in(transaction, uid, device_id, sent)
                attempts.append({**found.data, **sent})
                return _device(device_id, attempts[-1])
            topics = sorted({topic for other in others for topic in other.data["topics"]})
            fresh = {**sent, "userId": uid, "topics": topics, "createdAt": now}
            self._devices.create_in(transaction, uid, device_id, fresh)
            staying = [other for other in others if (uid, other.id) != owner]
            self._drop_in(transaction, _oldest(staying, len(staying) - (DEVICES_MOST - 1)))
            attempts.append(fresh)
            return _device(device_id, fresh)

        return self._firestore.transaction(work, ctx.deadline)

    def all(self, ctx: Context) -> list[Device]:
        """The caller's devices, the last seen first."""
        found = self._devices.of_user(ctx.user.uid, ctx.deadline)
        found.sort(key=lambda document: document.data["lastSeenAt"], reverse=True)
        return [_device(document.id, document.data) for document in found]

    def remove(self, uid: str, device_id: str, deadline: Deadline) -> None:
        """Remove one of a user's devices; it is no error if there is none."""

        def work(transaction: Transaction) -> None:
            (found,) = self._devices.get_in(transaction, [(uid, device_id)])
            if found is not None:
                self._drop_in(transaction, [found])

        self._firestore.transaction(work, deadline)

    def remove_all(self, uid: str, deadline: Deadline) -> None:
        """Remove all devices of a user."""
        self._firestore.transaction(lambda transaction: self.remove_all_in(transaction, uid), deadline)

    def remove_all_in(self, transaction: Transaction, uid: str) -> None:
        """Remove all devices of a user with whatever else the transaction writes."""
        self._drop_in(transaction, self._devices.of_user_in(transaction, uid))

    def topics(self, ctx: Context) -> list[Topic]:
        """The topics that the caller's devices are subscribed to, by name."""
        found = self._devices.of_user(ctx.user.uid, ctx.deadline)
        return [_topic(name) for name in sorted({name for document in found for name in document.data["topics"]})]

    def subscribe(self, ctx: Context, name: str, current_role: Callable[[], Role | None]) -> Topic:
        """Subscribe all of the caller's devices. FCM is told of it by the trigger on devices.

        `current_role` is asked where the topic needs a role: the token may name one that was taken away since.

        Raises:
            TopicNotFound, TopicNeedsRole, ConsentRequired, NoDevice, TooManyTopics, and what `current_role` raises.
        """
        rule = _rule(name)
        if rule.role is not None and ctx.user.role is not rule.role:
            raise TopicNeedsRole(name, rule.role)
        uid = ctx.user.uid
        (person,) = self._users.recipients([uid], ctx.deadline)
        # Muted is for a while and does not mean that nothing is wanted: the subscription begins when it ends.
        if not person.preferences.wants(rule.kind):
            raise ConsentRequired(name, rule.kind)

        def work(transaction: Transaction) -> None:
            devices = self._devices.of_user_in(transaction, uid)
            if not devices:
                raise NoDevice
            # While the devices are held: whoever takes the role away empties them after this, or before it is asked.
            if rule.role is not None and current_role() is not rule.role:
                raise TopicNeedsRole(name, rule.role)
            for device in devices:
                topics = set(device.data["topics"])
                if name in topics:
                    continue
                if len(topics) >= TOPICS_MOST:
                    raise TooManyTopics(TOPICS_MOST)
                self._devices.update_in(transaction, uid, device.id, {"topics": sorted(topics | {name})})

        self._firestore.transaction(work, ctx.deadline)
        return _topic(name)

    def unsubscribe(self, ctx: Context, name: str) -> None:
        """Take the topic from all of the caller's devices; it is no error if none has it."""
        _rule(name)
        uid = ctx.user.uid

        def work(transaction: Transaction) -> None:
            for device in self._devices.of_user_in(transaction, uid):
                if name in device.data["topics"]:
                    topics = [topic for topic in device.data["topics"] if topic != name]
                    self._devices.update_in(transaction, uid, device.id, {"topics": topics})

        self._firestore.transaction(work, ctx.deadline)

    def leave_topics_of(self, uid: str, role: Role, deadline: Deadline) -> None:
        """Unsubscribe somebody who lost a role, or whom it is of no use any more, from the topics that need it."""

        def work(transaction: Transaction) -> None:
            for device in self._devices.of_user_in(transaction, uid):
                topics = [topic for topic in device.data["topics"] if _rule(topic).role is not role]
                if topics != device.data["topics"]:
                    self._devices.update_in(transaction, uid, device.id, {"topics": topics})

        self._firestore.transaction(work, deadline)

    def targets(self, uids: Sequence[str], deadline: Deadline) -> list[PushTarget]:
        """All devices of these people."""
        found = self._devices.of_user(uids[0], deadline) if len(uids) == 1 else self._devices.of_users(uids, deadline)
        return [PushTarget.stored(document.id, document.data) for document in found]

    def subscribed(self, topics: Sequence[str], limit: int, deadline: Deadline) -> list[Data]:
        """Owner, platform, locale and topics of devices with any of these topics, each once, `limit` at most."""
        found: dict[str, Data] = {}
        for topic in topics:
            found.update((d.path, d.data) for d in self._devices.subscribed(topic, limit, deadline))
        return list(found.values())[:limit]

    def documents(self, uid: str, deadline: Deadline) -> list[Data]:
        """A user's devices as they are stored: for the trigger that keeps FCM's topics in step."""
        return [document.data for document in self._devices.of_user(uid, deadline)]

    def of_installation(self, key: str, deadline: Deadline) -> Data | None:
        """The device that an installation is at the moment, as it is stored."""
        installation = self._devices.installation(key, deadline)
        if installation is None:
            return None
        found = self._devices.get(installation.data["userId"], installation.data["deviceId"], deadline)
        return found.data if found and found.data["installation"] == key else None

    def forget(self, gone: Sequence[PushTarget], deadline: Deadline) -> None:
        """Remove devices that FCM says are gone, but not one that has registered anew in the meantime."""
        if not gone:
            return

        def work(transaction: Transaction) -> None:
            found = self._devices.get_in(transaction, [(target.uid, target.device_id) for target in gone])
            still = [
                document
                for document, target in zip(found, gone, strict=True)
                if document is not None and PushTarget.stored(document.id, document.data).value == target.value
            ]
            self._drop_in(transaction, still)

        self._firestore.transaction(work, deadline)

    def release(self, uid: str, device_id: str, key: str, deadline: Deadline) -> None:
        """Give up the installation of a device that is gone, by whichever way it went."""

        def work(transaction: Transaction) -> None:
            device, installation = self._devices.with_installation_in(transaction, uid, device_id, key)
            if device is None and installation and installation.data == {"userId": uid, "deviceId": device_id}:
                self._devices.delete_installation_in(transaction, key)

        self._firestore.transaction(work, deadline)

    def prune(self, deadline: Deadline) -> int:
        """Remove devices that were not seen for 270 days, as many as the deadline allows; how many they were."""

        def work(transaction: Transaction) -> int:
            stale = self._devices.unseen_since_in(transaction, self._clock() - STALE_AFTER, _PRUNED_AT_ONCE)
            self._drop_in(transaction, stale)
            return len(stale)

        pruned = 0
        while deadline.remaining() > 1:
            removed = self._firestore.transaction(work, deadline)
            pruned += removed
            if removed < _PRUNED_AT_ONCE:
                break
        return pruned

    def _drop_in(self, transaction: Transaction, devices: Sequence[Document]) -> None:
        for device in devices:
            self._devices.delete_in(transaction, device.data["userId"], device.id)
            self._devices.delete_installation_in(transaction, device.data["installation"])


def installation_key(target: str) -> str:
    """The key of the installation that a target leads to.

    A legacy token begins with its installation's FID and a colon, so both lead to one key. It is a hash, because a
    token is too long for a document's id, and whoever holds it can be sent to.
    """
    return hashlib.sha256(target.partition(":")[0].encode()).hexdigest()


def _is_seen(stored: Data, sent: Data) -> bool:
    """Whether it was seen within a day as it is now."""
    same = all(stored[name] == value for name, value in sent.items() if name != "lastSeenAt")
    return same and sent["lastSeenAt"] - stored["lastSeenAt"] < SEEN_FOR


def _oldest(devices: Sequence[Document], count: int) -> Sequence[Document]:
    return sorted(devices, key=lambda device: device.data["lastSeenAt"])[: max(0, count)]


def _device(device_id: str, data: Data) -> Device:
    target = data["target"]
    return Device.stored(data, id=device_id, fid=target.get("fid"), token=target.get("token"))


def _rule(name: str) -> TopicRule:
    rule = topic_rule(name)
    if rule is None:
        raise TopicNotFound(name)
    return rule


def _topic(name: str) -> Topic:
    return Topic(topic=name, kind=_rule(name).kind)
