"""Who the functions are and what they may do (ops/accounts.yaml), their secret, and Google's own agents."""

import secrets
from functools import cache
from typing import Any, Final

import yaml

from tools.environments import ROOT
from tools.provision.cloud import Cloud
from tools.provision.project import describe
from wattle.config import REGION

SECRET: Final = "SIGNING_SECRET"  # noqa: S105 (its name)
_READS_SECRET: Final = "roles/secretmanager.secretAccessor"  # noqa: S105 (a role)
_ACTS_AS: Final = "roles/iam.serviceAccountUser"
# IAM's words for an account that was made seconds ago.
NOT_KNOWN_YET: Final = r"does not exist|NOT_FOUND|not found"


@cache
def declared() -> dict[str, Any]:
    """ops/accounts.yaml."""
    document: dict[str, Any] = yaml.safe_load((ROOT / "ops" / "accounts.yaml").read_text(encoding="utf-8"))
    return document


def custom_roles(cloud: Cloud) -> None:
    there = {one["name"].rpartition("/")[2] for one in cloud.gcloud("iam", "roles", "list")}
    for name, custom in declared()["customRoles"].items():
        permissions = sorted(custom["includedPermissions"])
        options = (f"--title={custom['title']}", f"--permissions={','.join(permissions)}")
        if name not in there:
            cloud.change(f"role {name}", "iam", "roles", "create", name, *options)
        elif sorted(cloud.gcloud("iam", "roles", "describe", name).get("includedPermissions", ())) != permissions:
            cloud.change(f"role {name}: {', '.join(permissions)}", "iam", "roles", "update", name, *options)


def accounts(cloud: Cloud) -> None:
    there = {one["email"] for one in cloud.gcloud("iam", "service-accounts", "list")}
    for name in declared()["accounts"]:
        make_account(cloud, there, name, f"Wattle, function {name.removeprefix('fn-')}")


def make_account(cloud: Cloud, there: set[str], name: str, title: str) -> None:
    if address(cloud, name) not in there:
        cloud.change(f"account {name}", "iam", "service-accounts", "create", name, f"--display-name={title}")


def roles(cloud: Cloud) -> None:
    """What is declared, and is not there."""
    grant(cloud, _wanted(cloud) - _have(cloud))


def surplus_roles(cloud: Cloud) -> None:
    """What else one of these accounts has on the project is taken back. Nobody needs it to deploy: who goes back to an
    older version is not kept from it by what a newer one was granted."""
    ours = {f"serviceAccount:{address(cloud, name)}" for name in declared()["accounts"]}
    for surplus, member in sorted(binding for binding in _have(cloud) - _wanted(cloud) if binding[1] in ours):
        cloud.change(
            f"take {surplus} from {member.partition(':')[2]}",
            *("projects", "remove-iam-policy-binding", cloud.project_id),
            *(f"--member={member}", f"--role={surplus}", "--condition=None"),
        )


def _have(cloud: Cloud) -> set[tuple[str, str]]:
    return granted(cloud.gcloud("projects", "get-iam-policy", cloud.project_id))


def _wanted(cloud: Cloud) -> set[tuple[str, str]]:
    return {
        (role(cloud, name_of_role), f"serviceAccount:{address(cloud, name)}")
        for name, account in declared()["accounts"].items()
        for name_of_role in account["roles"]
    }


def grant(cloud: Cloud, bindings: set[tuple[str, str]]) -> None:
    """Roles on the project: each a role and a member."""
    for given, member in sorted(bindings):
        cloud.change(
            f"{given} for {member.partition(':')[2]}",
            *("projects", "add-iam-policy-binding", cloud.project_id),
            *(f"--member={member}", f"--role={given}", "--condition=None"),
            until_known=NOT_KNOWN_YET,
        )


def acting_as_itself(cloud: Cloud) -> None:
    """A task carries the identity of who enqueued it, and to lend his own needs leave, too."""
    for name, account in declared()["accounts"].items():
        if account.get("actsAsItself"):
            let_act_as(cloud, f"serviceAccount:{address(cloud, name)}", address(cloud, name))


def let_act_as(cloud: Cloud, member: str, email: str, given: str = _ACTS_AS) -> None:
    there = {one["email"] for one in cloud.gcloud("iam", "service-accounts", "list")}
    # Only looking, it may not have been made.
    policy = cloud.gcloud("iam", "service-accounts", "get-iam-policy", email) if email in there else {}
    if (given, member) not in granted(policy):
        cloud.change(
            f"{given} on {email} for {member.removeprefix('serviceAccount:')}",
            *("iam", "service-accounts", "add-iam-policy-binding", email, f"--member={member}", f"--role={given}"),
            until_known=NOT_KNOWN_YET,
        )


def secret(cloud: Cloud) -> None:
    """Made once, of chance, here: nobody has seen it. A new one makes the cursors that apps hold invalid."""
    there = {one["name"].rpartition("/")[2] for one in cloud.gcloud("secrets", "list")}
    if SECRET not in there:
        cloud.change(
            f"secret {SECRET}",
            *("secrets", "create", SECRET, "--replication-policy=user-managed", f"--locations={REGION}"),
        )
    versions = cloud.gcloud("secrets", "versions", "list", SECRET) if SECRET in there else []
    if not any(version["state"] == "ENABLED" for version in versions):
        cloud.change(
            f"a first version of {SECRET}",
            *("secrets", "versions", "add", SECRET, "--data-file=-"),
            given=secrets.token_hex(32),
        )
    policy = cloud.gcloud("secrets", "get-iam-policy", SECRET) if SECRET in there else {}
    have = granted(policy)
    for name in declared()["accounts"]:
        member = f"serviceAccount:{address(cloud, name)}"
        if (_READS_SECRET, member) not in have:
            cloud.change(
                f"{SECRET} is read by {name}",
                *("secrets", "add-iam-policy-binding", SECRET, f"--member={member}", f"--role={_READS_SECRET}"),
                until_known=NOT_KNOWN_YET,
            )


def service_agents(cloud: Cloud) -> None:
    """What firebase-tools wants granted before it deploys the first function that takes events (its checkIam.js), so
    that who deploys need not be allowed to grant; and that the default account may build, which it may not where the
    organisation keeps it from the Editor role."""
    number = describe(cloud)["projectNumber"]
    build = f"serviceAccount:{number}-compute@developer.gserviceaccount.com"
    wanted = {
        (
            "roles/iam.serviceAccountTokenCreator",
            f"serviceAccount:service-{number}@gcp-sa-pubsub.iam.gserviceaccount.com",
        ),
        (
            "roles/eventarc.serviceAgent",
            f"serviceAccount:service-{number}@gcp-sa-eventarc.iam.gserviceaccount.com",
        ),
        ("roles/run.invoker", build),
        ("roles/eventarc.eventReceiver", build),
        ("roles/cloudbuild.builds.builder", build),
    }
    missing = wanted - _have(cloud)
    for service in ("pubsub", "eventarc"):
        if any(f"gcp-sa-{service}" in member for _, member in missing):
            # It is there only once somebody asked for it.
            cloud.change(
                f"service agent of {service}",
                *("beta", "services", "identity", "create", f"--service={service}.googleapis.com"),
            )
    grant(cloud, missing)


def address(cloud: Cloud, name: str) -> str:
    return f"{name}@{cloud.project_id}.iam.gserviceaccount.com"


def granted(policy: dict[str, Any]) -> set[tuple[str, str]]:
    """Every role and member of a policy, without those that hold only under a condition."""
    bindings = policy.get("bindings", ()) if policy else ()
    return {(one["role"], member) for one in bindings if "condition" not in one for member in one["members"]}


def role(cloud: Cloud, name: str) -> str:
    """Its full name: one of Google's, or one of ours."""
    return name if name.startswith("roles/") else f"projects/{cloud.project_id}/roles/{name}"
