"""fireemu: one binary that is Firestore, Auth, the event side of functions, schedules, task queues, the hub and the UI.

It runs no Python, so it gets a firebase.json of its own, derived from the project's, in which the twins are the
functions.
"""

import contextlib
import dataclasses
import json
import platform
import re
import stat
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from firesuite.errors import SuiteError
from firesuite.files import entries
from firesuite.ports import HOST, Ports
from firesuite.project import Project

PLATFORMS = {
    ("linux", "x86_64"): "linux-x64",
    ("linux", "aarch64"): "linux-arm64",
    ("darwin", "x86_64"): "darwin-x64",
    ("darwin", "arm64"): "darwin-arm64",
}

TWINS = "firesuite-twins"
"""The name of the twins' codebase, beside those of the project's own that fireemu runs."""

_NODE_MAJOR = 20
INSTALL_NODE = (
    f"Install Node {_NODE_MAJOR} or newer: `nvm install {_NODE_MAJOR}`, `brew install node@{_NODE_MAJOR}`, or"
    " https://nodejs.org/en/download."
)

# Events that fireemu has in work at the same time; its default of 8 lets one slow function hold up all others.
_CONCURRENT_EVENTS = 64
_DEFAULT_STORAGE_RULES = """\
rules_version = '2';
service firebase.storage {
  match /b/{bucket}/o {
    match /{path=**} {
      allow read, write: if CONDITION;
    }
  }
}
"""
# Of firebase.json's firestore section.
_FOR_DEPLOYMENT = frozenset({"location", "edition", "dataAccessMode", "predeploy", "postdeploy"})


def find_binary(directory: Path) -> Path:
    """fireemu's binary in the node_modules of `directory` or one above it.

    Raises SuiteError for a platform it is not built for, and when it is not installed.
    """
    key = (sys.platform, platform.machine())
    if key not in PLATFORMS:
        known = ", ".join(sorted(PLATFORMS.values()))
        raise SuiteError(f"There is no fireemu for {'-'.join(key)}: the suite runs on {known}.")
    package = PLATFORMS[key]
    for node_modules in node_modules_above(directory):
        binary = node_modules / "@fireemu" / package / "bin" / "fireemu"
        if binary.is_file():
            mode = binary.stat().st_mode
            if not mode & stat.S_IXUSR:  # npm unpacks it without its run bit
                binary.chmod(mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
            return binary
    command = _install_command(directory, f"@fireemu/{package}")
    raise SuiteError(f"fireemu is not installed in {directory}: run `{command}` there.")


def _install_command(directory: Path, package: str) -> str:
    """What installs this npm package in a project that names it, or does not yet."""
    with contextlib.suppress(FileNotFoundError):
        if f'"{package}"' in (directory / "package.json").read_text(encoding="utf-8"):
            return "npm ci" if (directory / "package-lock.json").is_file() else "npm install --ignore-scripts"
    return "firesuite init && npm install --ignore-scripts"


def node_version() -> str:
    """Raises SuiteError unless `node` is one that fireemu can run the twins with."""
    try:
        version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout.strip()  # noqa: S607 - the user's own node
    except (OSError, subprocess.CalledProcessError):
        raise SuiteError(f"Node is not installed: events need it. {INSTALL_NODE}") from None
    major = int(version.removeprefix("v").partition(".")[0])
    if major < _NODE_MAJOR:
        raise SuiteError(f"Node {version} is too old: events need a newer one. {INSTALL_NODE}")
    return version


def find_node_modules(directory: Path) -> Path:
    """The node_modules that holds firebase-functions. Raises SuiteError when there is none."""
    for node_modules in node_modules_above(directory):
        if (node_modules / "firebase-functions" / "package.json").is_file():
            return node_modules
    command = _install_command(directory, "firebase-functions")
    raise SuiteError(
        f"firebase-functions is not installed in {directory}: events are delivered through it. Run `{command}` there."
    )


def node_modules_above(directory: Path) -> Iterator[Path]:
    for candidate in (directory, *directory.parents):
        if (candidate / "node_modules").is_dir():
            yield candidate / "node_modules"


@dataclasses.dataclass(frozen=True, slots=True)
class Configuration:
    """What fireemu is started with. The `private_` ones are ports nobody else needs to know."""

    project: Project
    ports: Ports
    profile: str
    twins: Path | None
    private_functions: int
    private_hub: int
    private_tasks: int
    services: frozenset[str]
    """Of `auth`, `firestore`, `functions`, `storage`, `pubsub`."""
    data: Path | None = None
    """What `firebase emulators:export` or fireemu has exported, to begin with."""
    export_to: Path | None = None
    """Where to export it at the end."""

    def importing(self, data: Path) -> "Configuration":
        """The same, beginning with this data."""
        return dataclasses.replace(self, data=data)

    def require_files(self) -> None:
        """Raises SuiteError, as `write` does, for rules or indexes that are not there."""
        with_absolute_paths(self.project.firebase_json.get("firestore", {}), self.project.directory)
        if "storage" in self.services:
            _storage_rules(self.project)

    def write(self, directory: Path) -> list[str]:
        """Write its files into `directory` and return its arguments. Raises SuiteError."""
        (directory / "firebase.json").write_text(json.dumps(self._firebase_json(directory), indent=2), encoding="utf-8")
        fireemu = {
            "schemaVersion": 1,
            "profile": self.profile,
            "firebaseJson": "firebase.json",
            "firestore": {"edition": "standard", "apiMode": "native"},
            "functions": {"maxGlobalConcurrency": _CONCURRENT_EVENTS},
        }
        (directory / "fireemu.json").write_text(json.dumps(fireemu, indent=2), encoding="utf-8")
        return [
            "up",
            "--config",
            "fireemu.json",
            "--project",
            self.project.project_id,
            "--only",
            ",".join(sorted(self.services)),
            "--log-verbosity",
            "quiet",
            *(["--import", str(self.data)] if self.data is not None else []),
            *(["--export-on-exit", str(self.export_to)] if self.export_to is not None else []),
        ]

    def _firebase_json(self, directory: Path) -> dict[str, Any]:
        ports = self.ports
        ui = self.project.firebase_json.get("emulators", {}).get("ui", {})
        emulators = {
            "auth": ports.auth,
            "firestore": ports.firestore,
            "functions": self.private_functions,
            "hub": self.private_hub,
            "logging": ports.logging,
            "eventarc": ports.eventarc,
            "tasks": self.private_tasks,
            "ui": ports.ui,
            **({"storage": ports.storage} if "storage" in self.services else {}),
            **({"pubsub": ports.pubsub} if "pubsub" in self.services else {}),
        }
        derived: dict[str, Any] = {
            "emulators": {name: {"host": HOST, "port": port} for name, port in emulators.items()},
        }
        derived["emulators"]["ui"]["enabled"] = ui.get("enabled", True)
        if firestore := self.project.firebase_json.get("firestore"):
            derived["firestore"] = with_absolute_paths(firestore, self.project.directory)
        if "storage" in self.services:
            derived["storage"] = self._storage(directory)
        if functions := self._functions():
            derived["functions"] = functions
        return derived

    def _functions(self) -> list[dict[str, str]]:
        """The twins, and the codebases that it runs itself."""
        found = [
            {
                "source": str(codebase.source),
                "codebase": codebase.name,
                **({"runtime": codebase.runtime} if codebase.runtime else {}),
            }
            for codebase in self.project.node_codebases
        ]
        if self.twins is not None:
            found.append({"source": str(self.twins), "codebase": TWINS, "runtime": "nodejs20"})
        return found

    def _storage(self, directory: Path) -> dict[str, Any]:
        """The project's rules for its default bucket; where it has none, those of `without_storage_rules`."""
        rules = _storage_rules(self.project)
        if rules is None:
            rules = directory / "storage.rules"
            condition = "true" if _is_demo(self.project) else "false"
            rules.write_text(_DEFAULT_STORAGE_RULES.replace("CONDITION", condition), encoding="utf-8")
        return {"rules": str(rules)}


def _storage_rules(project: Project) -> Path | None:
    entry = next(iter(entries(project.firebase_json, "storage")), {})
    if "rules" not in entry:
        return None
    rules = project.directory / str(entry["rules"])
    if not rules.is_file():
        raise SuiteError(f"{project.directory / 'firebase.json'}: storage.rules names {rules}, which is not there.")
    return rules


def without_storage_rules(project: Project) -> str | None:
    """What to tell of a project that uses Storage and names no rules for it. Google's emulator opens those whose id
    begins with `demo-`, and refuses to start for others; here Storage is there for functions, and closed to clients."""
    entry = next(iter(entries(project.firebase_json, "storage")), {})
    if "storage" not in used_ports(project) or "rules" in entry:
        return None
    how = "open to everybody" if _is_demo(project) else "closed to all but the Admin SDK"
    return f"firebase.json names no storage.rules: Storage is {how}."


def _is_demo(project: Project) -> bool:
    return project.project_id.startswith("demo-")


# How fireemu says at its start what is wrong with a file.
_REFUSALS = (
    re.compile(r"error: (?:storage )?rules source (?P<file>.+) does not parse: (?P<line>\d+):\d+: (?P<what>.+)"),
    re.compile(r"error: (?P<file>/.+?): (?P<what>.+) at line (?P<line>\d+) column \d+"),
)


def refusal(lines: Sequence[str]) -> str | None:
    """Why it refused to start, from what it said: with the file and the line where it is one of the project's files."""
    for text in lines:
        if text.startswith("error: "):
            match = next(filter(None, (pattern.fullmatch(text) for pattern in _REFUSALS)), None)
            return f"{match['file']}, line {match['line']}: {match['what']}." if match else text.removeprefix("error: ")
    return None


_RULES_NOT_TAKEN = re.compile(
    r"warning: (?P<service>\w+) rules reload failed; keeping the last-known-good rules: (?P<line>\d+):\d+: (?P<what>.+)"
)


def told(text: str, project: Project) -> str:
    """A line of its output; one about rules that were saved with an error names their file, which fireemu's lacks."""
    match = _RULES_NOT_TAKEN.fullmatch(text)
    section = project.firebase_json.get(match["service"].lower()) if match else None
    if match is None or not isinstance(section, Mapping) or "rules" not in section:
        return text
    file = project.directory / str(section["rules"])
    return f"{file}, line {match['line']}: {match['what']}. The rules from before it was saved stay in force."


def used_ports(project: Project) -> frozenset[str]:
    """Which of `Ports` a suite over this project listens on."""
    used = {"auth", "functions", "firestore", "hub", "ui", "logging", "eventarc", "tasks", "fcm"}
    types = {endpoint.event_type for endpoint in project.manifest.endpoints}
    emulators = project.firebase_json.get("emulators", {})
    if "storage" in project.firebase_json or "storage" in emulators or any(".storage." in kind for kind in types):
        used.add("storage")
    if "pubsub" in emulators or any(".pubsub." in kind for kind in types):
        used.add("pubsub")
    if project.firebase_json.get("hosting"):
        used.add("hosting")
    return frozenset(used)


def with_absolute_paths(firestore: Any, directory: Path) -> Any:
    """The section with the paths of rules and indexes made absolute; it may be a list, one entry for each database.

    Without what only a deployment reads, such as the `location` of a database that is not there yet: fireemu refuses
    keys that it does not know.
    """
    if isinstance(firestore, list):
        return [with_absolute_paths(entry, directory) for entry in firestore]
    derived = {key: value for key, value in firestore.items() if key not in _FOR_DEPLOYMENT}
    for key in ("rules", "indexes"):
        if key in derived:
            path = directory / derived[key]
            if not path.is_file():
                raise SuiteError(f"{directory / 'firebase.json'}: firestore.{key} names {path}, which is not there.")
            derived[key] = str(path)
    return derived


def environment(base: Mapping[str, str], temporary_directory: Path) -> dict[str, str]:
    """Its scratch files go where the suite's are, and vanish with them."""
    return {**base, "TMPDIR": str(temporary_directory)}
