"""One invocation of a function in the functions host: its log line, its cost, its error, its end in time.

It runs in the functions' own interpreter, and imports nothing but the standard library.
"""

import contextlib
import heapq
import itertools
import linecache
import logging
import os
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

_BODY_SHOWN = 400
_HEADERS_SHOWN = ("HTTP_CE_TYPE", "HTTP_CE_SUBJECT", "HTTP_CE_ID", "HTTP_X_CLOUDTASKS_TASKNAME", "CONTENT_TYPE")

_running = threading.local()


class Invocation:
    """What is known of one invocation. The work of the thread that makes it is counted for it."""

    def __init__(
        self, name: str, what: str, environ: "WSGIEnvironment", source: str, identity: Mapping[str, str]
    ) -> None:
        """`identity`: the environment variables that are the function's own."""
        self.name = name
        self.identity = {key.encode(): value.encode() for key, value in identity.items()}
        self.what = what
        self.reads = 0
        self.writes = 0
        self.error: BaseException | None = None
        self.release: Callable[[], None] = lambda: None
        """Called when nobody else has to answer for this process any more."""
        self.waits = True
        """Whether it has no place yet: the function works on as many others as its concurrency allows."""
        self._body = ""
        self._environ = environ
        self._source = source
        self._started = time.perf_counter()
        self._status = ""
        self._lock = threading.Lock()
        self._ended = False

    def __enter__(self) -> Self:
        _running.invocation = self
        return self

    def __exit__(self, *_: object) -> None:
        _running.invocation = None

    def count(self, reads: int, writes: int) -> None:
        with self._lock:
            self.reads += reads
            self.writes += writes

    def note(self, error: BaseException, body: str) -> None:
        """The function raised this while it had that request body."""
        self.error = error
        self._body = body

    def begin_answer(self, status: str) -> bool:
        """The function answers; False when it is too late for that."""
        self.release()
        with self._lock:
            self._status = self._status or status
            return not self._ended

    def end(self) -> None:
        """Say what happened, once."""
        with self._lock:
            if self._ended:
                return
            self._ended = True
        self.release()
        milliseconds = (time.perf_counter() - self._started) * 1000
        said = [f"{self.name} {self.what} {self._status} {milliseconds:.0f} ms{self._cost()}"]
        if self.error is not None:
            said += self._explanation(self.error)
        _say("\n".join(said))

    def cut_off(self, seconds: int) -> None:
        """It has had its time: the caller gets what Cloud Run answers then; the code runs on, as it does there."""
        with self._lock:
            if self._ended:
                return
            self._ended = True
            answering = bool(self._status)
        self.release()
        connection = self.connection
        if connection is not None:
            body = b"upstream request timeout"
            head = "HTTP/1.1 504 Gateway Timeout\r\nContent-Type: text/plain\r\nConnection: close\r\n"
            with contextlib.suppress(OSError):  # the caller has gone
                if not answering:
                    connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
                connection.shutdown(socket.SHUT_RDWR)
        if self.waits:
            why = f"found no place within its {seconds} s: production would start another instance, here is one"
        else:
            why = f"did not answer within its {seconds} s (timeout_sec); its code runs on"
        _say(f"{self.name} {self.what} 504 {why}")

    @property
    def connection(self) -> socket.socket | None:
        """Its caller's."""
        connection: socket.socket | None = self._environ.get("gunicorn.socket")
        return connection

    @property
    def ended(self) -> bool:
        return self._ended

    def _cost(self) -> str:
        parts = [
            f"{number} {word}{'' if number == 1 else 's'}"
            for number, word in ((self.reads, "read"), (self.writes, "write"))
            if number
        ]
        return f", {' and '.join(parts)}" if parts else ""

    def _explanation(self, error: BaseException) -> list[str]:
        """The request that caused the error, and the traceback from the user's own code on."""
        environ = self._environ
        lines = [f"  request: {environ['REQUEST_METHOD']} {environ.get('RAW_URI', '/')}"]
        lines += [
            f"    {key.removeprefix('HTTP_').lower()}: {environ[key]}" for key in _HEADERS_SHOWN if environ.get(key)
        ]
        if self._body:
            lines.append(f"    body: {self._body}")
        return [*lines, *(f"  {line}" for line in described(error, self._source).splitlines())]


def described(error: BaseException, source: str) -> str:
    """The traceback from the first frame in `source` on, all of it where none is there: but for a mistake in the syntax
    of main.py itself, which ran in no frame."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [number for number, frame in enumerate(frames) if is_own(frame.filename, source)]
    if not own and isinstance(error, SyntaxError) and is_own(error.filename or "", source):
        own = [len(frames)]
    tb = error.__traceback__
    for _ in range(own[0] if own else 0):
        tb = tb.tb_next if tb is not None else None
    linecache.checkcache()
    return "".join(traceback.format_exception(type(error), error, tb)).rstrip()


def is_own(file: str, source: str) -> bool:
    """Whether it is a file of the user's: in `source`, and not of an environment in it. `<frozen ...>` is none."""
    path = Path(file)
    return path.is_absolute() and path.resolve().is_relative_to(source) and "site-packages" not in path.parts


def running() -> Invocation | None:
    """The invocation that this thread works for."""
    return getattr(_running, "invocation", None)


class _Environment(dict[bytes, bytes]):
    """What os.environ keeps, and for a thread that works for an invocation also what is that function's own."""

    def __missing__(self, key: bytes) -> bytes:
        invocation = running()
        if invocation is None:
            raise KeyError(key)
        return invocation.identity[key]


def watch_environment() -> None:
    """Have `os.environ["K_SERVICE"]` and the like name the function that the thread works for.

    They are found by name alone: a copy of the environment lacks them, and so do threads that the function starts.
    """
    environment: Any = os.environ
    environment._data = _Environment(environment._data)  # noqa: SLF001 - there is no public seam


def watch_errors(app: Any, request: Any) -> None:
    """Have `app`, a Flask application, leave its errors to the invocation's explanation. `request` is flask's."""

    def log_exception(exc_info: Any) -> None:
        invocation = running()
        if invocation is not None:
            invocation.note(exc_info[1], _shown_body(request))

    app.log_exception = log_exception


def watch_logging(request: Any) -> None:
    """The SDK turns an error in a callable into INTERNAL and logs only its text: keep the error that it had in hand."""

    class Watch(logging.Filter):
        def filter(self, record: logging.LogRecord) -> bool:
            error = sys.exc_info()[1]
            invocation = running()
            if error is not None and invocation is not None and str(record.msg).startswith("Unhandled error"):
                invocation.note(error, _shown_body(request))
                return False
            return True

    logging.getLogger().addFilter(Watch())


def _shown_body(request: Any) -> str:
    if not (request.mimetype.startswith("text/") or request.mimetype.endswith("json")):
        return ""
    body: str = request.get_data(as_text=True)
    return body if len(body) <= _BODY_SHOWN else f"{body[:_BODY_SHOWN]}... ({len(body)} characters)"


class Deadlines:
    """Cuts invocations off when their time is over: one thread for all of them, which sleeps until the next is due."""

    def __init__(self) -> None:
        self._due: list[tuple[float, int, Invocation, int]] = []
        self._numbers = itertools.count()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def add(self, invocation: Invocation, seconds: int) -> None:
        at = time.monotonic() + seconds
        with self._changed:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="deadlines", daemon=True)
                self._thread.start()
            heapq.heappush(self._due, (at, next(self._numbers), invocation, seconds))
            if self._due[0][2] is invocation:
                self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._due or self._due[0][0] > time.monotonic():
                    self._changed.wait(self._due[0][0] - time.monotonic() if self._due else None)
                _, _, invocation, seconds = heapq.heappop(self._due)
            invocation.cut_off(seconds)


def _say(text: str) -> None:
    os.write(1, f"{text}\n".encode())
