from wattle.context import Context
from wattle.screens.schemas import Home
from wattle.services import Services


def home(services: Services, ctx: Context) -> Home:
    """The home screen in one round trip: the caller's profile, the five newest orders, how many messages are unread."""
    return services.screens.home(ctx)
