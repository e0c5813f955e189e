from wattle.context import Context
from wattle.services import Services
from wattle.users.preferences import NotificationPreferences, PreferencesChange
from wattle.users.schemas import Profile, ProfileChange


def read_me(services: Services, ctx: Context) -> Profile:
    """The caller's profile, made on first use."""
    return services.users.me(ctx)


def change_me(services: Services, ctx: Context, body: ProfileChange) -> Profile:
    """Change the caller's profile."""
    return services.users.change_me(ctx, body)


def read_preferences(services: Services, ctx: Context) -> NotificationPreferences:
    """What may be pushed to the caller's phones, and his quiet hours. The inbox gets all messages, whatever he says."""
    return services.users.preferences(ctx)


def change_preferences(services: Services, ctx: Context, body: PreferencesChange) -> NotificationPreferences:
    """Change what may be pushed. Quiet hours are local times in the time zone of the profile."""
    return services.users.change_preferences(ctx, body)
