"""Topic management, as the Admin SDKs call it.

- FCM v1 (`projects.registrations.topicSubscriptions`), of firebase-admin for Python since 7.7: one call per target.
- The Instance ID API (`iid/v1:batchAdd`, `:batchRemove`), used by firebase-admin for Node 13: many tokens in one call.
"""

import json
from collections.abc import Callable
from typing import Any

from firesuite.fcm.condition import TOPIC_NAME
from firesuite.fcm.errors import ApiError
from firesuite.fcm.project import Project
from firesuite.fcm.request import Request

MAX_IID_TOKENS = 1000


def answer_registration(project: Project, name: str, request: Request) -> bytes | None:
    """`/v1/projects/{p}/registrations/` + `name`; None when there is no such method."""
    registration, separator, topic = name.rpartition("/topicSubscriptions")
    method = _METHODS.get((request.method, bool(topic)))
    if not separator or method is None:
        return None
    return json.dumps(method(project, registration, topic.removeprefix("/"), request), indent=2).encode()


def _create(project: Project, registration: str, _topic: str, request: Request) -> Any:
    topic = _topic_name(request.query("topic_name", "topicName") or "")
    if not project.set_subscribed(registration, topic, subscribed=True):
        raise ApiError(409, "ALREADY_EXISTS", "Requested entity already exists")
    return _resource(project, registration, topic)


def _list(project: Project, registration: str, _topic: str, _request: Request) -> Any:
    topics = project.subscriptions_of(registration)
    return {"topic_subscriptions": [_resource(project, registration, topic) for topic in topics]}


def _get(project: Project, registration: str, topic: str, _request: Request) -> Any:
    return _resource(project, registration, topic)


def _patch(project: Project, registration: str, topic: str, request: Request) -> Any:
    if _allows_missing(request):
        project.set_subscribed(registration, _topic_name(topic), subscribed=True)
    return _resource(project, registration, topic)


def _delete(project: Project, registration: str, topic: str, request: Request) -> Any:
    if not project.set_subscribed(registration, _topic_name(topic), subscribed=False) and not _allows_missing(request):
        raise _not_found()
    return {}


_METHODS: dict[tuple[str, bool], Callable[[Project, str, str, Request], Any]] = {
    ("POST", False): _create,
    ("GET", False): _list,
    ("GET", True): _get,
    ("PATCH", True): _patch,
    ("DELETE", True): _delete,
}


def _resource(project: Project, registration: str, topic: str) -> dict[str, str]:
    created_at = project.subscriptions_of(registration).get(topic)
    if created_at is None:
        raise _not_found()
    name = f"projects/{project.project_id}/registrations/{registration}/topicSubscriptions/{topic}"
    return {"name": name, "topic_name": topic, "create_time": created_at}


def _topic_name(topic: str) -> str:
    if not TOPIC_NAME.fullmatch(topic):
        raise ApiError(400, "INVALID_ARGUMENT", "Topic name contains invalid characters.")
    return topic


def _allows_missing(request: Request) -> bool:
    return request.query("allow_missing", "allowMissing") == "true"


def _not_found() -> ApiError:
    return ApiError(404, "NOT_FOUND", "Requested entity was not found.")


class IidError(Exception):
    """An answer of the Instance ID API other than 200: `{"error": "InvalidTopicName"}`."""

    def __init__(self, http_status: int, error: str) -> None:
        super().__init__(error)
        self.http_status = http_status
        self.error = error


def answer_iid(project: Project, request: Request) -> bytes:
    """`POST /iid/v1:batchAdd` and `:batchRemove`: {"to": "/topics/{t}", "registration_tokens": [...]}.

    Answers {"results": [{} or {"error": code}, ...]}, in the order of the tokens. Raises IidError.
    """
    body = request.json()
    tokens = body.get("registration_tokens") if isinstance(body, dict) else None
    if not isinstance(tokens, list) or not 0 < len(tokens) <= MAX_IID_TOKENS:
        raise IidError(400, "InvalidParameters")
    topic = str(body.get("to", "")).removeprefix("/topics/")
    if not TOPIC_NAME.fullmatch(topic):
        raise IidError(400, "InvalidTopicName")
    subscribed = request.path.endswith(":batchAdd")
    return json.dumps(
        {"results": [_iid_result(project, token, topic, subscribed=subscribed) for token in tokens]}
    ).encode()


def _iid_result(project: Project, token: Any, topic: str, *, subscribed: bool) -> dict[str, str]:
    if not isinstance(token, str) or not token:
        return {"error": "INVALID_ARGUMENT"}
    try:
        project.set_subscribed(token, topic, subscribed=subscribed)
    except ApiError as error:
        return {"error": "TOO_MANY_TOPICS" if error.message.startswith("TOO_MANY_TOPICS") else error.status}
    return {}
