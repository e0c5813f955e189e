"""A WSGI application served in a thread of this process: the bridge, the hub and the FCM sink."""

import logging
import socket
import threading
from typing import TYPE_CHECKING, Any

# The `type: ignore`s below: waitress has no annotations.
import waitress.server
from waitress import wasyncore

from firesuite.errors import SuiteError
from firesuite.ports import HOST

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

# Its warning that requests wait for a thread is about public servers; events of a burst may well wait here.
logging.getLogger("waitress.queue").setLevel(logging.ERROR)


class Server:
    """Owns its port from construction on, answers from `start` to `stop`."""

    def __init__(self, app: "WSGIApplication", *, service: str, port: int = 0, threads: int = 8) -> None:
        """`port` 0 takes any free one. Raises SuiteError when the port is taken."""
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
        except OSError:
            listener.close()
            raise SuiteError(f"Port {port} for {service} is taken by another program.") from None
        self.port: int = listener.getsockname()[1]
        self._listener = listener
        self._connections: dict[int, Any] = {}
        self._server = waitress.server.create_server(  # type: ignore[no-untyped-call]
            app,
            map=self._connections,
            sockets=[listener],
            threads=threads,
            ident=None,
            channel_timeout=3600,
            # Its 100 would be reached by a few clients that keep their connections, and each further one waits for an
            # hour then: the limit is the process's file descriptors.
            connection_limit=10_000,
            # A client that breaks off, or a server whose answer is passed on, is no mistake of the suite's.
            log_socket_errors=False,
            # They all listen on the loopback interface: X-Forwarded-Host comes from our own Hosting.
            clear_untrusted_proxy_headers=False,
        )
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"{service}-server", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def _run(self) -> None:
        # waitress' own loop ends only by an exception in its thread; this one ends when it is told.
        while not self._stopping.is_set():
            wasyncore.loop(timeout=30.0, use_poll=True, map=self._connections, count=1)  # type: ignore[no-untyped-call]

    def stop(self) -> None:
        """Close the port and the connections; a request in work is given up after half a second."""
        self._stopping.set()
        if self._thread.is_alive():
            self._server.pull_trigger()
            self._thread.join()
        self._server.task_dispatcher.shutdown(timeout=0.5)
        wasyncore.close_all(self._connections)  # type: ignore[no-untyped-call]
        self._listener.close()
