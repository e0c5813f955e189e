"""What becomes of an event that a trigger fails to handle.

Eventarc delivers it again, at pauses of ten minutes at most, for 24 hours, and then drops it. So what has failed for 20
hours is kept as a dead letter: a bug or an outage is mended by then or takes longer, and four hours are left for
writing it down where that fails, too.
"""

import logging
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from firebase_functions.core import Change

from wattle.dead_letters.service import Letter
from wattle.failures import WorkFailed, reported
from wattle.kit.retry import Deadline
from wattle.services import Services

if TYPE_CHECKING:
    from firebase_functions.firestore_fn import Event

logger = logging.getLogger(__name__)

GIVEN_UP_AFTER: Final = timedelta(hours=20)
_DEADLINE: Final = 10.0
_KEPT: Final = "an event is given up and kept as a dead letter"
_NOT_KEPT: Final = "an event of somebody who was erased is given up, and nothing of it is kept"

Work = Callable[[Services, Any], None]


class Redelivery:
    """Knows the functions of this process by their names, and what to do with what they fail to handle."""

    def __init__(self) -> None:
        self._works: dict[str, Work] = {}

    def add(self, name: str, work: Work) -> None:
        """The function that handles events under this name."""
        self._works[name] = work

    def handle(self, services: Services, name: str, event: "Event[Change[Any]]") -> None:
        """Handle an event, or give it up where it is too old.

        Raises:
            WorkFailed: it is to be delivered again.
        """
        fields = {"function": name, "event": event.id}
        try:
            with reported(**fields):
                self._works[name](services, event)
        except WorkFailed as failure:
            if services.clock() - event.time < GIVEN_UP_AFTER:
                logger.warning("an event failed", extra={"fields": {**fields, "reason": str(failure), "alarm": ""}})
                raise
            with reported(**fields):
                kept = services.dead_letters.keep(_letter(name, event), str(failure), Deadline.after(_DEADLINE))
            said = {**fields, "reason": str(failure), "alarm": "event.GIVEN_UP"}
            logger.error(_KEPT if kept else _NOT_KEPT, extra={"fields": said})  # noqa: TRY400 (`reported` logged its traceback)

    def redeliver(self, services: Services, event: "Event[Change[Any]]") -> None:
        """Hand a dead letter to its function, where somebody has just said so."""
        path, deadline = event.document, Deadline.after(_DEADLINE)
        letter = services.dead_letters.wanted(path, deadline)
        if letter is None:
            return
        try:
            with reported(function=letter.function, event=letter.event_id):
                self._works[letter.function](services, _Redelivered.of(letter))
        except WorkFailed as failure:
            services.dead_letters.fail(path, str(failure), Deadline.after(_DEADLINE))
        else:
            services.dead_letters.settle(path, Deadline.after(_DEADLINE))


def _letter(name: str, event: "Event[Change[Any]]") -> Letter:
    before, after = (None if part is None else part.to_dict() for part in (event.data.before, event.data.after))
    return Letter(name, event.id, event.document, event.params, event.time, before, after)


class _Snapshot(NamedTuple):
    data: Mapping[str, Any]

    def to_dict(self) -> dict[str, Any]:
        return dict(self.data)


class _Redelivered(NamedTuple):
    """A letter as a trigger takes an event."""

    id: str
    params: Mapping[str, str]
    data: Change[Any]

    @classmethod
    def of(cls, letter: Letter) -> "_Redelivered":
        before, after = (None if part is None else _Snapshot(part) for part in (letter.before, letter.after))
        return cls(letter.event_id, letter.params, Change(before=before, after=after))
