"""What a caller is told of an exception, whatever it entered by; the log is told the cause."""

import logging

from wattle.adapters.firestore import FirestoreContention, FirestoreUnavailable
from wattle.errors import Contention, Internal, Unavailable, WattleError

logger = logging.getLogger(__name__)


def told(error: Exception) -> WattleError:
    """The error of the registry for any exception."""
    if isinstance(error, WattleError):
        if error.code.status >= 500:
            logger.warning("a dependency failed", exc_info=error)
        return error
    if isinstance(error, FirestoreContention):
        logger.warning("contention", exc_info=error)
        return Contention()
    if isinstance(error, FirestoreUnavailable):
        logger.warning("Firestore is unavailable", exc_info=error)
        return Unavailable("The database")
    logger.error("unexpected", exc_info=error)
    return Internal()
