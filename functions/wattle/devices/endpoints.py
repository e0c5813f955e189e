from wattle.context import Context
from wattle.devices.schemas import Device, RegisterDevice, Topic, TopicName
from wattle.http.envelope import Reply
from wattle.schema import PathId
from wattle.services import Services


def list_devices(services: Services, ctx: Context) -> list[Device]:
    """The caller's devices, the last seen first; 20 at most."""
    return services.devices.all(ctx)


def register(services: Services, ctx: Context, device_id: PathId, body: RegisterDevice) -> Device:
    """Make or renew a device, under an id that the app chooses and keeps.

    Call it at each start of the app: a device that is not seen for 270 days is removed. An installation belongs to the
    user who registered it last. A new device joins the topics of the caller's other devices; of more than 20 the one
    that was not seen for the longest time is dropped.
    """
    return services.devices.register(ctx, device_id, body)


def remove(services: Services, ctx: Context, device_id: PathId) -> Reply[None]:
    """Remove a device, as at sign-out: it gets no more messages. Removing it twice is no error."""
    services.devices.remove(ctx.user.uid, device_id, ctx.deadline)
    return Reply(None)


def list_topics(services: Services, ctx: Context) -> list[Topic]:
    """The topics that the caller's devices are subscribed to."""
    return services.devices.topics(ctx)


def subscribe(services: Services, ctx: Context, topic: TopicName) -> Topic:
    """Subscribe all of the caller's devices to a topic; it takes effect within seconds.

    Raises:
        TopicNotFound, TopicNeedsRole, ConsentRequired, NoDevice, TooManyTopics.
    """
    return services.devices.subscribe(ctx, topic, lambda: services.accounts.current_role(ctx.user))


def unsubscribe(services: Services, ctx: Context, topic: TopicName) -> Reply[None]:
    """Unsubscribe all of the caller's devices from a topic. Doing it twice is no error.

    Raises:
        TopicNotFound.
    """
    services.devices.unsubscribe(ctx, topic)
    return Reply(None)
