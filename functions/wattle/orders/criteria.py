"""Which orders a list holds, and in which order."""

from dataclasses import dataclass
from datetime import datetime

from wattle.orders.states import Status


@dataclass(frozen=True, slots=True)
class Criteria:
    """Of a status, and made from `created_from` to just before `created_to`; None does not restrict. Newest first."""

    status: Status | None = None
    created_from: datetime | None = None
    created_to: datetime | None = None
    oldest_first: bool = False
