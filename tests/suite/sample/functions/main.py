"""A small functions project: one function of each kind that the suite delivers to.

What the functions saw they write into Firestore, where the tests read it.
"""

import datetime as dt
import os
import threading
import time
import urllib.request

import firebase_admin
from firebase_functions import firestore_fn, https_fn, scheduler_fn, tasks_fn
from firebase_functions.options import SupportedRegion
from google.auth.credentials import AnonymousCredentials
from google.cloud import firestore

# A second execution of this module in one process would raise here.
firebase_admin.initialize_app()

REGION = SupportedRegion.AUSTRALIA_SOUTHEAST1
VERSION = "1"
OWN_URL = "http://{FUNCTIONS_EMULATOR_HOST}/{GCLOUD_PROJECT}/australia-southeast1/selfish"

_lock = threading.Lock()
_clients = {}


def database():
    with _lock:
        if "client" not in _clients:
            _clients["client"] = firestore.Client(
                project=os.environ["GCLOUD_PROJECT"], credentials=AnonymousCredentials()
            )
        return _clients["client"]


@https_fn.on_request(region=REGION, concurrency=20)
def web(request: https_fn.Request) -> https_fn.Response:
    started = time.monotonic()
    if request.path == "/slow":
        print("slow began", flush=True)  # noqa: T201 - what tests wait for
        time.sleep(float(request.args["seconds"]))
    if request.path == "/crash":
        raise ValueError("asked to")
    return {
        "version": VERSION,
        "method": request.method,
        "path": request.path,
        "root": request.root_path,
        "url": request.url,
        "query": request.args.to_dict(),
        "pid": os.getpid(),
        "app_check": request.headers.get("X-Firebase-AppCheck"),
        "cookie": request.headers.get("Cookie"),
        "started": started,
        "ended": time.monotonic(),
        "environment": {name: os.environ.get(name) for name in request.args.getlist("env")},
    }


@https_fn.on_request(region=REGION, concurrency=1)
def alone(request: https_fn.Request) -> https_fn.Response:
    started = time.monotonic()
    time.sleep(0.1)
    return {"started": started, "ended": time.monotonic()}


@https_fn.on_request(region=REGION, timeout_sec=1)
def hasty(request: https_fn.Request) -> https_fn.Response:
    time.sleep(float(request.args["seconds"]))
    return https_fn.Response("done")


@https_fn.on_request(region=REGION, timeout_sec=2, concurrency=1)
def selfish(request: https_fn.Request) -> https_fn.Response:
    """Waits for itself, and so for ever."""
    with urllib.request.urlopen(OWN_URL.format(**os.environ)) as answer:
        return https_fn.Response(answer.read())


@https_fn.on_call(region=REGION)
def add(request: https_fn.CallableRequest):
    if "a" not in request.data:
        raise https_fn.HttpsError(https_fn.FunctionsErrorCode.INVALID_ARGUMENT, "a is missing")
    return {"sum": request.data["a"] + request.data["b"], "uid": request.auth.uid if request.auth else None}


def _state(snapshot):
    return snapshot.to_dict() if snapshot is not None else None


def retried(function):
    """firebase-functions 0.6 has no `retry` for Firestore functions: their manifest entry is the only place for it."""
    function.__firebase_endpoint__.eventTrigger["retry"] = True
    return function


@retried
@firestore_fn.on_document_written(document="orders/{orderId}", region=REGION)
def onorder(event: firestore_fn.Event) -> None:
    database().collection("seen").add(
        {
            "order": event.params["orderId"],
            "id": event.id,
            "before": _state(event.data.before),
            "after": _state(event.data.after),
            "at": time.time(),
        }
    )


@firestore_fn.on_document_created(document="{kind}/{id}/lines/{lineId}", region=REGION)
def online(event: firestore_fn.Event) -> None:
    database().collection("lines").add({"params": event.params, "data": event.data.to_dict(), "source": event.source})


def _attempt(name):
    """Count an attempt and return how many there were."""
    attempts = database().document(f"attempts/{name}")
    attempts.set({"count": firestore.Increment(1)}, merge=True)
    return attempts.get().get("count")


@retried
@firestore_fn.on_document_created(document="flaky/{id}", region=REGION)
def flaky(event: firestore_fn.Event) -> None:
    if _attempt(event.params["id"]) < 3:
        raise RuntimeError("not yet")


@firestore_fn.on_document_created(document="hopeless/{id}", region=REGION)
def hopeless(event: firestore_fn.Event) -> None:
    _attempt(event.params["id"])
    raise RuntimeError("never")


@scheduler_fn.on_schedule(schedule="0 3 * * *", timezone=scheduler_fn.Timezone("Australia/Sydney"), region=REGION)
def nightly(event: scheduler_fn.ScheduledEvent) -> None:
    database().collection("nights").add({"job": event.job_name, "time": event.schedule_time.astimezone(dt.UTC)})


@tasks_fn.on_task_dispatched(region=REGION)
def work(request: tasks_fn.CallableRequest) -> None:
    database().collection("worked").add(
        {"data": request.data, "queue": request.raw_request.headers.get("X-CloudTasks-QueueName")}
    )
