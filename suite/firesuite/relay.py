"""Makes a service reachable at the `host` that firebase.json gives it: a phone on the same network, a container.

fireemu listens on the loopback interface only, so the suite listens in its place and passes the bytes on, to a port
that nobody else knows.
"""

import asyncio
import contextlib
import functools
import os
import socket
import threading

from firesuite.errors import SuiteError
from firesuite.ports import HOST

_CHUNK = 65_536


class Relay:
    """Serves from `start` to `stop`, in a thread of its own. Each of `addresses` is a host and a port."""

    def __init__(self) -> None:
        self._servers: list[tuple[socket.socket, int]] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def add(self, host: str, port: int, service: str, target: int) -> None:
        """Pass on what comes for `host:port` to `target` on the loopback interface. Raises SuiteError."""
        try:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            listener = socket.create_server((host, port), family=family)
        except OSError as error:
            raise SuiteError(f"{service} cannot listen on {host}:{port}: {os.strerror(error.errno or 0)}.") from None
        self._servers.append((listener, target))

    def start(self) -> None:
        """Does nothing where nothing was added."""
        if self._servers:
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(target=self._run, args=(self._loop,), name="relay", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Close the ports and all connections."""
        if self._loop is not None and self._thread is not None:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()
        for listener, _ in self._servers:
            listener.close()

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        servers = loop.run_until_complete(self._serve_all())
        loop.run_forever()
        for server in servers:
            server.close()
        loop.run_until_complete(_cancel_all())

    async def _serve_all(self) -> list[asyncio.Server]:
        return [
            await asyncio.start_server(functools.partial(_serve, target), sock=listener)
            for listener, target in self._servers
        ]


async def _cancel_all() -> None:
    # Again, for a connection that was being accepted.
    while tasks := asyncio.all_tasks() - {asyncio.current_task()}:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.sleep(0)  # a transport that was closed gives its socket back in the next round


# asyncio itself holds its tasks weakly: one whose two sides are being closed could be collected before its end.
_connections: set[asyncio.Task[None] | None] = set()


async def _serve(target: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    task = asyncio.current_task()
    _connections.add(task)
    sides = [writer]
    try:
        with contextlib.suppress(OSError):  # nobody listens there, or one of the two has gone
            to_reader, to_writer = await asyncio.open_connection(HOST, target)
            sides.append(to_writer)
            await asyncio.gather(_pump(reader, to_writer), _pump(to_reader, writer))
    finally:
        for side in sides:
            side.close()
        _connections.discard(task)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One direction, to the end of it; the other may go on."""
    with contextlib.suppress(OSError):
        while chunk := await reader.read(_CHUNK):
            writer.write(chunk)
            await writer.drain()
        writer.write_eof()
