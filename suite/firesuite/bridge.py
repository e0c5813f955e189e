"""Takes events from the twins and posts them to the Python functions, as Eventarc, Cloud Scheduler and Cloud Tasks do.

The function's status is the twin's, and so decides about a retry. A function that cannot be reached because it is
being reloaded, or whose code does not load at the moment, has not seen the event: that one is held here until it can be
delivered.
"""

import http.client
import json
import threading
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from firesuite import blocking
from firesuite.errors import SuiteError
from firesuite.events import TriggerRequest, made, task_request, to_request
from firesuite.functions_settings import LOAD_ERROR_HEADER
from firesuite.manifest import Endpoint, Kind, Manifest
from firesuite.ports import HOST
from firesuite.proxy import Answer, request_headers

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

# Between two attempts to deliver to a host that is not there: its restart takes about 500 ms.
_HOLD_SECONDS = 0.1


class Bridge:
    """The WSGI application: `POST /events/{function}` with an event as JSON, `/blocking/{function}` with one of Auth,
    `/http/{function}` as it is."""

    def __init__(
        self,
        project_id: str,
        manifest: Manifest,
        functions_port: int,
        *,
        firebase_tools: bool = False,
        debugged: bool = False,
    ) -> None:
        """`firebase_tools`: the functions are served by Google's emulator, which wants protobuf as base64 text.
        `debugged`: a function that stands at a breakpoint is waited for, for as long as that takes."""
        self.manifest = manifest
        self.ports: Mapping[str, int] = {}
        """Where each function's process listens, by its name, if not on `functions_port`."""
        self._project_id = project_id
        self._port = functions_port
        self._firebase_tools = firebase_tools
        self._debugged = debugged
        self._stopping = threading.Event()

    def stop(self) -> None:
        """Give up what is held."""
        self._stopping.set()

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        _, kind, name = environ["PATH_INFO"].split("/", 2)
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        endpoint = self.manifest.endpoint(name)
        if kind == "blocking":
            request = blocking.to_request(self._project_id, json.loads(body))
            return blocking.to_node(self.deliver(endpoint, request)).send(start_response)
        if kind == "events":
            request = to_request(endpoint.kind, json.loads(body))
        else:
            request = task_request(endpoint.name, request_headers(environ), body)
        answer = self.deliver(endpoint, request)
        return answer.send(start_response)

    def send(self, name: str, data: Any, attributes: Mapping[str, str]) -> Answer:
        """Hand a function an event that nothing here sends, or its schedule's call ahead of time. Raises SuiteError."""
        endpoint = self.manifest.endpoint(name)
        if endpoint.kind not in {Kind.EVENT, Kind.SCHEDULE}:
            raise SuiteError(f"{name} is not started by events: it is of kind {endpoint.kind.word}.")
        return self.deliver(endpoint, to_request(endpoint.kind, made(endpoint, self._project_id, data, attributes)))

    def deliver(self, endpoint: Endpoint, request: TriggerRequest) -> Answer:
        """Post to the function until it has answered. 504 after its timeout."""
        # The functions' host keeps an event's time, from when it has a place there; Google's emulator does not.
        seconds = endpoint.timeout_seconds if self._firebase_tools and not self._debugged else None
        if self._firebase_tools:
            request = request.for_firebase_tools()
        path = f"/functions/projects/{self._project_id}/triggers/{endpoint.regions[0]}-{endpoint.name}-0"
        if self._firebase_tools and endpoint.kind is Kind.TASK_QUEUE:  # which has no trigger there
            path = f"/{self._project_id}/{endpoint.regions[0]}/{endpoint.name}"
        while not self._stopping.is_set():
            connection = http.client.HTTPConnection(HOST, self.ports.get(endpoint.name, self._port), timeout=seconds)
            try:
                connection.request("POST", path, request.body, dict(request.headers))
                response = connection.getresponse()
                body = response.read()
            except TimeoutError:
                text = f"{endpoint.name} did not answer within its {seconds} s."
                return Answer.text(504, text)
            except (OSError, http.client.HTTPException):
                self._stopping.wait(_HOLD_SECONDS)
                continue
            finally:
                connection.close()
            if response.getheader(LOAD_ERROR_HEADER):
                self._stopping.wait(_HOLD_SECONDS)
                continue
            content_type = response.getheader("Content-Type") or "text/plain"
            return Answer(response.status, (("Content-Type", content_type),), body)
        return Answer.text(503, "The suite is stopping.")
