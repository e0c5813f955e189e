"""Where a user's messages go."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from wattle.adapters.firestore import Document, Firestore, Transaction
from wattle.context import Context
from wattle.devices.repository import DeviceRepository
from wattle.devices.schemas import Device, RegisterDevice
from wattle.kit.clock import Clock
from wattle.kit.retry import Deadline

# FCM itself gives up a token of an Android app that was not opened for 270 days (FCM, "Manage registration tokens").
STALE_AFTER: Final = timedelta(days=270)
_PRUNED_AT_ONCE: Final = 300


@dataclass(frozen=True, slots=True)
class PushTarget:
    """A device that a message can be sent to."""

    device_id: str
    value: str
    legacy: bool


class DeviceService:
    def __init__(self, firestore: Firestore, clock: Clock) -> None:
        self._firestore = firestore
        self._devices = DeviceRepository(firestore)
        self._clock = clock

    def register(self, ctx: Context, device_id: str, device: RegisterDevice) -> Device:
        """Make or renew one of the caller's devices."""
        uid = ctx.user.uid

        def work(transaction: Transaction) -> Device:
            found = self._devices.get_in(transaction, uid, device_id)
            now = self._clock()
            sent = {
                "target": {"fid": device.fid} if device.fid else {"token": device.token},
                "platform": device.platform,
                "appVersion": device.app_version,
                "locale": device.locale,
                "lastSeenAt": now,
            }
            if found is None:
                fresh: dict[str, Any] = {**sent, "topics": [], "createdAt": now}
                self._devices.create_in(transaction, uid, device_id, fresh)
                return _device(device_id, fresh)
            self._devices.update_in(transaction, uid, device_id, sent)
            return _device(device_id, {**found.data, **sent})

        return self._firestore.transaction(work, ctx.deadline)

    def targets(self, uid: str, deadline: Deadline) -> list[PushTarget]:
        """All devices of a user."""
        return [_target(document) for document in self._devices.of_user(uid, deadline)]

    def forget(self, uid: str, device_ids: Sequence[str], deadline: Deadline) -> None:
        """Remove devices that FCM says are gone."""
        self._devices.delete([f"users/{uid}/devices/{device_id}" for device_id in device_ids], deadline)

    def prune(self, deadline: Deadline) -> int:
        """Remove devices that were not seen for 270 days, as many as the deadline allows; how many they were."""
        pruned = 0
        while deadline.remaining() > 1:
            stale = self._devices.unseen_since(self._clock() - STALE_AFTER, _PRUNED_AT_ONCE, deadline)
            if not stale:
                break
            self._devices.delete([document.path for document in stale], deadline)
            pruned += len(stale)
        return pruned


def _device(device_id: str, data: dict[str, Any]) -> Device:
    target = data["target"]
    return Device.stored(data, id=device_id, fid=target.get("fid"), token=target.get("token"))


def _target(document: Document) -> PushTarget:
    target = document.data["target"]
    fid = target.get("fid")
    return PushTarget(document.id, fid or target["token"], legacy=fid is None)
