"""Delta sync: where an app stands in the changes of its orders, so that it never misses one.

Each write of an order sets `changedAt` to the server's time of the commit, and the changes are read in that order. A
commit is stamped when Firestore takes it up and seen when it is done: two commits can be seen in the other order than
their stamps have. A position therefore never gets past the horizon, which lies OVERLAP before the moment of the read
(by the server's clock as well): what is younger is sent, and sent again next time. An app puts changes in by id and
keeps the higher version, so that seeing one twice does no harm.
"""

from datetime import datetime, timedelta
from typing import Final, NamedTuple

# A commit is given up after 5 s (adapters.firestore.rpc), and Firestore is told so with the call. Twice that.
OVERLAP: Final = timedelta(seconds=10)


class SyncPosition(NamedTuple):
    """After the row (`at`, `row`), or after all rows of `at` where `row` is None.

    `restart` is set once a catch-up of several pages has passed its horizon: the next catch-up starts there.
    """

    at: datetime
    row: str | None = None
    restart: datetime | None = None

    @classmethod
    def since(cls, moment: datetime) -> "SyncPosition":
        """For an app that knows a time only, which another clock than the database's may have given it."""
        return cls(moment - OVERLAP)

    def advanced(self, last: tuple[datetime, str] | None, *, more: bool, read_time: datetime) -> "SyncPosition":
        """The position after a page that ended in the row `last` (None for an empty one) and was read at `read_time`.

        `more` says that the page was full. Where it was not, the app is up to date, and comes back later.
        """
        at, row = last or (self.at, self.row)
        horizon = read_time - OVERLAP
        restart = horizon if self.restart is None and at > horizon else self.restart
        if more:
            return SyncPosition(at, row, restart)
        return SyncPosition(at, row) if restart is None else SyncPosition(restart)
