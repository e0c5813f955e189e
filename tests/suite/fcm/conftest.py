"""A sink served by waitress in a thread, as the suite serves it; each test has a project of its own in it."""

import threading
import uuid
from dataclasses import dataclass, field

import firebase_admin
import pytest
import requests
from waitress.server import create_server

from firesuite.fcm import create_app
from firesuite.fcm.admin import connect

OWNER = {"Authorization": "Bearer owner"}


@dataclass
class ServedSink:
    host: str
    project_id: str = ""
    http: requests.Session = field(default_factory=requests.Session)
    owner = OWNER

    @property
    def root(self):
        return f"http://{self.host}"

    @property
    def base(self):
        return f"{self.root}/v1/projects/{self.project_id}"

    def post(self, body, headers=OWNER):
        kind = {"json": body} if isinstance(body, dict) else {"data": body}
        return self.http.post(f"{self.base}/messages:send", headers=headers, timeout=60, **kind)

    def send(self, **message):
        response = self.post({"message": message})
        assert response.status_code == 200, response.text
        return response.json()["name"]

    def get(self, path, **parameters):
        response = self.http.get(f"{self.base}/{path}", params=parameters, timeout=60)
        assert response.status_code == 200, response.text
        return response.json()

    def messages(self):
        return self.get("messages")["messages"]

    def put(self, path, body):
        return self.http.put(f"{self.base}/{path}", json=body, timeout=60)

    def script(self, target, **script):
        response = self.put(f"targets/{target}", script)
        assert response.status_code == 200, response.text

    def faults(self, *faults):
        response = self.put("faults", {"faults": list(faults)})
        assert response.status_code == 200, response.text

    def device(self, target, **parameters):
        return self.get(f"devices/{target}", **parameters)["notifications"]


def serve(app):
    """A running server and the function that stops it."""
    server = create_server(app, host="127.0.0.1", port=0, threads=16)
    thread = threading.Thread(target=server.run, name="fcm-sink")
    thread.start()

    def stop():
        def close():
            for channel in list(server.active_channels.values()):
                channel.handle_close()
            server.close()

        server.trigger.pull_trigger(close)
        thread.join(60)
        server.task_dispatcher.shutdown()
        assert not thread.is_alive()

    return f"127.0.0.1:{server.effective_port}", stop


@pytest.fixture
def serve_sink():
    """Serves a sink of the test's own; gives its host and port."""
    stops = []

    def start(project_id=None):
        host, stop = serve(create_app(project_id))
        stops.append(stop)
        return host

    yield start
    for stop in stops:
        stop()


@pytest.fixture
def lone_sink(serve_sink):
    """A sink with no other project in it."""
    served = ServedSink(serve_sink(), "demo-alone")
    with served.http:
        yield served


@pytest.fixture(scope="session")
def sink_host():
    host, stop = serve(create_app())
    yield host
    stop()


@pytest.fixture
def sink(sink_host):
    served = ServedSink(sink_host, f"demo-{uuid.uuid4().hex[:8]}")
    with served.http:
        yield served
        served.http.delete(served.base, timeout=60)


def make_app(sink):
    """A firebase_admin App whose messaging leads to the sink, and the function that takes it away."""
    app = firebase_admin.initialize_app(name=uuid.uuid4().hex, options={"projectId": sink.project_id})
    connect(app, sink.host)

    def close():
        app._services["_messaging"]._client.close()
        firebase_admin.delete_app(app)

    return app, close


@pytest.fixture
def app(sink):
    app, close = make_app(sink)
    yield app
    close()


@pytest.fixture
def impatient_app(app, sink):
    """Without the four retries, of seconds each, which firebase_admin makes by itself at 500, 503 and Retry-After."""
    app._services["_messaging"]._client.session.mount(sink.root, requests.adapters.HTTPAdapter())
    return app
