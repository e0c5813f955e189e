"""The WSGI application: the whole routing table of the sink.

| request | answer |
|---|---|
| `POST /v1/projects/{p}/messages:send` | as FCM |
| `GET, DELETE /v1/projects/{p}/messages` | what was accepted, oldest first |
| `GET /v1/projects/{p}/targets`, `PUT, DELETE .../targets/{t}` | scripted targets |
| `GET, PUT, DELETE /v1/projects/{p}/faults` | what the next sends meet, whatever their target |
"""

import json
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from http import HTTPStatus
from threading import Lock
from typing import Any
from urllib.parse import parse_qs
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from firesuite.fcm import errors
from firesuite.fcm.errors import ApiError
from firesuite.fcm.message import MAX_REQUEST_BYTES, parse_send_request
from firesuite.fcm.project import Project
from firesuite.fcm.scripts import parse_faults, parse_target_script

MAX_PROJECTS = 200  # the least recently used is forgotten: tests may use a project each
MAX_CONTROL_BYTES = 10_000_000

_SEND_METHOD = "google.firebase.fcm.v1.FcmService.SendMessage"


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    path: str
    environ: WSGIEnvironment

    def body(self, limit_bytes: int) -> bytes:
        """At most one byte more than the limit, which tells that it is exceeded."""
        length = int(self.environ.get("CONTENT_LENGTH") or 0)
        body: bytes = self.environ["wsgi.input"].read(min(length, limit_bytes + 1))
        return body

    def json(self) -> Any:
        try:
            return json.loads(self.body(MAX_CONTROL_BYTES) or b"null")
        except ValueError as error:
            raise ApiError(400, "INVALID_ARGUMENT", f"The body must be JSON: {error}.") from error

    def query(self, name: str) -> str | None:
        values = parse_qs(self.environ.get("QUERY_STRING", "")).get(name)
        return values[0] if values else None

    def require_authorization(self, grpc_method: str) -> None:
        """Any credential will do, but Google refuses a request that has none."""
        if not self.environ.get("HTTP_AUTHORIZATION"):
            raise errors.unauthenticated(grpc_method)


class Sink:
    """The projects, made on first use."""

    def __init__(self) -> None:
        self._projects: OrderedDict[str, Project] = OrderedDict()
        self._lock = Lock()

    def project(self, project_id: str) -> Project:
        with self._lock:
            project = self._projects.get(project_id)
            if project is None:
                project = self._projects[project_id] = Project(project_id)
                if len(self._projects) > MAX_PROJECTS:
                    self._projects.popitem(last=False)
            self._projects.move_to_end(project_id)
            return project


def create_app() -> WSGIApplication:
    """A sink with nothing in it, as a WSGI application. Everything it knows is in memory."""
    sink = Sink()

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ["PATH_INFO"].encode("latin-1").decode("utf-8", "replace")
        try:
            body = _answer(sink, Request(environ["REQUEST_METHOD"], path, environ))
        except ApiError as error:
            return _respond_error(error, start_response)
        start_response("200 OK", _headers(len(body)))
        return [body]

    return app


def _headers(length: int) -> list[tuple[str, str]]:
    return [("Content-Type", "application/json; charset=UTF-8"), ("Content-Length", str(length))]


def _respond_error(error: ApiError, start_response: StartResponse) -> Iterable[bytes]:
    body = error.body()
    headers = _headers(len(body))
    if error.retry_after_seconds is not None:
        headers.append(("Retry-After", str(error.retry_after_seconds)))
    start_response(f"{error.http_status} {HTTPStatus(error.http_status).phrase}", headers)
    return [body]


def _answer(sink: Sink, request: Request) -> bytes:
    prefix, _, rest = request.path.removeprefix("/v1/projects/").partition("/")
    if not request.path.startswith("/v1/projects/") or not prefix:
        raise _not_found(request)
    if rest == "messages:send" and request.method == "POST":
        return _send(sink, prefix, request)
    collection, _, name = rest.partition("/")
    route = _ROUTES.get((request.method, collection, bool(name)))
    if route is None:
        raise _not_found(request)
    return route(sink.project(prefix), name, request)


def _not_found(request: Request) -> ApiError:
    return ApiError(404, "NOT_FOUND", f"The sink has no {request.method} {request.path}.")


def _send(sink: Sink, project_id: str, request: Request) -> bytes:
    request.require_authorization(_SEND_METHOD)
    answer = sink.project(project_id).send(parse_send_request(request.body(MAX_REQUEST_BYTES)))
    if answer.delay_ms:
        time.sleep(answer.delay_ms / 1000)
    if answer.error is not None:
        raise answer.error
    return b'{\n  "name": "' + answer.name.encode() + b'"\n}\n'


def _list_messages(project: Project, _name: str, _request: Request) -> bytes:
    return b'{"messages":[' + b",".join(item.as_json() for item in project.messages()) + b"]}"


def _clear_messages(project: Project, _name: str, _request: Request) -> bytes:
    project.clear_messages()
    return b"{}"


def _list_targets(project: Project, _name: str, _request: Request) -> bytes:
    targets = [{"target": target, **script.as_json()} for target, script in project.scripts().items()]
    return json.dumps({"targets": targets}).encode()


def _put_target(project: Project, target: str, request: Request) -> bytes:
    script = parse_target_script(request.json())
    project.set_script(target, script)
    return json.dumps({"target": target, **(script.as_json() if script else {"error": None})}).encode()


def _delete_target(project: Project, target: str, _request: Request) -> bytes:
    project.set_script(target, None)
    return b"{}"


def _list_faults(project: Project, _name: str, _request: Request) -> bytes:
    return json.dumps({"faults": [fault.as_json() for fault in project.faults()]}).encode()


def _put_faults(project: Project, name: str, request: Request) -> bytes:
    project.set_faults(parse_faults(request.json()))
    return _list_faults(project, name, request)


def _delete_faults(project: Project, _name: str, _request: Request) -> bytes:
    project.set_faults([])
    return b"{}"


Route = Callable[[Project, str, Request], bytes]

# Method, collection, and whether a name follows it.
_ROUTES: dict[tuple[str, str, bool], Route] = {
    ("GET", "messages", False): _list_messages,
    ("DELETE", "messages", False): _clear_messages,
    ("GET", "targets", False): _list_targets,
    ("PUT", "targets", True): _put_target,
    ("DELETE", "targets", True): _delete_target,
    ("GET", "faults", False): _list_faults,
    ("PUT", "faults", False): _put_faults,
    ("DELETE", "faults", False): _delete_faults,
}
