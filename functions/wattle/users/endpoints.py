from wattle.context import Context
from wattle.services import Services
from wattle.users.schemas import Profile, ProfileChange


def read_me(services: Services, ctx: Context) -> Profile:
    """The caller's profile, made on first use."""
    return services.users.me(ctx)


def change_me(services: Services, ctx: Context, body: ProfileChange) -> Profile:
    """Change the caller's profile."""
    return services.users.change_me(ctx, body)
