from wattle.admin.schemas import AuditEntry, DisableUser, ListAuditLog, ListUsers, SetRole, UserAccount
from wattle.context import Context
from wattle.http.envelope import Page
from wattle.http.pagination import page, position, with_total
from wattle.schema import UserId
from wattle.services import Services


def list_users(services: Services, ctx: Context, query: ListUsers) -> Page[UserAccount]:
    """All users who ever used the API, in the order of their ids; with `email` the one who has this address."""
    after = position(query, ctx, "admin-users", services.cursors)
    if query.email is not None:
        one = services.admin_users.find(query.email, ctx.deadline)
        return Page(one, query.size, None, has_next=False, total=len(one) if query.include_total else None)
    found, total = with_total(
        query,
        lambda: services.admin_users.page(after, query.size, ctx.deadline),
        lambda: services.admin_users.count(ctx.deadline),
    )
    return page(found, query, ctx, "admin-users", services.cursors, total=total)


def read_user(services: Services, ctx: Context, user_id: UserId) -> UserAccount:
    """One user: his profile and his account.

    Raises:
        UserNotFound.
    """
    return services.admin_users.get(user_id, ctx.deadline)


def set_role(services: Services, ctx: Context, user_id: UserId, body: SetRole) -> UserAccount:
    """Give a user a role, or take it away with null. Nobody can take away his own.

    Raises:
        OwnAccount, UserNotFound, ClaimsTooLong.
    """
    return services.admin_users.set_role(ctx, user_id, body.role)


def disable_user(services: Services, ctx: Context, user_id: UserId, body: DisableUser) -> UserAccount:
    """Keep a user out, and end all his sessions.

    Raises:
        OwnAccount, UserNotFound.
    """
    return services.admin_users.disable(ctx, user_id, body.reason)


def enable_user(services: Services, ctx: Context, user_id: UserId) -> UserAccount:
    """Let a disabled user in again. He has to sign in; one who deleted his account brings it back by that.

    Raises:
        UserNotFound, ClaimsTooLong.
    """
    return services.admin_users.enable(ctx, user_id)


def list_audit_log(services: Services, ctx: Context, query: ListAuditLog) -> Page[AuditEntry]:
    """What administrators did, the newest first."""
    after = position(query, ctx, "audit-log", services.cursors)
    found, total = with_total(
        query,
        lambda: services.audit.page(query.target, after, query.size, ctx.deadline),
        lambda: services.audit.count(query.target, ctx.deadline),
    )
    return page(found, query, ctx, "audit-log", services.cursors, total=total)
