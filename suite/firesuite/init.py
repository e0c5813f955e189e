"""`firesuite init`: adds to an existing project what is missing for the suite, and changes nothing that is there."""

import argparse
import json
import re
import shutil
import sys
from pathlib import Path
from typing import Any

from firesuite.errors import SuiteError
from firesuite.files import aliases, entries, read_firebase_json, read_json, read_text
from firesuite.fireemu import INSTALL_NODE, PLATFORMS, node_version
from firesuite.manifest import DEFAULT_CONCURRENCY
from firesuite.project import is_python

# The versions that this package is tested with.
FIREEMU = "0.7.1"
FIREBASE_FUNCTIONS = "7.4.0"

_MAIN = """\
from firebase_functions import https_fn


@https_fn.on_request()
def hello(request: https_fn.Request) -> https_fn.Response:
    return https_fn.Response("Hello, world.")
"""


_ENV = f"""\
# gunicorn's threads: as many as a function's concurrency, or requests wait for one of 4.
THREADS={DEFAULT_CONCURRENCY}
"""


def run(options: argparse.Namespace) -> int:
    """Write the missing files into the current directory and say which. The exit code."""
    directory = Path.cwd()
    project_id = options.project or f"demo-{re.sub('[^a-z0-9-]+', '-', directory.name.lower()).strip('-') or 'project'}"
    said = [
        _firebase_json(directory),
        _firebaserc(directory, project_id),
        *_functions(directory),
        _package_json(directory),
    ]
    for text in filter(None, said):
        _say(text)
    if not any(said):
        _say("Nothing was missing.")
    if (missing := _missing_node()) is not None:
        _say(f"Missing: {missing}")
    _say("Next: `npm install --ignore-scripts`, then `firesuite doctor`, then `firesuite up`.")
    return 0


def _missing_node() -> str | None:
    """What keeps the next command, npm, from working."""
    try:
        node_version()
    except SuiteError as error:
        return str(error)
    return None if shutil.which("npm") else f"npm is not installed, which Node comes with. {INSTALL_NODE}"


def _firebase_json(directory: Path) -> str | None:
    path = directory / "firebase.json"
    document = _read(path)
    if document.get("functions"):
        return None
    source = "functions"
    document["functions"] = [
        {"source": source, "codebase": "default", "runtime": f"python3{sys.version_info.minor}", "ignore": ["venv"]}
    ]
    known = path.is_file()
    _write(path, document)
    return f"{'changed' if known else 'wrote'} firebase.json: the Python codebase in {source}/"


def _firebaserc(directory: Path, project_id: str) -> str | None:
    path = directory / ".firebaserc"
    document = _read(path)
    known = aliases(document, path)
    if "default" in known:
        return None
    document["projects"] = {**known, "default": project_id}
    _write(path, document)
    return f"wrote .firebaserc: the project {project_id}"


def _functions(directory: Path) -> list[str]:
    said = []
    for entry in entries(read_firebase_json(directory / "firebase.json"), "functions"):
        source = directory / str(entry.get("source", "functions"))
        if not is_python(directory, entry) or (source / "main.py").exists():
            continue
        source.mkdir(parents=True, exist_ok=True)
        (source / "main.py").write_text(_MAIN, encoding="utf-8")
        said.append(f"wrote {source.name}/main.py: one function that says hello")
        if not (source / ".env").exists():
            (source / ".env").write_text(_ENV, encoding="utf-8")
            said.append(f"wrote {source.name}/.env: as many threads as the platform lets requests in")
        if not (source / "requirements.txt").exists():
            (source / "requirements.txt").write_text("firebase-functions>=0.5\n", encoding="utf-8")
            said.append(f"wrote {source.name}/requirements.txt")
    return said


def _package_json(directory: Path) -> str | None:
    path = directory / "package.json"
    document = _read(path)
    known = path.is_file()
    for key in ("dependencies", "devDependencies", "optionalDependencies"):
        if not isinstance(document.get(key, {}), dict):
            raise SuiteError(f"{path}: '{key}' must be an object.")
    optional = document.get("optionalDependencies", {})
    has_functions = any("firebase-functions" in document.get(key, {}) for key in ("dependencies", "devDependencies"))
    if has_functions and any(name.startswith("@fireemu/") for name in optional):
        return None
    if not known:
        document["private"] = True
    if not has_functions:
        document.setdefault("devDependencies", {})["firebase-functions"] = FIREBASE_FUNCTIONS
    document["optionalDependencies"] = {
        **{f"@fireemu/{name}": FIREEMU for name in sorted(PLATFORMS.values())},
        **optional,
    }
    _write(path, document)
    return f"{'changed' if known else 'wrote'} package.json: fireemu, and firebase-functions to deliver events through"


def _read(path: Path) -> dict[str, Any]:
    return read_json(path) if path.is_file() else {}


def _write(path: Path, document: dict[str, Any]) -> None:
    """As the file was indented before; what was there already stays as it was."""
    text = read_text(path) if path.is_file() else ""
    indented = re.search(r"^\{\s*?\n([ \t]+)\S", text)
    written = json.dumps(document, indent=indented[1] if indented else 2, ensure_ascii=False)
    path.write_text(written if text and not text.endswith("\n") else f"{written}\n", encoding="utf-8")


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
