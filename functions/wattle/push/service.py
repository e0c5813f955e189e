"""One message to one person: into the inbox, then to each device, each step safe to repeat.

Events arrive at least once, and a process may end between any two lines. The inbox entry's id is derived from what
happened, so it is made once. The ledger below it says which devices are still to be sent to. A device that got the
message although nobody wrote it down gets it again under the same collapse id and tag: its owner sees one.
"""

import logging
from datetime import timedelta
from typing import Final

from wattle.adapters.fcm import Fcm, FcmCode, Push, Refused, Sent, Target
from wattle.devices.service import DeviceService, PushTarget
from wattle.errors import Unavailable
from wattle.inbox.service import InboxService, Message
from wattle.kit.retry import Deadline
from wattle.users.preferences import Kind
from wattle.users.service import UserService

logger = logging.getLogger(__name__)

# An order that changed a day ago is no news: the inbox has it.
_TIME_TO_LIVE: Final = timedelta(days=1)
# FCM's word that these may succeed later: the event is tried again as a whole.
_LATER: Final = frozenset({FcmCode.UNAVAILABLE, FcmCode.QUOTA_EXCEEDED, FcmCode.INTERNAL})


class PushService:
    def __init__(self, fcm: Fcm, devices: DeviceService, inbox: InboxService, users: UserService) -> None:
        self._fcm = fcm
        self._devices = devices
        self._inbox = inbox
        self._users = users

    def tell(self, uid: str, message: Message, deadline: Deadline) -> None:
        """Put the message into the user's inbox and send it to the devices that his preferences allow.

        Raises:
            Unavailable: FCM asks for some devices to be tried later; call again with the same message.
        """
        targets = self._devices.targets(uid, deadline) if self._wanted(uid, message, deadline) else []
        open_ids = self._inbox.deliver(uid, message, [target.device_id for target in targets], deadline)
        remaining = [target for target in targets if target.device_id in open_ids]
        results = self._fcm.send([_push(message, target) for target in remaining])
        outcomes = dict(zip((target.device_id for target in remaining), results, strict=True))
        self._settle(uid, message, outcomes, deadline)
        if any(isinstance(outcome, Refused) and outcome.code in _LATER for outcome in results):
            raise Unavailable("FCM")

    def _wanted(self, uid: str, message: Message, deadline: Deadline) -> bool:
        (recipient,) = self._users.recipients([uid], deadline)
        return recipient.preferences.allows(Kind(message.kind))

    def _settle(self, uid: str, message: Message, outcomes: dict[str, Sent | Refused], deadline: Deadline) -> None:
        gone = [id_ for id_, outcome in outcomes.items() if _is_gone(outcome)]
        states = {
            id_: _state(outcome)
            for id_, outcome in outcomes.items()
            if not (isinstance(outcome, Refused) and outcome.code in _LATER)
        }
        self._inbox.settle(uid, message.id, states, deadline)
        if gone:
            self._devices.forget(uid, gone, deadline)
        for id_, outcome in outcomes.items():
            if isinstance(outcome, Refused):
                fields = {
                    "notification": message.id,
                    "device": id_,
                    "code": outcome.code.value,
                    "reason": outcome.message,
                }
                logger.warning("FCM refused a message", extra={"fields": fields})


def _push(message: Message, target: PushTarget) -> Push:
    return Push(
        target=Target(target.value, legacy=target.legacy),
        title=message.title,
        body=message.body,
        data={**message.data, "notificationId": message.id, "kind": message.kind},
        collapse_id=message.id,
        time_to_live=_TIME_TO_LIVE,
    )


def _is_gone(outcome: Sent | Refused) -> bool:
    return isinstance(outcome, Refused) and outcome.code is FcmCode.UNREGISTERED


def _state(outcome: Sent | Refused) -> tuple[str, str | None, str | None]:
    if isinstance(outcome, Sent):
        return "sent", None, outcome.name
    return ("pruned" if _is_gone(outcome) else "failed"), outcome.code.value, None
