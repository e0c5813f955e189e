"""What administrators do to users. Each deed is in the audit log, in the same transaction."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from wattle.accounts.claims import role_in, state_in, with_role
from wattle.accounts.control import NOTHING, AccountControl, Change
from wattle.accounts.errors import OwnAccount, UserNotFound
from wattle.adapters.firestore import Transaction
from wattle.adapters.identity import Account, Identity
from wattle.adapters.identity_toolkit import IdentityUnavailable, InvalidEmail
from wattle.admin.schemas import UserAccount
from wattle.admin.service import AuditService
from wattle.context import AccountState, Context, Role
from wattle.devices.service import DeviceService
from wattle.errors import Unavailable
from wattle.kit.ids import is_user_id
from wattle.kit.retry import Deadline
from wattle.kit.slices import Slice
from wattle.users.schemas import UserRecord
from wattle.users.service import UserService


class AdminUserService:
    def __init__(
        self,
        users: UserService,
        *,
        devices: DeviceService,
        identity: Identity,
        control: AccountControl,
        audit: AuditService,
    ) -> None:
        self._users = users
        self._devices = devices
        self._identity = identity
        self._control = control
        self._audit = audit

    def page(self, after: Sequence[Any] | None, limit: int, deadline: Deadline) -> Slice[UserAccount]:
        """All users with a profile, in the order of their ids. One query, and one call to Identity Toolkit."""
        found = self._users.page_of_all(after, limit, deadline)
        accounts = self._accounts([record.id for record in found.rows])
        rows = [_user(record.id, record, accounts.get(record.id)) for record in found.rows]
        return Slice(rows, found.end)

    def count(self, deadline: Deadline) -> int:
        """How many users have a profile."""
        return self._users.count_of_all(deadline)

    def find(self, email: str, deadline: Deadline) -> list[UserAccount]:
        """The user with this address, as Firebase Authentication knows it; none or one."""
        try:
            account = self._identity.account_of(email)
        except InvalidEmail:
            return []
        except IdentityUnavailable as error:
            raise Unavailable("Firebase Authentication") from error
        if account is None:
            return []
        # One whose id cannot name a document has none, and is refused everywhere.
        record = self._users.record(account.uid, deadline) if is_user_id(account.uid) else None
        return [_user(account.uid, record, account)]

    def get(self, uid: str, deadline: Deadline) -> UserAccount:
        """One user.

        Raises:
            UserNotFound, Unavailable.
        """
        return _user(uid, self._users.record(uid, deadline), self._accounts([uid]).get(uid))

    def set_role(self, ctx: Context, uid: str, role: Role | None) -> UserAccount:
        """Give or take away a role. It counts for administrators' routes at once, for the rules with his next token.

        Raises:
            OwnAccount: nobody takes away his own role.
            UserNotFound, ClaimsTooLong, Unavailable.
        """
        if uid == ctx.user.uid and role is not ctx.user.role:
            raise OwnAccount
        record = self._entry(ctx, "user.role", uid)

        def decide(transaction: Transaction, account: Account, _ended: int) -> Change:
            before = role_in(account.claims)
            record(transaction, "role", before and before.value, role and role.value)
            return NOTHING if before is role else Change(claims=with_role(account.claims, role))

        self._control.change(uid, decide, ctx.deadline)
        self._leave_topics(uid, [lost for lost in Role if lost is not role], ctx.deadline)
        return self.get(uid, ctx.deadline)

    def disable(self, ctx: Context, uid: str, reason: str | None) -> UserAccount:
        """Keep a user out, and end his sessions. He leaves the topics that need a role, for good.

        Raises:
            OwnAccount, UserNotFound, Unavailable.
        """
        if uid == ctx.user.uid:
            raise OwnAccount
        record = self._entry(ctx, "user.disable", uid)

        def decide(transaction: Transaction, account: Account, _ended: int) -> Change:
            record(transaction, "disabled", account.disabled, True, reason=[None, reason])
            return Change(state=AccountState.DISABLED, disabled=True)

        self._control.end_sessions(uid, decide, ctx.deadline)
        self._leave_topics(uid, Role, ctx.deadline)
        return self.get(uid, ctx.deadline)

    def enable(self, ctx: Context, uid: str) -> UserAccount:
        """Let a user in again; his old sessions stay ended. One who deleted his account stays deleted.

        Raises:
            ClaimsTooLong: he deleted it, and what would say so has no room.
            UserNotFound, Unavailable.
        """
        record = self._entry(ctx, "user.enable", uid)

        def decide(transaction: Transaction, account: Account, _ended: int) -> Change:
            state = state_in(account.claims)
            if state is AccountState.DISABLED or (account.disabled and state is AccountState.ACTIVE):
                deleted = self._users.is_deleted_in(transaction, uid)
                state = AccountState.DELETED if deleted else AccountState.ACTIVE
            record(transaction, "disabled", account.disabled, False)
            return Change(state=state, disabled=False)

        self._control.change(uid, decide, ctx.deadline)
        return self.get(uid, ctx.deadline)

    def _entry(self, ctx: Context, action: str, uid: str) -> Callable[..., None]:
        """Writes the deed's entry.

        What was there before is what the first attempt found: the account is changed before the commit.
        """
        found: list[Any] = []

        def record(transaction: Transaction, name: str, before: Any, after: Any, **more: Any) -> None:
            found.append(before)
            diff = {name: [found[0], after], **more}
            self._audit.record(transaction, ctx, action, f"users/{uid}", diff)

        return record

    def _leave_topics(self, uid: str, lost: Iterable[Role], deadline: Deadline) -> None:
        for role in lost:
            self._devices.leave_topics_of(uid, role, deadline)

    def _accounts(self, uids: Sequence[str]) -> Mapping[str, Account]:
        try:
            return self._identity.accounts(uids)
        except IdentityUnavailable as error:
            raise Unavailable("Firebase Authentication") from error


def _user(uid: str, record: UserRecord | None, account: Account | None) -> UserAccount:
    # The account knows best how he signs in; what he shows to others is in his profile.
    signs_in, shows = account or record, record or account
    if signs_in is None or shows is None:
        raise UserNotFound
    return UserAccount(
        id=uid,
        email=signs_in.email,
        email_verified=account is not None and account.email_verified,
        display_name=shows.display_name,
        phone_number=signs_in.phone_number,
        photo_url=shows.photo_url,
        role=role_in(account.claims) if account else None,
        disabled=account is not None and account.disabled,
        has_profile=record is not None,
        has_account=account is not None,
        created_at=signs_in.created_at,
        last_sign_in_at=account.last_sign_in_at if account else None,
        deleted_at=record.deleted_at if record else None,
        purge_at=record.purge_at if record else None,
    )
