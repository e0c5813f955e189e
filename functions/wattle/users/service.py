"""A profile is made when it is first asked for, from what the sign-in said."""

from datetime import datetime
from typing import Any

from wattle.adapters.firestore import Firestore, Transaction
from wattle.context import Caller, Context
from wattle.kit.clock import Clock
from wattle.kit.retry import Deadline
from wattle.users.repository import UserRepository
from wattle.users.schemas import NotificationPreferences, Profile, ProfileChange


class UserService:
    def __init__(self, firestore: Firestore, clock: Clock) -> None:
        self._firestore = firestore
        self._users = UserRepository(firestore)
        self._clock = clock

    def me(self, ctx: Context) -> Profile:
        """The caller's profile."""
        uid = ctx.user.uid
        found = self._users.get(uid, ctx.deadline)
        if found is not None:
            return Profile.stored(found.data, id=uid)
        fresh = _new_profile(ctx.user, self._clock())
        if self._users.create(uid, fresh, ctx.deadline):
            return Profile.stored(fresh, id=uid)
        return self.me(ctx)

    def change_me(self, ctx: Context, change: ProfileChange) -> Profile:
        """Change the caller's profile; fields that were not sent stay as they are."""
        sent = change.model_dump(by_alias=True, exclude_unset=True)
        preferences = sent.pop("notificationPreferences", None) or {}
        sent |= {f"notificationPreferences.{kind}": on for kind, on in preferences.items() if on is not None}

        def work(transaction: Transaction) -> Profile:
            uid = ctx.user.uid
            found = self._users.get_in(transaction, uid)
            now = self._clock()
            if found is None:
                fresh = _with(_new_profile(ctx.user, now), sent)
                self._users.create_in(transaction, uid, fresh)
                return Profile.stored(fresh, id=uid)
            update = {**sent, "updatedAt": now, "version": found.data["version"] + 1}
            self._users.update_in(transaction, uid, update)
            return Profile.stored(_with(found.data, update), id=uid)

        return self._firestore.transaction(work, ctx.deadline)

    def preferences(self, uid: str, deadline: Deadline) -> NotificationPreferences:
        """What this user lets us push; the defaults for one without a profile."""
        found = self._users.get(uid, deadline)
        return NotificationPreferences.stored(found.data["notificationPreferences"] if found else {})


def _new_profile(caller: Caller, now: datetime) -> dict[str, Any]:
    return {
        "displayName": caller.name,
        "email": caller.email,
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


def _with(data: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """`data` after an update with dotted paths."""
    result = dict(data)
    for path, value in changes.items():
        first, _, rest = path.partition(".")
        result[first] = _with(result[first], {rest: value}) if rest else value
    return result
