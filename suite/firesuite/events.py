"""An event as fireemu hands it to a Node function, turned into the HTTP request that a deployed Python function gets.

Sources: what Eventarc sends to a second generation function (CloudEvents 1.0 HTTP binding, binary content mode,
`DocumentEventData` as protobuf), and what Cloud Scheduler sends
(https://cloud.google.com/scheduler/docs/reference/rpc/google.cloud.scheduler.v1#httptarget).
"""

import base64
import dataclasses
import datetime as dt
import json
import re
import uuid
from collections.abc import Mapping
from typing import Any

from google.events.cloud.firestore import DocumentEventData
from google.protobuf import json_format

from firesuite.errors import SuiteError
from firesuite.manifest import Endpoint, Kind

_FIRESTORE_TYPE = "google.cloud.firestore.document.v1."
_DATABASE_TYPE = "google.firebase.database.ref.v1."
# Who sends events whose sender is not here, by what their type begins with.
_SOURCES = {
    "google.firebase.database.ref": "firebasedatabase.googleapis.com",
    "google.firebase.firebasealerts.alerts": "firebasealerts.googleapis.com",
    "google.firebase.remoteconfig.remoteConfig": "firebaseremoteconfig.googleapis.com",
    "google.firebase.testlab.testMatrix": "firebasetestlab.googleapis.com",
    "google.firebase.dataconnect.connector": "firebasedataconnect.googleapis.com",
}
_PUBSUB_TYPE = "google.cloud.pubsub.topic.v1.messagePublished"
_FIRESTORE_SCHEMA = (
    "https://github.com/googleapis/google-cloudevents/blob/main/proto/google/events/cloud/firestore/v1/data.proto"
)
_FRACTION = re.compile(r"(\.\d{6})\d+")
# Attributes of the event that are not CloudEvents attributes: the payload, and what the Node SDK works out itself.
_NOT_ATTRIBUTES = frozenset({"data", "params", "datacontenttype", "dataschema"})


@dataclasses.dataclass(frozen=True, slots=True)
class TriggerRequest:
    """A POST to a function: its headers and its body."""

    headers: Mapping[str, str]
    body: bytes

    def for_firebase_tools(self) -> "TriggerRequest":
        """The same for the trigger URL of Google's Functions emulator, which reads a protobuf body as base64 text."""
        if self.headers.get("content-type") != "application/protobuf":
            return self
        return dataclasses.replace(self, body=base64.b64encode(self.body))


def to_request(kind: Kind, event: Mapping[str, Any]) -> TriggerRequest:
    """The request for one event of a function of this kind. Raises ValueError for an event that is not of its type."""
    if kind is Kind.SCHEDULE:
        return _schedule(event)
    kind_of_event = str(event.get("type", ""))
    if kind_of_event.startswith(_FIRESTORE_TYPE):
        return _firestore(event)
    if kind_of_event == _PUBSUB_TYPE:
        return _json({**event, "data": _pubsub(event["data"])})
    return _json(event)


def made(endpoint: Endpoint, project_id: str, data: Any, attributes: Mapping[str, str]) -> Mapping[str, Any]:
    """An event of the type that a function waits for, with this data, for what nothing here sends by itself.

    Its filters are attributes of the event; those that are patterns, and what else the type has, are `attributes`.
    For Pub/Sub these are the message's, and `data` is what it holds. A schedule has neither.
    Raises SuiteError where one of those is missing, and for Firestore's, whose events come from writes.
    """
    now = dt.datetime.now(dt.UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    if endpoint.kind is Kind.SCHEDULE:
        job = f"firebase-schedule-{endpoint.name}-{endpoint.regions[0]}"
        return {"jobName": f"projects/{project_id}/locations/{endpoint.regions[0]}/jobs/{job}", "scheduleTime": now}
    if endpoint.event_type == _PUBSUB_TYPE:
        return _message(endpoint, project_id, now, data, attributes)
    if endpoint.event_type.startswith(_FIRESTORE_TYPE):
        raise SuiteError(f"{endpoint.name} is started by a write: write the document.")
    service = _SOURCES.get(endpoint.event_type.rpartition(".v1.")[0], "eventarc.googleapis.com")
    event = {
        "specversion": "1.0",
        "id": uuid.uuid4().hex,
        "source": f"//{service}/projects/{project_id}",
        "type": endpoint.event_type,
        "time": now,
        **(endpoint.trigger.get("eventFilters") or {}),
        **attributes,
        "data": data,
    }
    if endpoint.event_type.startswith(_DATABASE_TYPE):
        event = _database(event, endpoint, project_id)
    for name, pattern in (endpoint.trigger.get("eventFilterPathPatterns") or {}).items():
        if name not in event:
            raise SuiteError(f"{endpoint.name} waits for {name} {pattern}: say which, with --attribute {name}=...")
    return event


def _message(
    endpoint: Endpoint, project_id: str, now: str, data: Any, attributes: Mapping[str, str]
) -> Mapping[str, Any]:
    """What a topic's function gets of a message: a text as it is, anything else as JSON."""
    topic = (endpoint.trigger.get("eventFilters") or {}).get("topic", "")
    content = data if isinstance(data, str) else "" if data is None else json.dumps(data)
    number = str(uuid.uuid4().int % 10**16)
    message = {"messageId": number, "publishTime": now, "attributes": dict(attributes)}
    subscription = f"eventarc-{endpoint.regions[0]}-{endpoint.name}-sub"
    return {
        "specversion": "1.0",
        "id": number,
        "source": f"//pubsub.googleapis.com/projects/{project_id}/topics/{topic}",
        "type": endpoint.event_type,
        "time": now,
        "data": {
            "message": {**message, "data": base64.b64encode(content.encode()).decode()},
            "subscription": f"projects/{project_id}/subscriptions/{subscription}",
        },
    }


def _database(event: Mapping[str, Any], endpoint: Endpoint, project_id: str) -> dict[str, Any]:
    """What every event of the Realtime Database has: https://firebase.google.com/docs/functions/database-events."""
    instance = f"{project_id}-default-rtdb"
    reference = str(event.get("ref", ""))
    return {
        "instance": instance,
        "firebasedatabasehost": "firebaseio.com",
        "location": endpoint.regions[0],
        "subject": f"refs/{reference.strip('/')}",
        "authtype": "admin",
        **event,
    }


def task_request(queue: str, headers: Mapping[str, str], body: bytes) -> TriggerRequest:
    """The request of Cloud Tasks for a task as fireemu dispatches it, which has the headers of Google's emulator.

    https://cloud.google.com/tasks/docs/creating-http-target-tasks#handler: the queue's short name, the time in seconds.
    """
    sent = {name: value for name, value in headers.items() if name not in {"host", "user-agent"}}
    sent |= {"user-agent": "Google-Cloud-Tasks", "x-cloudtasks-queuename": queue}
    if due := sent.get("x-cloudtasks-tasketa"):
        # In milliseconds for a task that is due at once, RFC 3339 for one that was put off.
        seconds = int(due) / 1000 if due.isdigit() else dt.datetime.fromisoformat(_microseconds(due)).timestamp()
        sent["x-cloudtasks-tasketa"] = f"{seconds:.6f}"
    return TriggerRequest(sent, body)


def _schedule(event: Mapping[str, Any]) -> TriggerRequest:
    return TriggerRequest(
        headers={
            "user-agent": "Google-Cloud-Scheduler",
            "content-type": "application/octet-stream",
            "x-cloudscheduler": "true",
            # The job's id alone, not its resource name.
            "x-cloudscheduler-jobname": str(event["jobName"]).rpartition("/")[2],
            "x-cloudscheduler-scheduletime": str(event["scheduleTime"]),
        },
        body=b"",
    )


def _firestore(event: Mapping[str, Any]) -> TriggerRequest:
    data = json_format.ParseDict(dict(event.get("data") or {}), DocumentEventData.pb(DocumentEventData()))
    source = f"//firestore.googleapis.com/projects/{event['project']}/databases/{event['database']}"
    attributes = {**event, "source": source, "dataschema": _FIRESTORE_SCHEMA}
    return _cloud_event(attributes, "application/protobuf", data.SerializeToString())


def _pubsub(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """A deployed function gets a message's id and time under both spellings, and Python's SDK reads the one with
    underscores (firebase_functions/pubsub_fn.py, `_message_handler`)."""
    message = dict(data["message"])
    message["publishTime"] = message["publish_time"] = _microseconds(message["publishTime"])
    message["message_id"] = message["messageId"]
    return {**data, "message": message}


def _microseconds(rfc3339: str) -> str:
    """fireemu writes nanoseconds, Eventarc at most microseconds, which is what Python's `%f` reads."""
    return _FRACTION.sub(r"\1", rfc3339)


def _json(event: Mapping[str, Any]) -> TriggerRequest:
    """Pub/Sub, Storage and custom events: Eventarc sends their data as JSON."""
    return _cloud_event(event, "application/json", json.dumps(event.get("data")).encode())


def _cloud_event(event: Mapping[str, Any], content_type: str, body: bytes) -> TriggerRequest:
    attributes = {**event, **({"time": _microseconds(str(event["time"]))} if "time" in event else {})}
    headers = {
        f"ce-{name}": _header_value(str(value))
        for name, value in attributes.items()
        if (name not in _NOT_ATTRIBUTES or name == "dataschema") and value is not None
    }
    headers["ce-datacontenttype"] = headers["content-type"] = content_type
    return TriggerRequest(headers, body)


def _header_value(text: str) -> str:
    """Eventarc sends UTF-8 as it is, and not percent-encoded as the CloudEvents binding wants it, so that Python, which
    reads headers as Latin-1, sees `cafÃ©` in `event.params` of `cafes/café`: firebase/firebase-functions-python#220,
    firebase/firebase-functions#1459."""
    return text.encode().decode("latin-1")
