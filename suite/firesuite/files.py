"""Reads a project's files. What is wrong with one is a SuiteError that names it, and the line where there is one."""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from firesuite.errors import SuiteError
from firesuite.ports import Ports


def read_text(path: Path) -> str:
    """Raises FileNotFoundError, and SuiteError for what is not UTF-8."""
    content = path.read_bytes()
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise SuiteError(f"{path}, line {line}: not valid UTF-8.") from None


def read_json(path: Path) -> dict[str, Any]:
    """The object that it holds. Raises FileNotFoundError, and SuiteError for one that holds none."""
    try:
        document = json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise SuiteError(f"{path}, line {error.lineno}: not valid JSON ({error.msg}).") from None
    if not isinstance(document, dict):
        raise SuiteError(f"{path}: must hold one JSON object.")
    return document


def read_firebase_json(path: Path) -> dict[str, Any]:
    """The sections that it has; each is an object, or a list of them where Firebase takes one. Raises like `read_json`,
    and SuiteError for a section of another shape."""
    document = {name: section for name, section in read_json(path).items() if section is not None}
    for name in ("functions", "firestore", "storage", "hosting"):
        if not all(isinstance(entry, dict) for entry in _listed(document.get(name, []))):
            raise SuiteError(f"{path}: '{name}' must be an object or a list of objects.")
    emulators = document.get("emulators", {})
    if not isinstance(emulators, dict):
        raise SuiteError(f"{path}: 'emulators' must be an object.")
    for field in dataclasses.fields(Ports):
        if not isinstance(emulators.get(field.name, {}), dict):
            raise SuiteError(f"{path}: 'emulators.{field.name}' must be an object.")
    return document


def entries(firebase_json: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    """A section that may be one object or a list of them, as a list."""
    return _listed(firebase_json.get(name, []))


def _listed(section: Any) -> list[Any]:
    return section if isinstance(section, list) else [section]


def aliases(firebaserc: Mapping[str, Any], path: Path) -> dict[str, str]:
    """The projects' ids in what `path`, a .firebaserc, holds, by their aliases. Raises SuiteError."""
    projects = firebaserc.get("projects", {})
    if not isinstance(projects, dict) or not all(isinstance(value, str) for value in projects.values()):
        raise SuiteError(f"{path}: 'projects' must map aliases to project ids.")
    return projects
