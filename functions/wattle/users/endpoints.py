from wattle.context import Context
from wattle.schema import UserId
from wattle.services import Services
from wattle.users.preferences import NotificationPreferences, PreferencesChange
from wattle.users.schemas import Deletion, Profile, ProfileChange, PublicProfile


def read_me(services: Services, ctx: Context) -> Profile:
    """The caller's profile, made on first use. After a deletion and a new sign-in this brings the account back."""
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


def read_user(services: Services, ctx: Context, user_id: UserId) -> PublicProfile:
    """What anybody may know of a user.

    Raises:
        UserNotFound.
    """
    return services.users.public(user_id, ctx.deadline)


def delete_me(services: Services, ctx: Context) -> Deletion:
    """Delete the caller's account. All sessions end; signing in again until `purgeAt` undoes it.

    Needs a sign-in of the last five minutes.
    """
    return services.deletion.close(ctx)
