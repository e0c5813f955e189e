"""The exported Cloud Functions. wattle/exports.py says how each kind is deployed; the module named, what it does."""

import gc
import os

# What is imported stays. Looking for garbage among it meanwhile takes a sixth of the time; freeze(), below, spares each
# later collection the same, and the worker, which is forked, a copy of its own.
gc.disable()
# pydantic would look through the metadata of every installed package for plugins at its first model.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")

from wattle.api import create_api
from wattle.exports import Exports
from wattle.kit.clock import utc_now
from wattle.services import Process

export = Exports(Process(utc_now), os.environ.get("FUNCTION_TARGET"))

api = export.http("api", create_api)

if not export.alone("api"):
    # The API does not wait for what it has no use for.
    from wattle import tasks, triggers

    createOrder = export.call("createOrder")
    cancelOrder = export.call("cancelOrder")
    registerDevice = export.call("registerDevice")
    markNotificationRead = export.call("markNotificationRead")

    onOrderWritten = export.on_written("onOrderWritten", "orders/{orderId}", triggers.order_written)
    onUserWritten = export.on_written("onUserWritten", "users/{uid}", triggers.user_written)
    onDeviceWritten = export.on_written("onDeviceWritten", "users/{uid}/devices/{deviceId}", triggers.device_written)
    onNotificationWritten = export.on_written(
        "onNotificationWritten", "users/{uid}/notifications/{notificationId}", triggers.notification_written
    )
    onBroadcastWritten = export.on_written(
        "onBroadcastWritten", "broadcasts/{broadcastId}", triggers.broadcast_written, instances=5
    )
    onDeadLetterWritten = export.on_dead_letter("onDeadLetterWritten")

    sendBroadcastChunk = export.on_task("sendBroadcastChunk", tasks.send_broadcast_chunk)

    sweepPushes = export.on_schedule("sweepPushes", "every 5 minutes", tasks.sweep)
    pruneDaily = export.on_schedule("pruneDaily", "every day 03:30", tasks.prune, retries=3)
    purgeDaily = export.on_schedule("purgeDaily", "every day 04:10", tasks.purge, seconds=540, retries=3)

gc.freeze()
gc.enable()
