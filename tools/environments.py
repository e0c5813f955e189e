"""The projects that Wattle is deployed to: an alias of .firebaserc each, and what differs between them.

What the functions are told stands in functions/.env (all of them) and functions/.env.ALIAS; what the project is like
stands in ops/environments/ALIAS.yaml. The local project, demo-wattle, is none of them: nothing is deployed to it.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import yaml

from firesuite import dotenv

ROOT: Final = Path(__file__).resolve().parent.parent
# Resource Manager, `projects`: 6 to 30 lower case letters, digits and hyphens; a letter first and no hyphen last.
_PROJECT_ID: Final = re.compile(r"[a-z][a-z0-9-]{4,28}[a-z0-9]")
PRODUCTION: Final = "production"
_KEYS: Final = frozenset({"billingAccount", "budget", "alertEmail", "firestore", "apps", "github"})


class UnknownEnvironment(Exception):
    """The alias is none, or what stands for it is no project; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Environment:
    alias: str
    project_id: str
    settings: dict[str, str]
    """What the functions are told, the shared settings included; no secrets."""
    project: Mapping[str, Any]
    """ops/environments/ALIAS.yaml."""

    @classmethod
    def load(cls, alias: str, root: Path = ROOT) -> Self:
        """Read what stands in the files.

        Raises:
            UnknownEnvironment, and SuiteError for a settings file that cannot be read.
        """
        projects = aliases(root)
        if alias not in projects:
            raise UnknownEnvironment(f"{alias!r} is no environment: it must be one of {', '.join(sorted(projects))}.")
        project_id = projects[alias]
        if not _PROJECT_ID.fullmatch(project_id):
            raise UnknownEnvironment(
                f"{alias} has no project yet: put its project id in .firebaserc, in place of {project_id!r}."
            )
        if project_id.startswith("demo-"):
            raise UnknownEnvironment(f"{project_id} is for emulators only: nothing can be deployed to a demo- project.")
        shared = sorted(other for other, id_ in projects.items() if id_ == project_id and other != alias)
        if shared:
            raise UnknownEnvironment(
                f"{alias} and {', '.join(shared)} are one project, {project_id}: in .firebaserc, give each its own."
            )
        functions = root / "functions"
        document = _project(root, f"ops/environments/{alias}.yaml")
        return cls(
            alias=alias,
            project_id=project_id,
            settings=dotenv.read(functions / ".env") | dotenv.read(functions / f".env.{alias}"),
            project=document,
        )


def _project(root: Path, name: str) -> dict[str, Any]:
    try:
        document = yaml.safe_load((root / name).read_text(encoding="utf-8"))
    except (FileNotFoundError, yaml.YAMLError) as error:
        raise UnknownEnvironment(f"{name} cannot be read: {error}") from None
    missing = _KEYS - set(document if isinstance(document, dict) else ())
    if missing:
        raise UnknownEnvironment(f"{name} lacks {', '.join(sorted(missing))}: empty is fine, left out is not.")
    whole: dict[str, Any] = document
    return whole


def shared(root: Path = ROOT) -> Environment:
    """What all have in common, for whoever looks at a checkout before any environment has a project."""
    return Environment("shared", "no-project-yet", dotenv.read(root / "functions" / ".env"), {})


def aliases(root: Path = ROOT) -> dict[str, str]:
    """The project id of each environment, by its alias."""
    projects: dict[str, str] = json.loads((root / ".firebaserc").read_text(encoding="utf-8"))["projects"]
    return {alias: project_id for alias, project_id in projects.items() if alias != "default"}
