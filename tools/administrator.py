"""`make admin PROJECT=dev EMAIL=you@example.com`: the first administrator, whom no other can make one.

Everybody after that is made one by `PUT /v1/admin/users/{id}/role`, which leaves an entry in the audit log.
"""

import json
import sys
from typing import Any, Final

from firesuite.errors import SuiteError
from tools.environments import Environment, UnknownEnvironment
from tools.provision.cloud import Cloud, CommandFailed
from wattle.accounts.claims import role_in, with_role
from wattle.context import Role

_ACCOUNTS: Final = "https://identitytoolkit.googleapis.com/v1/projects/{}/accounts:{}"


def run(*, project: str, email: str) -> int:
    """Make the account with this address an administrator. 1 when there is none, or its address is not proven."""
    try:
        print(appoint(Cloud(Environment.load(project), apply=True), email))
    except (UnknownEnvironment, SuiteError, CommandFailed) as error:
        print(f"admin: {error}", file=sys.stderr)
        return 1
    return 0


def appoint(cloud: Cloud, email: str) -> str:
    """What was done, in a sentence.

    Raises:
        CommandFailed: nobody has this address, or whoever has the account did not prove that it is his.
    """
    account = _account(cloud, email)
    # Anybody may register with anybody's address.
    if not account.get("emailVerified"):
        raise CommandFailed(f"The address {email} is not proven: follow the link in the mail first.")
    if account.get("disabled"):
        raise CommandFailed(f"The account of {email} is disabled.")
    claims = json.loads(account.get("customAttributes") or "{}")
    if role_in(claims) is Role.ADMIN:
        return f"{email} is an administrator of {cloud.project_id} already."
    changed = {"localId": account["localId"], "customAttributes": json.dumps(with_role(claims, Role.ADMIN))}
    cloud.post(_ACCOUNTS.format(cloud.project_id, "update"), changed)
    return f"{email} is an administrator of {cloud.project_id} with the next sign-in or refresh."


def _account(cloud: Cloud, email: str) -> dict[str, Any]:
    found = cloud.post(_ACCOUNTS.format(cloud.project_id, "lookup"), {"email": [email]}) or {}
    if not found.get("users"):
        raise CommandFailed(f"Nobody in {cloud.project_id} has the address {email}: register first.")
    account: dict[str, Any] = found["users"][0]
    return account
