"""The sink's own API: look at what was accepted, script failures. It does not exist at Google and needs no token."""

import json
from collections.abc import Callable
from threading import BoundedSemaphore
from typing import Any

from firesuite.fcm.devices import PLATFORMS, visible_notifications
from firesuite.fcm.errors import ApiError
from firesuite.fcm.project import MAX_MESSAGES, Project
from firesuite.fcm.request import Request
from firesuite.fcm.scripts import parse_faults, parse_target_script

MAX_WAIT_SECONDS = 20
_MAX_CURSOR = 10**15

# A waiting request holds a thread of the server, which has only a few: two pages may wait, others are answered at once.
_waiting = BoundedSemaphore(2)


def list_messages(project: Project, _name: str, request: Request) -> bytes:
    """All accepted messages, oldest first.

    With `after` (a cursor) only newer ones and the next `cursor`; with `wait` (seconds) it waits for one to arrive.
    """
    after = request.whole_number("after", -MAX_MESSAGES, _MAX_CURSOR)
    if after is None:
        return b'{"messages":[' + b",".join(item.as_json() for item in project.messages()) + b"]}"
    wait = request.whole_number("wait", 0, MAX_WAIT_SECONDS) or 0
    granted = wait > 0 and _waiting.acquire(blocking=False)
    try:
        page = project.page(after, wait if granted else 0)
    finally:
        if granted:
            _waiting.release()
    items = b",".join(item.as_json() for item in page.messages)
    return b'{"messages":[' + items + f'],"cursor":{page.cursor},"oldest":{page.oldest}}}'.encode()


def clear_messages(project: Project, _name: str, _request: Request) -> bytes:
    project.clear_messages()
    return b"{}"


def list_targets(project: Project, _name: str, _request: Request) -> bytes:
    return _json({"targets": [{"target": target, **script.as_json()} for target, script in project.scripts().items()]})


def put_target(project: Project, target: str, request: Request) -> bytes:
    script = parse_target_script(request.json())
    project.set_script(target, script)
    return _json({"target": target, **(script.as_json() if script else {"error": None})})


def delete_target(project: Project, target: str, _request: Request) -> bytes:
    project.set_script(target, None)
    return b"{}"


def list_faults(project: Project, _name: str, _request: Request) -> bytes:
    return _json({"faults": [fault.as_json() for fault in project.faults()]})


def put_faults(project: Project, name: str, request: Request) -> bytes:
    project.set_faults(parse_faults(request.json()))
    return list_faults(project, name, request)


def delete_faults(project: Project, _name: str, _request: Request) -> bytes:
    project.set_faults([])
    return b"{}"


def list_topics(project: Project, _name: str, _request: Request) -> bytes:
    return _json({"topics": [{"topic": topic, "targets": list_} for topic, list_ in project.subscribers().items()]})


def show_device(project: Project, target: str, request: Request) -> bytes:
    """What the device shows: `platform` (android), `offline` (false: it received each message when it was sent)."""
    platform = request.query("platform") or "android"
    if platform not in PLATFORMS:
        raise ApiError(400, "INVALID_ARGUMENT", f"platform must be one of {', '.join(PLATFORMS)}.")
    accepted = project.delivered_to(target)
    shown = visible_notifications(accepted, platform, offline=request.query("offline") == "true")
    return _json({"target": target, "platform": platform, "received": len(accepted), "notifications": shown})


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()


Route = Callable[[Project, str, Request], bytes]

# Method, collection, and whether a name follows it.
ROUTES: dict[tuple[str, str, bool], Route] = {
    ("GET", "messages", False): list_messages,
    ("DELETE", "messages", False): clear_messages,
    ("GET", "targets", False): list_targets,
    ("PUT", "targets", True): put_target,
    ("DELETE", "targets", True): delete_target,
    ("GET", "faults", False): list_faults,
    ("PUT", "faults", False): put_faults,
    ("DELETE", "faults", False): delete_faults,
    ("GET", "topics", False): list_topics,
    ("GET", "devices", True): show_device,
}
