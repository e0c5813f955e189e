"""Answers for a process of the functions that died: every request that it had in work gets a 503, as from Cloud Run.

A worker (`InFlight`) lends each connection that it works for to the suite (`Keeper`), over a socket, until it begins to
answer. When the worker's end of that socket closes while something is lent, the worker is dead, however it died.

The worker's half runs in the functions' own interpreter, and imports nothing but the standard library.
"""

import contextlib
import itertools
import os
import socket
import struct
import threading
from collections.abc import Callable

# The number of a request, and how many bytes of text follow, with the connection; or 0: it needs none any more.
_HEADER = struct.Struct("<QH")
_TEXT_BYTES = 200

# https://cloud.google.com/run/docs/troubleshooting#malformed-response-or-connection-error
_BODY = b"The request failed because either the HTTP response was malformed or connection to the instance had an error."
_ANSWER = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain\r\nConnection: close\r\n"
    b"Content-Length: %d\r\n\r\n%s" % (len(_BODY), _BODY)
)
# For the rest of a request that the dead process has not read: with that unread the client would see no answer.
_REST_SECONDS = 0.5


class InFlight:
    """A worker's half."""

    def __init__(self, control: int) -> None:
        """`control`: the file descriptor by which the keeper gets to know this worker."""
        self._numbers = itertools.count()
        self._lock = threading.Lock()
        self._socket, theirs = socket.socketpair()
        with theirs, socket.socket(fileno=os.dup(control)) as keeper:
            socket.send_fds(keeper, [b"+"], [theirs.fileno()])
        # What the functions fork is not this worker, and may outlive it.
        os.register_at_fork(after_in_child=self._socket.close)

    def hold(self, connection: socket.socket, what: str) -> Callable[[], None]:
        """Have the connection answered if this process dies; until the returned function is called, once or more."""
        number = next(self._numbers)
        text = what.encode()[:_TEXT_BYTES]
        with self._lock, contextlib.suppress(OSError):  # a suite that is gone answers nobody
            socket.send_fds(self._socket, [_HEADER.pack(number, len(text)) + text], [connection.fileno()])
        held = [number]

        def release() -> None:
            with self._lock, contextlib.suppress(IndexError, OSError):
                self._socket.sendall(_HEADER.pack(held.pop(), 0))

        return release


class Keeper:
    """The suite's half, for one host and all its workers, from its making on."""

    def __init__(self, log: Callable[[str], None]) -> None:
        """`log` is called, in another thread, with a line for each request that was answered."""
        self._log = log
        self._control, self.remote = socket.socketpair()
        """`remote` is for the host to inherit, and to be closed here then."""
        threading.Thread(target=self._accept, name="functions-keeper", daemon=True).start()

    def _accept(self) -> None:
        with self._control:
            while descriptors := socket.recv_fds(self._control, 1, 1)[1]:
                worker = socket.socket(fileno=descriptors[0])
                threading.Thread(target=self._keep, args=(worker,), name="functions-in-flight", daemon=True).start()

    def _keep(self, worker: socket.socket) -> None:
        held: dict[int, tuple[socket.socket, str]] = {}
        descriptors: list[int] = []
        with worker:
            while len(header := _receive(worker, _HEADER.size, descriptors)) == _HEADER.size:
                number, length = _HEADER.unpack(header)
                text = _receive(worker, length, descriptors).decode(errors="replace")
                if length and descriptors:
                    held[number] = socket.socket(fileno=descriptors.pop()), text
                elif number in held:
                    held.pop(number)[0].close()
        for connection, what in held.values():
            self._log(f"{what} 503 the process died before it answered")
            _refuse(connection)


def _receive(worker: socket.socket, length: int, descriptors: list[int]) -> bytes:
    """So many bytes, fewer at the end; and the descriptors that come with them."""
    received = b""
    while len(received) < length:
        data, found, _, _ = socket.recv_fds(worker, length - len(received), 1)
        descriptors += found
        if not data:
            break
        received += data
    return received


def _refuse(connection: socket.socket) -> None:
    with connection, contextlib.suppress(OSError):
        connection.settimeout(_REST_SECONDS)
        connection.sendall(_ANSWER)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65_536):
            pass
