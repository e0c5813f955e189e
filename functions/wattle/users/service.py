"""A profile is made when it is first asked for, from what the sign-in said."""

from collections.abc import Mapping, Sequence
from typing import Any

from wattle.accounts.errors import AccountDeleted, UserNotFound
from wattle.adapters.firestore import Document, Firestore, Transaction
from wattle.context import AccountState, Caller, Context
from wattle.kit.clock import Clock
from wattle.kit.ids import document_id
from wattle.kit.retry import Deadline
from wattle.kit.slices import Slice
from wattle.users.deletion import DeletionService
from wattle.users.preferences import Kind, NotificationPreferences, PreferencesChange, Recipient
from wattle.users.profiles import new_profile
from wattle.users.repository import UserRepository
from wattle.users.schemas import Profile, ProfileChange, PublicProfile, UserRecord


class UserService:
    def __init__(self, firestore: Firestore, deletion: DeletionService, clock: Clock) -> None:
        self._firestore = firestore
        self._users = UserRepository(firestore)
        self._deletion = deletion
        self._clock = clock

    def me(self, ctx: Context) -> Profile:
        """The caller's profile. Where he deleted his account and has signed in again since, this brings it back.

        Raises:
            AccountDeleted: he has not signed in since, or the purge has begun.
        """
        uid = ctx.user.uid
        found = self._users.get(uid, ctx.deadline)
        deleted_at = found.data["deletedAt"] if found else None
        if deleted_at is not None and ctx.user.auth_time < deleted_at.timestamp():
            raise AccountDeleted
        if deleted_at is not None or ctx.user.account_state is AccountState.DELETED:
            self._deletion.restore(uid, ctx.deadline)
            found = self._users.get(uid, ctx.deadline)
        if found is not None and found.data["email"] != ctx.user.email and _is_newer(ctx.user, found):
            return self._renew_email(ctx)
        if found is not None:
            return Profile.stored(found.data, id=uid)
        fresh = new_profile(ctx.user, self._clock())
        if self._users.create(uid, fresh, ctx.deadline):
            return Profile.stored(fresh, id=uid)
        return self.me(ctx)

    def _renew_email(self, ctx: Context) -> Profile:
        """Note the address of a newer sign-in: changing it ends the sessions that knew the old one."""

        def work(transaction: Transaction) -> Profile:
            found = self._users.get_in(transaction, ctx.user.uid)
            if found is not None and not _is_newer(ctx.user, found):
                return Profile.stored(found.data, id=ctx.user.uid)
            changes = {"email": ctx.user.email, "emailAsOf": ctx.user.auth_time}
            return Profile.stored(self._change_in(transaction, ctx.user, found, changes), id=ctx.user.uid)

        return self._firestore.transaction(work, ctx.deadline)

    def public(self, uid: str, deadline: Deadline) -> PublicProfile:
        """What anybody may know of a user.

        Raises:
            UserNotFound: also for one who deleted his account.
        """
        found = self._users.public(uid, deadline)
        if found is None or found.data["deletedAt"] is not None:
            raise UserNotFound
        return PublicProfile.stored(found.data, id=uid)

    def page_of_all(self, after: Sequence[Any] | None, limit: int, deadline: Deadline) -> Slice[UserRecord]:
        """Everybody, for administrators."""
        found = self._users.page_of_all(after, limit, deadline)
        return Slice([UserRecord.stored(row.data, id=row.id) for row in found.rows], found.end)

    def count_of_all(self, deadline: Deadline) -> int:
        return self._users.count_of_all(deadline)

    def record(self, uid: str, deadline: Deadline) -> UserRecord | None:
        """Anybody's profile, for administrators."""
        found = self._users.get(uid, deadline)
        return None if found is None else UserRecord.stored(found.data, id=uid)

    def is_deleted_in(self, transaction: Transaction, uid: str) -> bool:
        """Whether he deleted his account."""
        found = self._users.get_in(transaction, uid)
        return found is not None and found.data["deletedAt"] is not None

    def change_me(self, ctx: Context, change: ProfileChange) -> Profile:
        """Change the caller's profile; fields that were not sent stay as they are."""
        sent = change.model_dump(by_alias=True, exclude_unset=True)
        # What each attempt would have made of the profile: one whose commit is uncertain may have done so.
        attempts: list[dict[str, Any]] = []

        def work(transaction: Transaction) -> Profile:
            uid = ctx.user.uid
            found = self._users.get_in(transaction, uid)
            if transaction.uncertain and found is not None and found.data in attempts:
                return Profile.stored(found.data, id=uid)
            ctx.expected.demand(found.data["version"] if found else None)
            if found is not None and _is_so(found.data, sent):
                return Profile.stored(found.data, id=uid)
            attempts.append(self._change_in(transaction, ctx.user, found, sent))
            return Profile.stored(attempts[-1], id=uid)

        return self._firestore.transaction(work, ctx.deadline)

    def preferences(self, ctx: Context) -> NotificationPreferences:
        """What the caller lets us push; the defaults where he has no profile."""
        found = self._users.get(ctx.user.uid, ctx.deadline)
        return NotificationPreferences.stored(found.data["notificationPreferences"] if found else {})

    def change_preferences(self, ctx: Context, change: PreferencesChange) -> NotificationPreferences:
        """Change what the caller lets us push. A change of mind about promotions is recorded in the same commit.

        Raises:
            PreconditionFailed.
        """
        sent = change.model_dump(by_alias=True, exclude_unset=True, exclude={"consent_source"})
        # Only the quiet hours can be empty: null leaves the others as they are.
        sent = {name: value for name, value in sent.items() if value is not None or name == "quietHours"}
        # As in change_me.
        attempts: list[dict[str, Any]] = []

        def work(transaction: Transaction) -> NotificationPreferences:
            found = self._users.get_in(transaction, ctx.user.uid)
            now = self._clock()
            stored = found.data["notificationPreferences"] if found else {}
            present = NotificationPreferences.stored(stored)
            if transaction.uncertain and found is not None and found.data in attempts:
                return present
            ctx.expected.demand(present.digest())
            if found is not None and _is_so(stored, sent):
                return present
            changes = {f"notificationPreferences.{name}": value for name, value in sent.items()}
            if change.promotions is not None and change.promotions != present.promotions:
                consent = {"granted": change.promotions, "at": now, "source": change.consent_source}
                changes["notificationPreferences.promotionsConsent"] = consent
                record = {**consent, "purpose": Kind.PROMOTIONS.value, "requestId": ctx.request_id}
                self._users.add_consent_in(transaction, ctx.user.uid, document_id(), record)
            attempts.append(self._change_in(transaction, ctx.user, found, changes))
            return NotificationPreferences.stored(attempts[-1]["notificationPreferences"])

        return self._firestore.transaction(work, ctx.deadline)

    def recipients(self, uids: Sequence[str], deadline: Deadline) -> list[Recipient]:
        """These people as messages find them, in that order. A read for each, one round trip."""
        found = self._users.get_many(uids, deadline)
        return [
            Recipient.stored(uid, document.data if document else None)
            for uid, document in zip(uids, found, strict=True)
        ]

    def _change_in(
        self, transaction: Transaction, caller: Caller, found: Document | None, changes: dict[str, Any]
    ) -> dict[str, Any]:
        """Write the changes (dotted paths), into a new profile where there is none; the fields after it."""
        now = self._clock()
        if found is None:
            fresh = _with(new_profile(caller, now), changes)
            self._users.create_in(transaction, caller.uid, fresh)
            return fresh
        update = {**changes, "updatedAt": now, "version": found.data["version"] + 1}
        self._users.update_in(transaction, caller.uid, update)
        return _with(found.data, update)


def _is_newer(caller: Caller, profile: Document) -> bool:
    return caller.auth_time > int(profile.data.get("emailAsOf", 0))


def _is_so(present: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Whether a change would change nothing."""
    return all(name in present and present[name] == value for name, value in wanted.items())


def _with(data: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """`data` after an update with dotted paths."""
    result = dict(data)
    for path, value in changes.items():
        first, _, rest = path.partition(".")
        result[first] = _with(result[first], {rest: value}) if rest else value
    return result
