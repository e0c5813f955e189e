"""Standard output that somebody stops reading, as `| head -1` does."""

import os
import select
import signal
import sys
from collections.abc import Callable

_CLOSED = 128 + signal.SIGPIPE
"""The exit code by which a shell tells of it."""


def while_read(run: Callable[[], int]) -> int:
    """The exit code of `run`, which ends without a word when nobody reads what it prints."""
    try:
        code = run()
        sys.stdout.flush()
    except BrokenPipeError:
        if not _nobody_reads():
            raise  # another pipe, or a connection
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for the interpreter, which flushes at its end
        return _CLOSED
    return code


def _nobody_reads() -> bool:
    poll = select.poll()
    poll.register(sys.stdout.fileno(), 0)
    return any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0))
