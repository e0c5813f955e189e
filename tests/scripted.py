"""An HTTP server that answers what a test tells it to: for Google services in moods that no emulator has."""

import json
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Answer:
    """What the server says; a `body` that is no bytes is sent as JSON. With `hang_up` it closes the connection."""

    status: int = 200
    body: object = b""
    headers: dict = field(default_factory=dict)
    hang_up: bool = False


class ScriptedServer:
    """Gives `answer` to every request after those in `first`, and keeps (path, body) of each in `requests`.

    `keys` are their Idempotency-Keys, None where there was none; `arrivals` are the monotonic clock's seconds.
    """

    def __init__(self) -> None:
        self.first: list[Answer] = []
        self.answer = Answer()
        self.requests: list[tuple[str, bytes]] = []
        self.keys: list[str | None] = []
        self.arrivals: list[float] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def handle_any(self):
                length = int(self.headers.get("Content-Length") or 0)
                server.requests.append((self.path, self.rfile.read(length)))
                server.arrivals.append(time.monotonic())
                server.keys.append(self.headers.get("Idempotency-Key"))
                answer = server.first.pop(0) if server.first else server.answer
                if answer.hang_up:
                    self.close_connection = True
                    return
                body = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
                self.send_response(answer.status)
                for name, value in {"Content-Length": str(len(body)), **answer.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = do_PUT = do_DELETE = handle_any  # noqa: N815 (http.server calls them so)

            def log_message(self, *_):
                """Tests need no access log."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()
        self.host = f"127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
