"""The WSGI application: the whole routing table of the sink.

| request | answer |
|---|---|
| `POST /v1/projects/{p}/messages:send` | as FCM |
| `.../v1/projects/{p}/registrations/{target}/topicSubscriptions...` | as FCM (`subscriptions`) |
| `POST /iid/v1:batchAdd`, `POST /iid/v1:batchRemove` | as the Instance ID API (`subscriptions`) |
| `GET /v1/projects/{p}/messages` | what was accepted, oldest first; `DELETE` clears |
| `GET /v1/projects/{p}/targets`, `PUT, DELETE .../targets/{target}` | scripted targets |
| `GET, PUT, DELETE /v1/projects/{p}/faults` | what the next sends meet, whatever their target |
| `GET /v1/projects/{p}/topics` | subscriptions by topic |
| `GET /v1/projects/{p}/devices/{target}` | what this device shows |
| `GET /v1/projects` | the projects the sink has heard of; `DELETE /v1/projects/{p}` forgets one |
| `GET /` | the web page |
"""

import json
import time
from collections import OrderedDict
from collections.abc import Iterable
from http import HTTPStatus
from threading import Lock
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from firesuite.fcm import inspection, page, subscriptions
from firesuite.fcm.errors import ApiError
from firesuite.fcm.message import MAX_REQUEST_BYTES, parse_send_request
from firesuite.fcm.project import Project
from firesuite.fcm.request import Request
from firesuite.fcm.subscriptions import IidError

MAX_PROJECTS = 200  # the least recently used is forgotten: tests may use a project each

_JSON = "application/json; charset=UTF-8"
_PROJECTS = "/v1/projects"


class Sink:
    """The projects, made on first use."""

    def __init__(self, iid_project: str | None) -> None:
        self._projects: OrderedDict[str, Project] = OrderedDict()
        self._lock = Lock()
        self._iid_project = iid_project

    def project(self, project_id: str) -> Project:
        with self._lock:
            project = self._projects.get(project_id)
            if project is None:
                project = self._projects[project_id] = Project(project_id)
                if len(self._projects) > MAX_PROJECTS:
                    self._projects.popitem(last=False)
            self._projects.move_to_end(project_id)
            return project

    def forget(self, project_id: str) -> None:
        with self._lock:
            self._projects.pop(project_id, None)

    def project_ids(self) -> list[str]:
        with self._lock:
            return sorted(self._projects)

    def iid_project(self, request: Request) -> Project:
        """The Instance ID API knows the project by the token; here it is the quota project's header, else our own."""
        project_id = request.header("X-Goog-User-Project") or self._iid_project
        if not project_id:
            text = "Say whose topic it is: set GOOGLE_CLOUD_QUOTA_PROJECT, which sends x-goog-user-project."

            raise ApiError(400, "INVALID_ARGUMENT", text)
        return self.project(project_id)


def create_app(project_id: str | None = None) -> WSGIApplication:
    """A sink with nothing in it, as a WSGI application. All it knows is in memory, and any project id will do.

    project_id: whose topics the Instance ID API manages, where a request does not say (its paths name no project).
    """
    sink = Sink(project_id)

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ["PATH_INFO"].encode("latin-1").decode("utf-8", "replace")
        try:
            request = Request(environ["REQUEST_METHOD"], path, environ)
            resource = page.resource(request)
            if resource is not None:
                start_response("200 OK", [*resource.headers, ("Content-Length", str(len(resource.body)))])
                return [resource.body]
            return _respond(start_response, 200, _answer(sink, request))
        except ApiError as error:
            return _respond(start_response, error.http_status, error.body(), error.retry_after_seconds)
        except IidError as error:
            return _respond(start_response, error.http_status, json.dumps({"error": error.error}).encode())

    return app


def _respond(
    start_response: StartResponse, status: int, body: bytes, retry_after_seconds: int | None = None
) -> Iterable[bytes]:
    headers = [("Content-Type", _JSON), ("Content-Length", str(len(body))), ("X-Content-Type-Options", "nosniff")]
    if retry_after_seconds is not None:
        headers.append(("Retry-After", str(retry_after_seconds)))
    start_response(f"{status} {HTTPStatus(status).phrase}", headers)
    return [body]


def _answer(sink: Sink, request: Request) -> bytes:
    if request.method == "POST" and request.path in ("/iid/v1:batchAdd", "/iid/v1:batchRemove"):
        return subscriptions.answer_iid(sink.iid_project(request), request)
    if request.method == "GET" and request.path == _PROJECTS:
        return json.dumps({"projects": sink.project_ids()}).encode()
    if not request.path.startswith(_PROJECTS + "/"):
        raise _not_found(request)
    project_id, _, rest = request.path.removeprefix(_PROJECTS + "/").partition("/")
    if rest == "messages:send" and request.method == "POST":
        return _send(sink, project_id, request)
    if not rest and request.method == "DELETE":
        sink.forget(project_id)
        return b"{}"
    return _answer_collection(sink, project_id, rest, request)


def _answer_collection(sink: Sink, project_id: str, rest: str, request: Request) -> bytes:
    collection, _, name = rest.partition("/")
    if not project_id:
        raise _not_found(request)
    if collection == "registrations":
        answer = subscriptions.answer_registration(sink.project(project_id), name, request)
        if answer is None:
            raise _not_found(request)
        return answer
    route = inspection.ROUTES.get((request.method, collection, bool(name)))
    if route is None:
        raise _not_found(request)
    return route(sink.project(project_id), name, request)


def _not_found(request: Request) -> ApiError:
    return ApiError(404, "NOT_FOUND", f"The FCM sink has no {request.method} {request.path}.")


def _send(sink: Sink, project_id: str, request: Request) -> bytes:
    answer = sink.project(project_id).send(parse_send_request(request.body(MAX_REQUEST_BYTES)))
    if answer.delay_ms:
        time.sleep(answer.delay_ms / 1000)
    if answer.error is not None:
        raise answer.error
    return b'{\n  "name": "' + answer.name.encode() + b'"\n}\n'
