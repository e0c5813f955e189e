"""The project itself: billing, the label that says which environment it is, APIs, Firebase, the apps."""

import re
from typing import Any, Final

from tools.environments import ROOT
from tools.provision.cloud import Cloud, CommandFailed, Pending

LABEL: Final = "wattle-environment"
APIS: Final = (
    "serviceusage.googleapis.com",
    "cloudresourcemanager.googleapis.com",
    "cloudbilling.googleapis.com",
    "billingbudgets.googleapis.com",
    "iam.googleapis.com",
    "iamcredentials.googleapis.com",
    "sts.googleapis.com",
    "firebase.googleapis.com",
    "firebaserules.googleapis.com",
    "firebasehosting.googleapis.com",
    "firebaseappcheck.googleapis.com",
    "firebaseinstallations.googleapis.com",
    "fcm.googleapis.com",
    "fcmregistrations.googleapis.com",
    "firestore.googleapis.com",
    "identitytoolkit.googleapis.com",
    "securetoken.googleapis.com",
    "cloudfunctions.googleapis.com",
    "cloudbuild.googleapis.com",
    "artifactregistry.googleapis.com",
    "run.googleapis.com",
    "eventarc.googleapis.com",
    "pubsub.googleapis.com",
    "storage.googleapis.com",
    "cloudtasks.googleapis.com",
    "cloudscheduler.googleapis.com",
    "secretmanager.googleapis.com",
    "logging.googleapis.com",
    "monitoring.googleapis.com",
    "compute.googleapis.com",
)
# Service Usage, `services.batchEnable`: 20 at most.
_APIS_AT_ONCE: Final = 20


def describe(cloud: Cloud) -> dict[str, Any]:
    """The project as Resource Manager has it.

    Raises:
        CommandFailed: there is none, or you may not see it.
    """
    try:
        project: dict[str, Any] = cloud.gcloud("projects", "describe", cloud.project_id)
    except CommandFailed as error:
        raise CommandFailed(
            f"{error}\nIs {cloud.project_id} there, and are you signed in with an account that may see it?"
            f" `gcloud projects create {cloud.project_id}` makes it, `gcloud auth login` signs you in."
        ) from None
    return project


def label(cloud: Cloud) -> None:
    """The project says which environment it is, so that a wrong id in .firebaserc is noticed before a deployment."""
    said = describe(cloud).get("labels", {}).get(LABEL)
    if said == cloud.environment.alias:
        return
    if said is not None:
        raise CommandFailed(
            f"{cloud.project_id} says that it is {said}, not {cloud.environment.alias}: see .firebaserc. If it is to"
            f" become {cloud.environment.alias}, remove its label {LABEL} first."
        )
    name = f"{LABEL}={cloud.environment.alias}"
    cloud.change(f"label {name}", "alpha", "projects", "update", cloud.project_id, f"--update-labels={name}")


def billing(cloud: Cloud) -> None:
    """The Blaze plan is a billing account that pays for the project."""
    if cloud.gcloud("billing", "projects", "describe", cloud.project_id).get("billingEnabled"):
        return
    account = cloud.environment.project["billingAccount"]
    if not account:
        raise CommandFailed(
            f"{cloud.project_id} has no billing account, and Cloud Functions need one: put the id of one into"
            f" ops/environments/{cloud.environment.alias}.yaml (`gcloud billing accounts list`)."
        )
    cloud.change(
        f"billing account {account}", "billing", "projects", "link", cloud.project_id, f"--billing-account={account}"
    )


def apis(cloud: Cloud) -> None:
    enabled = {service["config"]["name"] for service in cloud.gcloud("services", "list", "--enabled")}
    missing = [api for api in APIS if api not in enabled]
    for start in range(0, len(missing), _APIS_AT_ONCE):
        some = missing[start : start + _APIS_AT_ONCE]
        cloud.change(f"APIs {', '.join(some)}", "services", "enable", *some)
    if missing and not cloud.apply:
        raise Pending


def firebase(cloud: Cloud) -> None:
    known = {project["projectId"] for project in cloud.firebase("projects:list")}
    if cloud.project_id not in known:
        cloud.change_by_firebase("Firebase", "projects:addfirebase", cloud.project_id)
        if not cloud.apply:
            raise Pending


def apps(cloud: Cloud) -> None:
    """One app for each platform. The web app is there for its API key alone, which the functions need."""
    there = cloud.firebase("apps:list")
    wanted = cloud.environment.project["apps"]
    if not any(app["platform"] == "WEB" for app in there):
        cloud.change_by_firebase("app for the web", "apps:create", "WEB", "Wattle")
    for platform, option, identifier in (
        ("IOS", "--bundle-id", wanted["ios"]),
        ("ANDROID", "--package-name", wanted["android"]),
    ):
        # Firebase Management, `projects.searchApps`: the namespace is the bundle id or the package name.
        if identifier and (platform, identifier) not in {(app["platform"], app.get("namespace")) for app in there}:
            what = f"app for {platform}, {identifier}"
            cloud.change_by_firebase(what, "apps:create", platform, "Wattle", option, identifier)


def web_api_key(cloud: Cloud) -> None:
    """Into the functions' settings, where it is missing."""
    environment = cloud.environment
    if environment.settings.get("WEB_API_KEY"):
        return
    path = ROOT / "functions" / f".env.{environment.alias}"
    what = f"WEB_API_KEY in functions/{path.name}, to be committed"
    web = [app for app in cloud.firebase("apps:list", "WEB") if app["platform"] == "WEB"]
    if not web:  # only looking
        cloud.changes.append(what)
        return
    key = cloud.firebase("apps:sdkconfig", "WEB", web[0]["appId"])["sdkConfig"]["apiKey"]
    cloud.changes.append(what)
    print(f"+ {what}", flush=True)
    if cloud.apply:
        text = path.read_text(encoding="utf-8")
        filled, found = re.subn(r"(?m)^WEB_API_KEY=.*$", f"WEB_API_KEY={key}", text)
        path.write_text(filled if found else f"{text}WEB_API_KEY={key}\n", encoding="utf-8")


def hosting(cloud: Cloud) -> None:
    """The site that has the project's own name; firebase deploys to no other by itself."""
    sites = {site["name"].rpartition("/")[2] for site in cloud.firebase("hosting:sites:list")["sites"]}
    if cloud.project_id not in sites:
        cloud.change_by_firebase("Hosting site", "hosting:sites:create", cloud.project_id)


def sign_in(cloud: Cloud) -> None:
    """The ways to sign in that firebase.json names. Others need an agreement with who offers them: docs/deploy.md."""
    config = cloud.get(f"https://identitytoolkit.googleapis.com/admin/v2/projects/{cloud.project_id}/config") or {}
    if not config.get("signIn", {}).get("email", {}).get("enabled"):
        cloud.change_by_firebase("sign-in by e-mail and password", "deploy", "--only", "auth")
