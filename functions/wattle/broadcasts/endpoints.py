from wattle.broadcasts.schemas import Broadcast, DryRun, NewBroadcast, Preview, Statistics
from wattle.context import Context
from wattle.http.envelope import Accepted
from wattle.http.idempotency import REPLAYED
from wattle.schema import PathId
from wattle.services import Services


def create(services: Services, ctx: Context, body: NewBroadcast) -> Accepted[Broadcast]:
    """Send a message to up to 10,000 users, a topic or a condition, now or at a time.

    Raises:
        UnknownTopic, TopicOfAnotherKind, InvalidCondition, PayloadTooLarge.
    """
    ordered = services.broadcasts.create(ctx, body)
    return Accepted(ordered.broadcast, headers=REPLAYED if ordered.replayed else {})


def preview(services: Services, ctx: Context, body: NewBroadcast) -> Preview:
    """Whom a message would reach, by platform and locale. Nothing is sent.

    Raises:
        UnknownTopic, TopicOfAnotherKind, InvalidCondition, PayloadTooLarge.
    """
    return services.broadcasts.preview(ctx, body)


def dry_run(services: Services, ctx: Context, body: NewBroadcast) -> DryRun:
    """Have FCM check a message for the first 100 devices. Nothing is sent.

    Raises:
        UnknownTopic, TopicOfAnotherKind, InvalidCondition, PayloadTooLarge.
    """
    return services.broadcasts.dry_run(ctx, body)


def statistics(services: Services, ctx: Context, broadcast_id: PathId) -> Statistics:
    """How far a broadcast has got, and what became of its deliveries.

    Raises:
        BroadcastNotFound.
    """
    return services.broadcasts.statistics(broadcast_id, ctx.deadline)


def cancel(services: Services, ctx: Context, broadcast_id: PathId) -> Broadcast:
    """Stop a broadcast that is scheduled or being sent, or of which some waits. What was sent stays sent.

    Raises:
        BroadcastNotFound, BroadcastEnded.
    """
    return services.broadcasts.cancel(ctx, broadcast_id)
