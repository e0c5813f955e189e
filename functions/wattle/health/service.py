"""Readiness asks the database for a document that does not exist: one billed read, one round trip."""

import resource
import sys
import time
from typing import Final

from wattle.adapters.firestore import Firestore, FirestoreError
from wattle.context import Context
from wattle.errors import Unavailable
from wattle.health.schemas import Readiness
from wattle.kit.retry import Deadline

_STARTED: Final = time.monotonic()
# A probe that waits longer than this has its answer: no.
_PATIENCE: Final = 2.0


class HealthService:
    def __init__(self, firestore: Firestore, version: str) -> None:
        self._firestore = firestore
        self._version = version

    def readiness(self, ctx: Context) -> Readiness:
        """What a load balancer wants to know.

        Raises:
            Unavailable: the database does not answer within two seconds.
        """
        try:
            self._firestore.get("health/probe", Deadline.after(min(_PATIENCE, ctx.deadline.remaining())))
        except FirestoreError as error:
            raise Unavailable("The database") from error
        return Readiness(
            status="ready",
            database="ok",
            uptime_seconds=round(time.monotonic() - _STARTED, 1),
            memory_mb=round(_resident_bytes() / 2**20, 1),
            version=self._version,
        )


def _resident_bytes() -> int:
    """Resident memory now, on Linux; elsewhere its peak."""
    if sys.platform == "linux":
        with open("/proc/self/statm", encoding="ascii") as statm:  # noqa: PTH123 (a read of two numbers, not a path)
            return int(statm.read().split()[1]) * resource.getpagesize()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
