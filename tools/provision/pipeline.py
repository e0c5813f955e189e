"""Deployment by GitHub Actions without a key: a workflow of this repository, in its environment of this name, is the
account `deployer`, by workload identity federation."""

from typing import Final

from tools.provision import identities
from tools.provision.cloud import Cloud
from tools.provision.project import describe

POOL: Final = "github"
PROVIDER: Final = "github"
DEPLOYER: Final = "deployer"
_BUILDS: Final = "{}-compute@developer.gserviceaccount.com"
# The account that a project with App Engine has, as older ones do. firebase-tools deploys functions for nobody who may
# not act as it (its checkIam.js), though none of ours runs as it.
_APP_ENGINE: Final = "{}@appspot.gserviceaccount.com"
# What a token of GitHub's says, and we call it. Not the subject: it has held the numbers of the owner and the
# repository since June 2026, but only for repositories that were made, renamed or transferred since.
# Source: GitHub, "OpenID Connect reference", immutable subject claims.
_ATTRIBUTES: Final = {
    "google.subject": "assertion.sub",
    "attribute.deployment": "assertion.repository+':'+assertion.environment",
}
# What `make deploy` does: rules, indexes, functions, schedules, queues, Hosting; and before, that it looks whether
# everything is there. It may not grant roles on the project, read a secret, or read a document.
ROLES: Final = (
    "roles/firebaserules.admin",
    "roles/datastore.indexAdmin",
    "roles/cloudfunctions.admin",
    "roles/run.admin",
    "roles/cloudscheduler.admin",
    "roles/cloudtasks.queueAdmin",
    "roles/firebasehosting.admin",
    "wattleDeployer",
    "roles/artifactregistry.reader",
    "roles/secretmanager.viewer",
    "roles/iam.securityReviewer",
    "roles/serviceusage.serviceUsageConsumer",
)


def deployer(cloud: Cloud) -> None:
    if not cloud.environment.project["github"]:
        return
    there = {one["email"] for one in cloud.gcloud("iam", "service-accounts", "list")}
    identities.make_account(cloud, there, DEPLOYER, "Wattle, deployment by GitHub Actions")
    member = f"serviceAccount:{identities.address(cloud, DEPLOYER)}"
    have = identities.granted(cloud.gcloud("projects", "get-iam-policy", cloud.project_id))
    identities.grant(cloud, {(identities.role(cloud, name), member) for name in ROLES} - have)
    # Who deploys a function must be allowed to act as it, and as who builds it.
    for name in identities.declared()["accounts"]:
        identities.let_act_as(cloud, member, identities.address(cloud, name))
    identities.let_act_as(cloud, member, _BUILDS.format(describe(cloud)["projectNumber"]))
    if (app_engine := _APP_ENGINE.format(cloud.project_id)) in there:
        identities.let_act_as(cloud, member, app_engine)


def federation(cloud: Cloud) -> None:
    """Only the repository that the file names, and in it only workflows in the GitHub environment of this alias: who
    may start those, and who must approve, is set there."""
    repository = cloud.environment.project["github"]
    if not repository:
        return
    pools = cloud.gcloud("iam", "workload-identity-pools", "list", "--location=global")
    if POOL not in {one["name"].rpartition("/")[2] for one in pools}:
        cloud.change(
            f"identity pool {POOL}",
            *("iam", "workload-identity-pools", "create", POOL, "--location=global", "--display-name=GitHub Actions"),
        )
        providers = []
    else:
        where = ("--location=global", f"--workload-identity-pool={POOL}")
        providers = cloud.gcloud("iam", "workload-identity-pools", "providers", "list", *where)
    condition = f"assertion.repository == '{repository}'"
    found = next((one for one in providers if one["name"].rpartition("/")[2] == PROVIDER), None)
    if found is None or (found.get("attributeCondition"), found.get("attributeMapping")) != (condition, _ATTRIBUTES):
        verb = "update-oidc" if found else "create-oidc"
        cloud.change(
            f"identity provider {PROVIDER}, for {repository}",
            *("iam", "workload-identity-pools", "providers", verb, PROVIDER, "--location=global"),
            *(f"--workload-identity-pool={POOL}", "--issuer-uri=https://token.actions.githubusercontent.com"),
            "--attribute-mapping=" + ",".join(f"{name}={value}" for name, value in _ATTRIBUTES.items()),
            f"--attribute-condition={condition}",
            until_known=identities.NOT_KNOWN_YET,
        )
    number = describe(cloud)["projectNumber"]
    pool = f"projects/{number}/locations/global/workloadIdentityPools/{POOL}"
    identities.let_act_as(
        cloud,
        f"principalSet://iam.googleapis.com/{pool}/attribute.deployment/{repository}:{cloud.environment.alias}",
        identities.address(cloud, DEPLOYER),
        "roles/iam.workloadIdentityUser",
    )
