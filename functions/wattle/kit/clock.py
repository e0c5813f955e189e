"""Time as a dependency, so that tests can say what time it is."""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Returns the present moment, aware and in UTC."""


def utc_now() -> datetime:
    """The system's time, in UTC, cut to microseconds as Firestore keeps it."""
    return datetime.now(UTC)


def rfc3339(moment: datetime) -> str:
    """RFC 3339 in UTC with a `Z`, to the microsecond only where there is a fraction."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
