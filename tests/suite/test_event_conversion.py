"""An event as fireemu gives it, as the request that a deployed function gets."""

import base64

import pytest
from google.events.cloud.firestore import DocumentEventData

from firesuite.events import to_request
from firesuite.manifest import Kind

EVENT = {
    "data": {
        "value": {
            "createTime": "2026-11-23T17:45:27.956703Z",
            "fields": {"n": {"integerValue": "2"}},
            "name": "projects/demo-x/databases/(default)/documents/orders/a",
            "updateTime": "2026-11-23T17:45:27.964581Z",
        },
        "oldValue": {
            "createTime": "2026-11-23T17:45:27.956703Z",
            "fields": {"n": {"integerValue": "1"}},
            "name": "projects/demo-x/databases/(default)/documents/orders/a",
            "updateTime": "2026-11-23T17:45:27.956703Z",
        },
        "updateMask": {"fieldPaths": ["n"]},
    },
    "database": "(default)",
    "datacontenttype": "application/json",
    "document": "orders/a",
    "id": "42-2",
    "location": "nam5",
    "namespace": "(default)",
    "params": {"id": "a"},
    "project": "demo-x",
    "source": "projects/demo-x/databases/(default)/documents/orders/a",
    "specversion": "1.0",
    "subject": "documents/orders/a",
    "time": "2026-11-23T17:45:27.964581000Z",
    "type": "google.cloud.firestore.document.v1.written",
}


def test_a_firestore_event_becomes_a_binary_cloud_event_as_eventarc_sends_it():
    assert to_request(Kind.EVENT, EVENT).headers == {
        "content-type": "application/protobuf",
        "ce-specversion": "1.0",
        "ce-id": "42-2",
        "ce-type": "google.cloud.firestore.document.v1.written",
        "ce-source": "//firestore.googleapis.com/projects/demo-x/databases/(default)",
        "ce-subject": "documents/orders/a",
        "ce-time": "2026-11-23T17:45:27.964581Z",
        "ce-datacontenttype": "application/protobuf",
        "ce-dataschema": (
            "https://github.com/googleapis/google-cloudevents/blob/main/proto/google/events/cloud/firestore/v1/data.proto"
        ),
        "ce-location": "nam5",
        "ce-project": "demo-x",
        "ce-database": "(default)",
        "ce-namespace": "(default)",
        "ce-document": "orders/a",
    }


def test_its_body_is_the_document_before_and_after_as_protobuf():
    data = DocumentEventData.deserialize(to_request(Kind.EVENT, EVENT).body)
    assert data.old_value.fields["n"].integer_value == 1
    assert data.value.fields["n"].integer_value == 2
    assert data.value.name == "projects/demo-x/databases/(default)/documents/orders/a"
    assert list(data.update_mask.field_paths) == ["n"]


@pytest.mark.parametrize(("absent", "sides"), [("oldValue", (True, False)), ("value", (False, True))])
def test_a_created_or_deleted_document_has_one_side_only(absent, sides):
    event = {**EVENT, "data": {key: value for key, value in EVENT["data"].items() if key != absent}}
    data = DocumentEventData.deserialize(to_request(Kind.EVENT, event).body)
    assert (bool(data.value), bool(data.old_value)) == sides


def test_who_wrote_is_passed_on_to_functions_with_auth_context():
    event = {**EVENT, "type": f"{EVENT['type']}.withAuthContext", "authtype": "app_user", "authid": "alice"}
    headers = to_request(Kind.EVENT, event).headers
    assert headers["ce-authtype"] == "app_user"
    assert headers["ce-authid"] == "alice"


def test_unicode_in_a_path_is_raw_utf8_in_the_header():
    headers = to_request(Kind.EVENT, {**EVENT, "document": "cafés/中"}).headers
    assert headers["ce-document"].encode("latin-1").decode() == "cafés/中"


def test_for_firebase_tools_the_protobuf_is_base64_text():
    request = to_request(Kind.EVENT, EVENT)
    assert base64.b64decode(request.for_firebase_tools().body) == request.body
    assert request.for_firebase_tools().headers == request.headers


def test_other_events_carry_json():
    event = {
        "specversion": "1.0",
        "id": "1",
        "type": "com.example.shipped",
        "source": "//example",
        "data": {"order": "a"},
    }
    request = to_request(Kind.EVENT, event)
    assert request.headers == {
        "content-type": "application/json",
        "ce-specversion": "1.0",
        "ce-id": "1",
        "ce-type": "com.example.shipped",
        "ce-source": "//example",
        "ce-datacontenttype": "application/json",
    }
    assert request.body == b'{"order": "a"}'
    assert request.for_firebase_tools() is request


def test_a_schedule_becomes_cloud_schedulers_request():
    event = {
        "jobName": "projects/demo-x/locations/australia-southeast1/jobs/firebase-schedule-nightly-australia-southeast1",
        "scheduleTime": "2026-11-23T16:00:00Z",
    }
    request = to_request(Kind.SCHEDULE, event)
    assert request.body == b""
    assert request.headers == {
        "user-agent": "Google-Cloud-Scheduler",
        "content-type": "application/octet-stream",
        "x-cloudscheduler": "true",
        "x-cloudscheduler-jobname": "firebase-schedule-nightly-australia-southeast1",
        "x-cloudscheduler-scheduletime": "2026-11-23T16:00:00Z",
    }
