"""What serves the FCM sink, the bridge and the hub."""

import contextlib
import http.client

from firesuite.server import Server


def hello(environ, start_response):
    start_response("200 OK", [("Content-Length", "5")])
    return [b"hello"]


def test_many_clients_keep_their_connections():
    """As functions, their workers and a test's own clients do: each further one has to be answered, too."""
    server = Server(hello, service="a test")
    server.start()
    try:
        with contextlib.ExitStack() as open_ones:
            for _ in range(150):
                client = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
                open_ones.callback(client.close)
                client.request("GET", "/")
                assert client.getresponse().read() == b"hello"
    finally:
        server.stop()
