from wattle.context import Context
from wattle.health.schemas import Health, Readiness
from wattle.services import Services


def live(services: Services, ctx: Context) -> Health:
    """The process answers."""
    return Health(status="ok")


def ready(services: Services, ctx: Context) -> Readiness:
    """The process can serve: its database answers."""
    return services.health.readiness(ctx)
