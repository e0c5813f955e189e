"""What a caller is told of an exception, whatever it entered by; the log is told the cause."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from wattle.adapters.firestore import FirestoreContention, FirestoreUnavailable
from wattle.errors import Code, Contention, Internal, Unavailable, WattleError
from wattle.kit.logging import log_fields, redacted

logger = logging.getLogger(__name__)


def told(error: Exception) -> WattleError:
    """The error of the registry for any exception."""
    if isinstance(error, WattleError):
        # Maintenance is a setting, and refuses everybody.
        if error.code.status >= 500 and error.code is not Code.MAINTENANCE:
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


class WorkFailed(Exception):
    """Work that nobody waits for failed, and the log has been told why. Its message names nobody."""


@contextmanager
def reported(**fields: str) -> Iterator[None]:
    """Log what goes wrong inside the block, and leave no more of it than that something did.

    For events, schedules and tasks. What they raise is logged by functions-framework and by firebase_functions, its
    text as it is: paths of people's documents, values that an exception quotes. `fields` go into each line of the
    block.

    Raises:
        WorkFailed.
    """
    present = log_fields.set(fields)
    try:
        yield
    except Exception as error:
        code = told(error).code
        if code.status < 500:
            # Nobody asked, so nobody is told what he did wrong.
            logger.exception("unexpected")
        raise WorkFailed(f"{code.name}: {type(error).__qualname__}: {redacted(str(error))}") from None
    finally:
        log_fields.reset(present)
