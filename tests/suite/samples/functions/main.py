"""One function for each kind of trigger that Python has, after the published samples of each.

What a function saw it writes to `seen/{random}` as `{function, ...}`, where the tests read it.
"""

import datetime as dt
import os
import threading
import time

import firebase_admin
import google.auth
from firebase_admin import firestore, functions
from firebase_functions import (
    db_fn,
    eventarc_fn,
    firestore_fn,
    https_fn,
    identity_fn,
    options,
    params,
    pubsub_fn,
    remote_config_fn,
    scheduler_fn,
    storage_fn,
    tasks_fn,
    test_lab_fn,
)
from firebase_functions.alerts import crashlytics_fn
from google.auth.credentials import AnonymousCredentials

google.auth.default = lambda *_, **__: (AnonymousCredentials(), os.environ["GCLOUD_PROJECT"])
firebase_admin.initialize_app()
options.set_global_options(region="australia-southeast1")

SHOUT = params.StringParam("SHOUT", default="!")
API_KEY = params.SecretParam("API_KEY")

_lock = threading.Lock()
_databases = {}


def database():
    with _lock:
        if "default" not in _databases:
            _databases["default"] = firestore.client()
        return _databases["default"]


def saw(function, **what):
    database().collection("seen").add({"function": function, **what})


@https_fn.on_request(secrets=[API_KEY], cors=options.CorsOptions(cors_origins="*", cors_methods=["get"]))
def today(request: https_fn.Request) -> https_fn.Response:
    """The date in the format of the query."""
    if request.method == "PUT":
        return https_fn.Response(status=403, response="Forbidden!")
    moment = dt.datetime(2026, 2, 28, 23, 5, tzinfo=dt.UTC)
    return https_fn.Response(f"{moment:{request.args.get('format', '%Y-%m-%d')}}|{API_KEY.value}")


@https_fn.on_call()
def addtext(request: https_fn.CallableRequest):
    """Puts a text, without its swear words, into the database."""
    if request.auth is None:
        raise https_fn.HttpsError(https_fn.FunctionsErrorCode.FAILED_PRECONDITION, "Sign in first.")
    text = request.data.get("text") if isinstance(request.data, dict) else None
    if not text:
        raise https_fn.HttpsError(https_fn.FunctionsErrorCode.INVALID_ARGUMENT, "text is empty", {"field": "text"})
    clean = text.replace("damn", "****")
    saw("addtext", text=clean, uid=request.auth.uid, email=request.auth.token.get("email"))
    return {"text": clean}


@https_fn.on_call()
def broken(request: https_fn.CallableRequest):
    raise KeyError("a mistake in the code")


@https_fn.on_call(enforce_app_check=True)
def guarded(request: https_fn.CallableRequest):
    return {"app": request.app.app_id}


@firestore_fn.on_document_created(document="messages/{pushId}")
def makeuppercase(event: firestore_fn.Event[firestore_fn.DocumentSnapshot | None]) -> None:
    """Writes the upper-case form beside the original."""
    original = event.data.get("original")
    event.data.reference.update({"uppercase": original.upper() + SHOUT.value})


@firestore_fn.on_document_updated(document="messages/{pushId}")
def onupdated(event: firestore_fn.Event) -> None:
    saw("onupdated", before=event.data.before.to_dict(), after=event.data.after.to_dict(), params=event.params)


@firestore_fn.on_document_deleted(document="messages/{pushId}")
def ondeleted(event: firestore_fn.Event) -> None:
    saw("ondeleted", data=event.data.to_dict(), time=event.time, location=event.location, project=event.project)


@firestore_fn.on_document_created_with_auth_context(document="posts/{id}")
def onpost(event: firestore_fn.AuthEvent) -> None:
    saw("onpost", post=event.params["id"], auth_type=event.auth_type, auth_id=event.auth_id)


@firestore_fn.on_document_created(document="messages/{pushId}", database="archive")
def onarchived(event: firestore_fn.Event) -> None:
    saw("onarchived", database=event.database, data=event.data.to_dict())


@scheduler_fn.on_schedule(schedule="every day 00:00", timezone=scheduler_fn.Timezone("UTC"))
def accountcleanup(event: scheduler_fn.ScheduledEvent) -> None:
    saw("accountcleanup", job=event.job_name, time=event.schedule_time)


@tasks_fn.on_task_dispatched(
    retry_config=options.RetryConfig(max_attempts=3, min_backoff_seconds=1),
    rate_limits=options.RateLimits(max_concurrent_dispatches=2),
)
def backup(request: tasks_fn.CallableRequest) -> None:
    """Fails as often as the task says."""
    headers = request.raw_request.headers
    started = dt.datetime.now(dt.UTC)
    time.sleep(request.data.get("seconds", 0))
    saw(
        "backup",
        data=request.data,
        retry=int(headers["X-CloudTasks-TaskRetryCount"]),
        name=headers["X-CloudTasks-TaskName"],
        at=started,
        until=dt.datetime.now(dt.UTC),
    )
    if int(headers["X-CloudTasks-TaskRetryCount"]) < request.data["failures"]:
        raise https_fn.HttpsError(https_fn.FunctionsErrorCode.UNAVAILABLE, "not yet")


@https_fn.on_request()
def enqueuebackup(request: https_fn.Request) -> https_fn.Response:
    """Puts tasks into the queue, as the sample does."""
    queue = functions.task_queue("locations/australia-southeast1/functions/backup")
    numbers = {"failures": int(request.args.get("failures", 0)), "seconds": float(request.args.get("seconds", 0))}
    body = {"data": {"day": request.args["day"], **numbers}}
    delay = int(request.args.get("delay", 0))
    return https_fn.Response(queue.enqueue(body, functions.TaskOptions(schedule_delay_seconds=delay)))


@identity_fn.before_user_created()
def createduser(event: identity_fn.AuthBlockingEvent) -> identity_fn.BeforeCreateResponse | None:
    """Only addresses of one domain may sign up."""
    if event.data.email and "@acme.com" not in event.data.email:
        raise https_fn.HttpsError(https_fn.FunctionsErrorCode.INVALID_ARGUMENT, "Unauthorized email")
    return identity_fn.BeforeCreateResponse(display_name="New Hire", custom_claims={"staff": True})


@identity_fn.before_user_signed_in()
def signedinuser(event: identity_fn.AuthBlockingEvent) -> identity_fn.BeforeSignInResponse | None:
    if event.data.email == "left@acme.com":
        raise https_fn.HttpsError(https_fn.FunctionsErrorCode.PERMISSION_DENIED, "has left")
    saw("signedinuser", email=event.data.email, agent=event.user_agent, address=event.ip_address)
    return identity_fn.BeforeSignInResponse(session_claims={"shift": "night"})


@pubsub_fn.on_message_published(topic="topic-name")
def hellopubsub(event: pubsub_fn.CloudEvent[pubsub_fn.MessagePublishedData]) -> None:
    message = event.data.message
    saw(
        "hellopubsub",
        json=message.json,
        attributes=message.attributes,
        id=message.message_id,
        published=message.publish_time,
        subscription=event.data.subscription,
        source=event.source,
        type=event.type,
    )


@storage_fn.on_object_finalized()
def generatethumbnail(event: storage_fn.CloudEvent[storage_fn.StorageObjectData]) -> None:
    data = event.data
    saw(
        "generatethumbnail",
        bucket=data.bucket,
        name=data.name,
        type=data.content_type,
        size=int(data.size),
        metadata=data.metadata,
        subject=event.subject,
        source=event.source,
    )


@storage_fn.on_object_deleted()
def ondeletedobject(event: storage_fn.CloudEvent[storage_fn.StorageObjectData]) -> None:
    saw("ondeletedobject", name=event.data.name)


@storage_fn.on_object_metadata_updated()
def onmetadata(event: storage_fn.CloudEvent[storage_fn.StorageObjectData]) -> None:
    saw("onmetadata", name=event.data.name, metadata=event.data.metadata)


@eventarc_fn.on_custom_event_published(event_type="com.example.image.resized", filters={"size": "small"})
def onimageresized(event: eventarc_fn.CloudEvent) -> None:
    saw("onimageresized", subject=event.subject, data=event.data, source=event.source, type=event.type)


@crashlytics_fn.on_new_fatal_issue_published()
def onfatal(event: crashlytics_fn.CrashlyticsNewFatalIssueEvent) -> None:
    saw("onfatal", title=event.data.payload.issue.title, app=event.app_id, alert=event.alert_type)


@db_fn.on_value_written(reference="/messages/{pushId}/original")
def onwritten(event: db_fn.Event) -> None:
    saw("onwritten", before=event.data.before, after=event.data.after, params=event.params, instance=event.instance)


@remote_config_fn.on_config_updated()
def onconfig(event: remote_config_fn.CloudEvent[remote_config_fn.ConfigUpdateData]) -> None:
    saw("onconfig", version=event.data.version_number, by=event.data.update_user.email)


@test_lab_fn.on_test_matrix_completed()
def onmatrix(event: test_lab_fn.CloudEvent[test_lab_fn.TestMatrixCompletedData]) -> None:
    if event.data.state is test_lab_fn.TestState.ERROR:
        raise RuntimeError("asked to")
    saw("onmatrix", matrix=event.data.test_matrix_id)
