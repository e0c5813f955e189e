"""What a new profile holds."""

from datetime import datetime
from typing import Any

from wattle.context import Caller
from wattle.users.preferences import NotificationPreferences


def new_profile(caller: Caller, now: datetime) -> dict[str, Any]:
    """The fields of `users/{uid}`, from what the sign-in said."""
    return {
        "displayName": caller.name,
        "email": caller.email,
        # The address is Firebase's: which sign-in it is of says whether another one is newer. Unix seconds.
        "emailAsOf": caller.auth_time,
        "phoneNumber": caller.phone_number,
        "photoUrl": caller.picture,
        "locale": None,
        "timezone": None,
        "notificationPreferences": NotificationPreferences().model_dump(by_alias=True),
        "createdAt": now,
        "updatedAt": now,
        "deletedAt": None,
        "version": 1,
    }
