"""`make deploy PROJECT=staging`: rules, indexes, functions, Hosting, in the order in which one needs another.

It refuses before anything is changed: a tree with changes that nobody committed, production from anything but its tag,
a preflight that fails, a project that is not provisioned or is another environment. Every part can be deployed twice,
so a deployment that was killed is finished by running it again.
"""

import json
import re
import subprocess
import sys
import time
import tomllib
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from firesuite.errors import SuiteError
from tools import provision
from tools.doctor import preflight
from tools.environments import PRODUCTION, ROOT, Environment, UnknownEnvironment
from tools.provision import identities
from tools.provision import project as provisioned
from tools.provision.cloud import FIREBASE, Cloud, CommandFailed, alone
from wattle.config import REGION

_INDEXES_POLLED_EVERY: Final = 15.0
# An index over 100,000 documents takes some minutes; beyond this somebody should look at the console.
_INDEXES_SECONDS: Final = 3600.0
_ANSWERS_WITHIN: Final = 120.0


class Refused(Exception):
    """This must not be deployed, or not there; nothing was changed. The message says what to do."""


def run(*, project: str, yes: bool) -> int:
    """Deploy. 1 when it was refused or something failed on the way."""
    try:
        environment = Environment.load(project)
        version = guard(environment)
        _pass_preflight(project)
        if environment.alias == PRODUCTION and not yes:
            _confirm(environment, version)
        with alone():
            cloud = Cloud(environment, apply=False)
            look(cloud)
            deploy(Cloud(environment, apply=True), version)
    except (Refused, UnknownEnvironment, SuiteError) as error:
        print(f"deploy: {error}\nNothing was changed.", file=sys.stderr)
        return 1
    except CommandFailed as error:
        print(
            f"deploy: {error}\nRun it again when this is mended: what is deployed is not harmed by it.", file=sys.stderr
        )
        return 1
    return 0


def _pass_preflight(alias: str) -> None:
    if preflight(alias, quiet=True) != 0:
        raise Refused("The preflight fails.")


def guard(environment: Environment, root: Path = ROOT) -> str:
    """What is deployed, as git calls it.

    Raises:
        Refused: the tree has changes, or production would not be a release.
    """
    if _git(root, "status", "--porcelain"):
        raise Refused("There are changes that are not committed: nobody could say later what was deployed.")
    if environment.alias == PRODUCTION:
        version = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
        tags = _git(root, "tag", "--points-at", "HEAD").split()
        if f"v{version}" not in tags:
            raise Refused(
                f"Production takes releases only, and what is checked out is not tagged v{version}, the version of"
                f" pyproject.toml: `git tag -a v{version}`, or check a release out."
            )
        changes = (root / "CHANGELOG.md").read_text(encoding="utf-8")
        if not re.search(rf"^## {re.escape(version)}\b", changes, re.MULTILINE):
            raise Refused(
                f"CHANGELOG.md does not say what {version} changed: what is under Unreleased goes below"
                f" `## {version}`, and that commit is the one to tag (docs/versioning.md, A release)."
            )
        return f"v{version}"
    return _git(root, "describe", "--always", "--tags")


def look(cloud: Cloud) -> None:
    """Is this the project that it is meant to be, and is everything there that the functions need?

    Raises:
        Refused, CommandFailed.
    """
    described = provisioned.describe(cloud)
    alias = cloud.environment.alias
    said = described.get("labels", {}).get(provisioned.LABEL)
    if said not in (None, alias):
        raise Refused(f"{cloud.project_id} says that it is {said}, not {alias}: .firebaserc names the wrong project.")
    app_check = cloud.environment.settings.get("APP_CHECK_PROJECT_NUMBER")
    if app_check and app_check != described["projectNumber"]:
        raise Refused(
            f"APP_CHECK_PROJECT_NUMBER in functions/.env.{alias} is {app_check}, the number of {cloud.project_id} is"
            f" {described['projectNumber']}: the settings are of another project."
        )
    provision.carry_out(cloud, provision.REQUIRED)
    if cloud.changes:
        raise Refused(f"{cloud.project_id} is not ready: `make provision PROJECT={alias}` makes what is named above.")
    extra = sorted({one["id"] for one in cloud.firebase("functions:list")} - set(_endpoints()))
    if extra:
        raise Refused(
            f"These functions are deployed and not in main.py: {', '.join(extra)}. Deploying would remove them. If that"
            f" is meant: `firebase functions:delete {extra[0]} --region {REGION} --project {alias}`, each."
        )


def deploy(cloud: Cloud, version: str, pause: Callable[[float], None] = time.sleep) -> None:
    """Rules before the functions that count on them; indexes built before the functions that ask for them.

    Raises:
        CommandFailed.
    """
    print(f"Deploying {version} to {cloud.environment.alias} ({cloud.project_id})", flush=True)
    _firebase(cloud, version, "firestore:rules")
    _firebase(cloud, version, "firestore:indexes")
    wait_for_indexes(cloud, pause)
    # --force: without it firebase asks about functions that are retried, and gives up where it cannot ask. What it
    # would remove by it, `look` has refused.
    _firebase(cloud, version, "functions", "--force")
    let_events_in(cloud)
    _firebase(cloud, version, "hosting")
    services = {
        name: cloud.gcloud("run", "services", "describe", name, f"--region={REGION}")["status"]
        for name in map(str.lower, _endpoints())  # as Cloud Functions names them
    }
    url = services["api"]["url"]
    print(f"{url} answers: revision {wait_for_answer(url, pause)}", flush=True)
    refuse_pinned(cloud, services)


def refuse_pinned(cloud: Cloud, services: Mapping[str, Any]) -> None:
    """Whoever went back to a revision by `update-traffic` has pinned it: what is deployed afterwards is not served, and
    the old one answers as well as ever.

    Raises:
        CommandFailed: a service's requests go elsewhere than to what was deployed.
    """
    pinned = [
        name
        for name, status in services.items()
        if any(target.get("percent") and not target.get("latestRevision") for target in status.get("traffic", ()))
    ]
    if pinned:
        commands = "\n".join(
            f"  gcloud run services update-traffic {name} --to-latest --region {REGION} --project {cloud.project_id}"
            for name in pinned
        )
        raise CommandFailed(
            f"It is deployed, and not served: the requests of {', '.join(pinned)} go to the revision that somebody"
            f" chose (docs/operations/bad-deploy.md). When that day is over:\n{commands}"
        )


def wait_for_indexes(cloud: Cloud, pause: Callable[[float], None]) -> None:
    """Until every index is built: a query fails while its index is not.

    Raises:
        CommandFailed: one cannot be built, or an hour has passed.
    """
    waited = 0.0
    database = "--database=(default)"
    while True:
        composites = cloud.gcloud("firestore", "indexes", "composite", "list", database)
        fields = cloud.gcloud("firestore", "indexes", "fields", "list", database)
        singles = [index for field in fields for index in field.get("indexConfig", {}).get("indexes", ())]
        states = [str(index.get("state")) for index in [*composites, *singles]]
        if "NEEDS_REPAIR" in states:
            raise CommandFailed("An index cannot be built (NEEDS_REPAIR): see Firestore, Indexes in the console.")
        building = states.count("CREATING")
        if not building:
            return
        if waited >= _INDEXES_SECONDS:
            raise CommandFailed(
                f"{building} indexes are not built after {waited / 60:.0f} minutes. No function was deployed."
            )
        print(f"{building} of {len(states)} indexes are being built", flush=True)
        pause(_INDEXES_POLLED_EVERY)
        waited += _INDEXES_POLLED_EVERY


def let_events_in(cloud: Cloud) -> None:
    """Each function that takes events is called by its own account, which needs leave on the function. Until it has it,
    Eventarc keeps the events and tries again."""
    for name, endpoint in _endpoints().items():
        if "eventTrigger" not in endpoint:
            continue
        service = name.lower()  # as Cloud Functions names it
        account = str(endpoint["serviceAccountEmail"]).replace("{{ params.PROJECT_ID }}", cloud.project_id)
        binding = ("roles/run.invoker", f"serviceAccount:{account}")
        where = f"--region={REGION}"
        if binding not in identities.granted(cloud.gcloud("run", "services", "get-iam-policy", service, where)):
            role, member = binding
            cloud.change(
                f"events reach {name}",
                *("run", "services", "add-iam-policy-binding", service, where, f"--member={member}", f"--role={role}"),
            )


def wait_for_answer(url: str, pause: Callable[[float], None]) -> str:
    """The revision that answers that it is ready, the database included.

    Raises:
        CommandFailed: it does not within two minutes.
    """
    waited, last = 0.0, ""
    while waited < _ANSWERS_WITHIN:
        try:
            with urllib.request.urlopen(f"{url}/health/ready", timeout=30) as response:  # noqa: S310 (gcloud's own answer)
                return str(json.load(response)["data"]["version"])
        except (OSError, ValueError, KeyError) as error:
            last = str(error)
        pause(5)
        waited += 5
    raise CommandFailed(
        f"{url}/health/ready does not answer as it should: {last}. It is deployed: see docs/deploy.md, Going back."
    )


def _firebase(cloud: Cloud, version: str, target: str, *options: str) -> None:
    """By the alias, not the project: firebase reads .env.ALIAS only then."""
    alias = cloud.environment.alias
    command = [str(FIREBASE), "deploy", "--only", target, f"--project={alias}", "--non-interactive", *options]
    print(f"+ {target}", flush=True)
    if subprocess.run([*command, f"--message={version}"], cwd=ROOT, check=False).returncode != 0:  # noqa: S603 (built here)
        raise CommandFailed(f"firebase could not deploy {target}; its output is above.")


def _endpoints() -> Mapping[str, Any]:
    document = yaml.safe_load((ROOT / "functions" / "functions.yaml").read_text(encoding="utf-8"))
    endpoints: Mapping[str, Any] = document["endpoints"]
    return endpoints


def _confirm(environment: Environment, version: str) -> None:
    if not sys.stdin.isatty():
        raise Refused("Nobody can be asked here: say --yes if production is meant.")
    if input(f"{version} to production. Type the project id to go on: ").strip() != environment.project_id:
        raise Refused("That is not the id of the project.")


def _git(root: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=True)  # noqa: S603, S607 (git)
    return done.stdout.strip()
