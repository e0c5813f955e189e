"""The exported Cloud Functions: where they run and with what. No logic."""

from functools import cache, partial
from typing import Any

from firebase_functions import firestore_fn, https_fn, options, params, scheduler_fn
from flask import Request, Response

from wattle import callables, tasks, triggers
from wattle.api import create_api
from wattle.config import REGION
from wattle.http.pipeline import Pipeline
from wattle.kit.clock import utc_now
from wattle.services import Process

# What is not set here goes back to the platform's default at each deployment, so everything is set.
_RUNTIME: dict[str, Any] = {
    "region": REGION,
    "cpu": 1,
    "memory": options.MemoryOption.MB_256,
    "concurrency": 80,  # and THREADS in .env
    "min_instances": 0,
    "secrets": [params.SecretParam("SIGNING_SECRET")],
}

_process = Process(utc_now)


@cache
def _api() -> Pipeline:
    return create_api(_process.services)


@https_fn.on_request(
    **_RUNTIME, timeout_sec=60, max_instances=100, invoker="public", ingress=options.IngressSetting.ALLOW_ALL
)
def api(request: Request) -> Response:
    return Response.from_app(_api(), request.environ)  # type: ignore[return-value]  # (an instance of Response itself)


_callable = partial(
    callables.exported,
    _process.services,
    https_fn.on_call(**_RUNTIME, timeout_sec=60, max_instances=100, invoker="public"),
)
# Apps call them by these names.
createOrder = _callable("createOrder", callables.create_order)  # noqa: N816
cancelOrder = _callable("cancelOrder", callables.cancel_order)  # noqa: N816
registerDevice = _callable("registerDevice", callables.register_device)  # noqa: N816
markNotificationRead = _callable("markNotificationRead", callables.mark_notification_read)  # noqa: N816


@triggers.retried
@_process.connected
@firestore_fn.on_document_written(**_RUNTIME, document="orders/{orderId}", timeout_sec=60, max_instances=20)
def onOrderWritten(event: firestore_fn.Event[Any]) -> None:  # noqa: N802 (in style with the callables)
    triggers.order_written(_process.services(), event)


@triggers.retried
@_process.connected
@firestore_fn.on_document_written(
    **_RUNTIME, document="users/{uid}/devices/{deviceId}", timeout_sec=60, max_instances=20
)
def onDeviceWritten(event: firestore_fn.Event[Any]) -> None:  # noqa: N802 (in style with the callables)
    triggers.device_written(_process.services(), event)


@triggers.retried
@_process.connected
@firestore_fn.on_document_written(**_RUNTIME, document="users/{uid}", timeout_sec=60, max_instances=20)
def onUserWritten(event: firestore_fn.Event[Any]) -> None:  # noqa: N802 (in style with the callables)
    triggers.user_written(_process.services(), event)


@triggers.retried
@_process.connected
@firestore_fn.on_document_written(
    **_RUNTIME, document="users/{uid}/notifications/{notificationId}", timeout_sec=60, max_instances=20
)
def onNotificationWritten(event: firestore_fn.Event[Any]) -> None:  # noqa: N802 (in style with the callables)
    triggers.notification_written(_process.services(), event)


@_process.connected
@scheduler_fn.on_schedule(**_RUNTIME, schedule="every 5 minutes", timeout_sec=300, max_instances=1)
def sweepPushes(event: scheduler_fn.ScheduledEvent) -> None:  # noqa: N802, ARG001 (in style with the callables; the time does not matter)
    tasks.sweep(_process.services())


@_process.connected
@scheduler_fn.on_schedule(
    **_RUNTIME,
    schedule="every day 03:30",
    timezone=options.Timezone("Australia/Sydney"),
    timeout_sec=300,
    max_instances=1,
    retry_count=3,
)
def pruneDaily(event: scheduler_fn.ScheduledEvent) -> None:  # noqa: N802, ARG001 (in style with the callables; the time does not matter)
    tasks.prune(_process.services())


@_process.connected
@scheduler_fn.on_schedule(
    **_RUNTIME,
    schedule="every day 04:10",
    timezone=options.Timezone("Australia/Sydney"),
    timeout_sec=540,
    max_instances=1,
    retry_count=3,
)
def purgeDaily(event: scheduler_fn.ScheduledEvent) -> None:  # noqa: N802, ARG001 (in style with the callables; the time does not matter)
    tasks.purge(_process.services())
