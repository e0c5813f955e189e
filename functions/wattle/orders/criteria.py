"""Which orders a list holds, and in which order."""

from datetime import datetime
from typing import NamedTuple

from wattle.orders.states import Status


class Criteria(NamedTuple):
    """Of a status, and made from `created_from` to just before `created_to`; None does not restrict. Newest first."""

    status: Status | None = None
    created_from: datetime | None = None
    created_to: datetime | None = None
    oldest_first: bool = False
