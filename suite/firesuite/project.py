"""A Firebase project as its files describe it: firebase.json, .firebaserc, the functions' manifest and settings."""

import dataclasses
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from firesuite import dotenv
from firesuite.errors import SuiteError
from firesuite.manifest import Manifest
from firesuite.ports import Ports

DEFAULT_IGNORE = ("venv", ".venv", "__pycache__", "node_modules", ".git")


@dataclasses.dataclass(frozen=True, slots=True)
class Codebase:
    """One `functions` entry of firebase.json with a Python runtime."""

    name: str
    source: Path
    python: Path
    manifest: Manifest
    environment: Mapping[str, str]
    """What its .env files set, the later ones over the earlier ones, and .secret.local."""

    @property
    def main(self) -> Path:
        return self.source / "main.py"


@dataclasses.dataclass(frozen=True, slots=True)
class Project:
    """All that a suite needs to know of a project. Read again with `load` after a file changed."""

    directory: Path
    project_id: str
    alias: str | None
    firebase_json: Mapping[str, Any]
    codebase: Codebase | None
    ports: Ports

    @classmethod
    def load(cls, directory: Path, project: str | None = None) -> Self:
        """Read the project in `directory` or the nearest one above it.

        `project` is a project id or an alias of .firebaserc; without it, the alias `default`.
        Raises SuiteError naming the file and the key that is missing or wrong.
        """
        directory = _find(directory.resolve())
        firebase_json = _json_object(directory / "firebase.json")
        aliases = _aliases(directory / ".firebaserc")
        wanted = project or "default"
        alias = wanted if wanted in aliases else None
        if project is None and alias is None:
            raise SuiteError(
                f'{directory / ".firebaserc"}: no alias "default". Add {{"projects": {{"default": "demo-..."}}}} or'
                " give --project."
            )
        project_id = aliases.get(wanted, wanted)
        emulators = firebase_json.get("emulators") or {}
        if not isinstance(emulators, Mapping):
            raise SuiteError(f"{directory / 'firebase.json'}: 'emulators' must be an object.")
        return cls(
            directory=directory,
            project_id=project_id,
            alias=alias,
            firebase_json=firebase_json,
            codebase=_codebase(directory, firebase_json, project_id, alias),
            ports=Ports.from_firebase_json(emulators),
        )

    def reload(self) -> Self:
        """The project as its files are now, under the same project id."""
        return type(self).load(self.directory, self.alias or self.project_id)


def _find(directory: Path) -> Path:
    for candidate in (directory, *directory.parents):
        if (candidate / "firebase.json").is_file():
            return candidate
    raise SuiteError(f"There is no firebase.json in {directory} or above it: run this in a Firebase project.")


def _json_object(path: Path) -> Mapping[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise SuiteError(f"{path}, line {error.lineno}: not valid JSON ({error.msg}).") from None
    if not isinstance(document, dict):
        raise SuiteError(f"{path}: must hold one JSON object.")
    return document


def _aliases(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    projects = _json_object(path).get("projects", {})
    if not isinstance(projects, dict) or not all(isinstance(value, str) for value in projects.values()):
        raise SuiteError(f"{path}: 'projects' must map aliases to project ids.")
    return projects


def _codebase(directory: Path, firebase_json: Mapping[str, Any], project_id: str, alias: str | None) -> Codebase | None:
    functions = firebase_json.get("functions") or []
    entries = [functions] if isinstance(functions, dict) else functions
    python = [entry for entry in entries if str(entry.get("runtime", "python")).startswith("python")]
    if not python:
        return None
    if len(python) > 1:
        names = ", ".join(str(entry.get("codebase", "default")) for entry in python)
        raise SuiteError(f"{directory / 'firebase.json'}: one Python codebase can be served, not several ({names}).")
    [entry] = python
    source = directory / str(entry.get("source", "functions"))
    if not (source / "main.py").is_file():
        raise SuiteError(f"{source / 'main.py'} is missing: firebase.json names {source.name!r} as functions source.")
    return Codebase(
        name=str(entry.get("codebase", "default")),
        source=source,
        python=_interpreter(source),
        manifest=Manifest.read(source / "functions.yaml"),
        environment=_environment(source, project_id, alias),
    )


def _interpreter(source: Path) -> Path:
    """The codebase's own environment where it has one, as firebase-tools wants it; else the one that runs this."""
    own = source / "venv" / "bin" / "python"
    return own if own.is_file() else Path(sys.executable)


def _environment(source: Path, project_id: str, alias: str | None) -> dict[str, str]:
    names = [".env", f".env.{project_id}", *([f".env.{alias}"] if alias else []), ".env.local", ".secret.local"]
    merged: dict[str, str] = {}
    for name in names:
        merged.update(dotenv.read(source / name))
    return merged
