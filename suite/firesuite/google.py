"""Google's own emulators in place of this suite's: firebase-tools runs them. Auth and Functions need no Java, Firestore
needs Java 21 and a download.

Their firebase.json is derived from the project's, and they see the functions through a directory of links, because they
want a virtual environment in `venv` of the source, and one that leaves no worker behind.
"""

import dataclasses
import json
import os
import re
import shlex
import subprocess
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from firesuite import credentials
from firesuite.errors import SuiteError
from firesuite.fireemu import node_modules_above, with_absolute_paths
from firesuite.ports import HOST, Ports, is_free
from firesuite.project import Codebase, Project

SERVICES = frozenset({"auth", "functions", "firestore"})
WITHOUT_JAVA = frozenset({"auth", "functions"})
EXECUTABLE_VARIABLE = "FIRESUITE_FIREBASE_TOOLS"
_JAVA_MAJOR = 21


def services_named(text: str) -> frozenset[str]:
    """What `--google` says: some of `SERVICES`, with commas between them, or `all`; nothing, where it is empty."""
    return SERVICES if text == "all" else frozenset(filter(None, text.split(",")))


def check_services(named: frozenset[str]) -> None:
    """Raises SuiteError for what Google's emulators cannot serve, or not without the others."""
    if unknown := named - SERVICES:
        known = ", ".join(sorted(SERVICES))
        raise SuiteError(f"Google's emulators can serve {known}, not {', '.join(sorted(unknown))}.")
    if "firestore" in named and not named >= SERVICES:
        raise SuiteError("Google's Firestore knows only Google's users and Google's functions: give --google all.")


def find_executable(directory: Path) -> Path:
    """firebase-tools' `firebase`: what the variable names, or the one in node_modules. Raises SuiteError."""
    if named := os.environ.get(EXECUTABLE_VARIABLE):
        if not Path(named).is_file():
            raise SuiteError(f"{EXECUTABLE_VARIABLE} names {named}, which is not there.")
        return Path(named)
    for node_modules in node_modules_above(directory):
        executable = node_modules / ".bin" / "firebase"
        if executable.is_file():
            return executable
    raise SuiteError(
        "firebase-tools is not installed: run `npm install --no-save --ignore-scripts --omit=optional firebase-tools`,"
        f" or set {EXECUTABLE_VARIABLE} to the path of its `firebase`."
    )


def require_firestore(executable: Path) -> None:
    """Raises SuiteError unless Java and the emulator that this firebase-tools wants are there.

    firebase-tools would fetch the second, 137 MB, in the middle of a start.
    """
    try:
        done = subprocess.run(["java", "-version"], capture_output=True, text=True, check=True)  # noqa: S607 - the user's own
    except (OSError, subprocess.CalledProcessError):
        raise SuiteError(f"Java is not installed: Google's Firestore emulator needs version {_JAVA_MAJOR}.") from None
    found = re.search(r'version "(?:1\.)?(\d+)', done.stderr + done.stdout)
    if found is None or int(found[1]) < _JAVA_MAJOR:
        version = found[1] if found else "of an unknown version"
        raise SuiteError(f"Java is {version}: Google's Firestore emulator needs version {_JAVA_MAJOR}.")
    package = executable.resolve().parents[2]
    try:
        details = json.loads((package / "lib/emulator/downloadableEmulatorInfo.json").read_text(encoding="utf-8"))
        name = details["firestore"]["downloadPathRelativeToCacheDir"]
    except (OSError, ValueError, KeyError):
        return  # another layout than 15.34's: firebase-tools itself will say what it lacks
    cache = Path(os.environ.get("FIREBASE_EMULATORS_PATH") or Path.home() / ".cache" / "firebase" / "emulators")
    if not (cache / name).is_file():
        raise SuiteError(
            f"{cache / name} is missing: run `{executable} setup:emulators:firestore` once, with a network."
        )


@dataclasses.dataclass(frozen=True, slots=True)
class GoogleEmulators:
    """The emulators of `services` for a project, on its public ports; scratch files go into `directory`."""

    project: Project
    ports: Ports
    services: frozenset[str]
    directory: Path

    def command(self) -> list[str | Path]:
        """Write their files, and give the command that starts them in `directory`. Raises SuiteError when something
        is not installed."""
        executable = find_executable(self.project.directory)
        if "firestore" in self.services:
            require_firestore(executable)
        self.directory.mkdir()
        (self.directory / "firebase.json").write_text(json.dumps(self._firebase_json(), indent=2), encoding="utf-8")
        for codebase in self._codebases:
            _link(codebase, self.directory / codebase.name)
        return [
            executable,
            "emulators:start",
            "--project",
            self.project.project_id,
            "--only",
            ",".join(sorted(self.services)),
        ]

    def environment(self, services: Mapping[str, str]) -> dict[str, str]:
        """`services`: the variables with the addresses of the suite's services, which the functions inherit."""
        python = self.project.codebases[0].python.parent if self.project.codebases else Path()
        return {
            **os.environ,
            # firebase-tools asks Google for a token of any account that it finds, and waits a minute for the answer.
            **{name: value for name, value in services.items() if name != credentials.VARIABLE},
            "CI": "1",
            "METADATA_SERVER_DETECTION": "none",
            "NO_GCE_CHECK": "true",
            # It looks for the exact minor version of the runtime, python3.11, on the path.
            "PATH": f"{python}{os.pathsep}{os.environ.get('PATH', '')}",
            # Its hub's locator and its settings are not to meet the user's.
            "TMPDIR": str(self.directory),
            "XDG_CONFIG_HOME": str(self.directory),
        }

    def is_ready(self) -> bool:
        """Whether they answer and list every function. That they say so proves nothing: they do even if none loaded."""
        if "auth" in self.services and _get(self.ports.auth, "/") is None:
            return False
        if "firestore" in self.services and is_free(self.ports.firestore):
            return False
        if not self._codebases:
            return True
        answer = _get(self.ports.functions, "/backends")
        backends = answer["backends"] if answer else []
        loaded = {trigger["name"] for backend in backends for trigger in backend["functionTriggers"]}
        return loaded >= {endpoint.name for endpoint in self.project.manifest.endpoints}

    @property
    def _codebases(self) -> tuple[Codebase, ...]:
        return self.project.codebases if "functions" in self.services else ()

    def _firebase_json(self) -> dict[str, Any]:
        hub, logging, eventarc, tasks = self.ports.others(4)
        ports = {
            "auth": self.ports.auth,
            "functions": self.ports.functions,
            "hub": hub,
            "logging": logging,
            "eventarc": eventarc,
            "tasks": tasks,
            **({"firestore": self.ports.firestore} if "firestore" in self.services else {}),
        }
        derived: dict[str, Any] = {
            "emulators": {
                **{name: {"host": HOST, "port": port} for name, port in ports.items()},
                "ui": {"enabled": False},  # its download fails the whole start where there is no network
                "singleProjectMode": False,
            }
        }
        if "firestore" in self.services and "firestore" in self.project.firebase_json:
            derived["firestore"] = with_absolute_paths(self.project.firebase_json["firestore"], self.project.directory)
        if self._codebases:
            derived["functions"] = [
                {"source": codebase.name, "codebase": codebase.name, "runtime": codebase.runtime}
                for codebase in self._codebases
            ]
        return derived


def _link(codebase: Codebase, directory: Path) -> None:
    """Make `directory` the codebase's source, except for `venv`."""
    binaries = directory / "venv" / "bin"
    binaries.mkdir(parents=True)
    for entry in codebase.source.iterdir():
        if entry.name not in {"venv", "__pycache__"}:
            (directory / entry.name).symlink_to(entry)
    # The emulator runs `. venv/bin/activate && functions-framework` in a shell. With the exec the worker is the
    # emulator's own child, not the shell's, and ends with it.
    framework = codebase.python.parent / "functions-framework"
    (binaries / "activate").write_text(f"exec {shlex.quote(str(framework))}\n", encoding="utf-8")


def _get(port: int, path: str) -> Any:
    """The JSON that a service answers; None while it does not answer 200 with JSON."""
    try:
        with urllib.request.urlopen(f"http://{HOST}:{port}{path}", timeout=5) as response:
            return json.load(response)
    except (OSError, ValueError):
        return None
