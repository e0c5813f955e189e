"""A Firebase project as its files describe it: firebase.json, .firebaserc, the functions' manifest and settings."""

import dataclasses
import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from firesuite import discovery, dotenv, files, params
from firesuite.errors import SuiteError
from firesuite.manifest import Endpoint, Manifest
from firesuite.params import Parameter
from firesuite.ports import Ports, hosts_beyond_loopback


class LoadFailure(SuiteError):
    """The functions' own code does not load."""


# functions_framework/_http/gunicorn.py
_THREADS_PER_CPU = 4


@dataclasses.dataclass(frozen=True, slots=True)
class Codebase:
    """One `functions` entry of firebase.json with a Python runtime."""

    name: str
    source: Path
    python: Path
    manifest: Manifest
    environment: Mapping[str, str]
    """What its .env files set, the later ones over the earlier ones, and .secret.local."""
    runtime: str
    """As firebase.json names it (`python311`)."""
    discovered: bool
    """Whether the manifest was made by importing main.py, and not read from functions.yaml."""
    without_value: tuple[Parameter, ...]
    """The parameters and secrets that have neither a value nor a default."""
    failure: str | None = None
    """Why no function is known, where main.py was to be imported for that and could not be."""

    @property
    def main(self) -> Path:
        return self.source / "main.py"

    @property
    def venv_command(self) -> str:
        """What makes the functions' own environment, as a person would type it."""
        return _venv_command(self.source, self.runtime)

    def threads(self, endpoint: Endpoint) -> int:
        """How many requests at a time an instance works on: what functions-framework starts gunicorn with, unless the
        settings say otherwise. Raises SuiteError for a setting that is no number."""
        numbers = {"THREADS": _THREADS_PER_CPU * endpoint.cpus, "WORKERS": 1}
        for name in numbers:
            if (text := self.environment.get(name)) is not None:
                if not text.isdecimal() or int(text) < 1:
                    raise SuiteError(f"{self.source / '.env'}: {name} must be a number of at least 1, not {text!r}.")
                numbers[name] = int(text)
        return numbers["THREADS"] * numbers["WORKERS"]


@dataclasses.dataclass(frozen=True, slots=True)
class NodeCodebase:
    """One `functions` entry of firebase.json with a Node runtime, which fireemu runs itself."""

    name: str
    source: Path
    runtime: str | None


@dataclasses.dataclass(frozen=True, slots=True)
class Project:
    """All that a suite needs to know of a project. Read again with `load` after a file changed."""

    directory: Path
    project_id: str
    alias: str | None
    firebase_json: Mapping[str, Any]
    codebases: tuple[Codebase, ...]
    ports: Ports
    hosts: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Where a service is to be reached beside the loopback interface, by its name in `Ports`."""
    node_codebases: tuple[NodeCodebase, ...] = ()
    suffix: str = ""

    @classmethod
    def load(cls, directory: Path, project: str | None = None, *, suffix: str = "", to_be_mended: bool = False) -> Self:
        """Read the project in `directory` or the nearest one above it.

        `project` is a project id or an alias of .firebaserc; without it, the alias `default`. With a `suffix` to its id
        it is a project of its own, with the settings of that one, for suites that run side by side.
        Raises SuiteError naming the file and the key that is missing or wrong, and for code that does not import where
        there is no functions.yaml. That which is `to_be_mended` has no functions instead, and its codebase says why.
        """
        directory, named, alias = resolve(directory, project)
        firebase_json = files.read_firebase_json(directory / "firebase.json")
        project_id = named + suffix
        emulators = firebase_json.get("emulators", {})
        return cls(
            directory=directory,
            project_id=project_id,
            alias=alias,
            firebase_json=firebase_json,
            codebases=_codebases(directory, firebase_json, project_id, (named, alias), to_be_mended=to_be_mended),
            ports=Ports.from_firebase_json(emulators),
            hosts=hosts_beyond_loopback(emulators),
            node_codebases=_node_codebases(directory, firebase_json),
            suffix=suffix,
        )

    @property
    def manifest(self) -> Manifest:
        """The functions of all codebases; no two have a name in common."""
        return Manifest(tuple(endpoint for codebase in self.codebases for endpoint in codebase.manifest.endpoints))

    def codebase_of(self, endpoint: Endpoint) -> Codebase:
        return next(codebase for codebase in self.codebases if endpoint in codebase.manifest.endpoints)

    def reload(self) -> Self:
        """The project as its files are now, under the same project id."""
        named = self.alias or self.project_id.removesuffix(self.suffix)
        return type(self).load(self.directory, named, suffix=self.suffix)


def resolve(directory: Path, project: str | None) -> tuple[Path, str, str | None]:
    """The directory of the project in `directory` or above it, and the id and the alias of .firebaserc that `project`
    names, or without it the alias `default`. Raises SuiteError. No code of the project is imported."""
    directory = _find(directory.resolve())
    aliases = _aliases(directory / ".firebaserc")
    wanted = project or "default"
    alias = wanted if wanted in aliases else None
    if project is None and alias is None:
        raise SuiteError(f'{directory / ".firebaserc"}: no alias "default": run `firesuite init`, or give --project.')
    return directory, aliases.get(wanted, wanted), alias


def _find(directory: Path) -> Path:
    for candidate in (directory, *directory.parents):
        if (candidate / "firebase.json").is_file():
            return candidate
    raise SuiteError(
        f"There is no firebase.json in {directory} or above it: run this in a Firebase project, or `firesuite init`."
    )


def _aliases(path: Path) -> dict[str, str]:
    return files.aliases(files.read_json(path), path) if path.is_file() else {}


def firebase_config(project_id: str) -> dict[str, str]:
    """What FIREBASE_CONFIG holds."""
    return {
        "projectId": project_id,
        "storageBucket": f"{project_id}.appspot.com",
        "databaseURL": f"https://{project_id}.firebaseio.com",
    }


def is_python(directory: Path, entry: Mapping[str, Any]) -> bool:
    """By its runtime; without one, as Node projects have it in package.json, by what is there."""
    if runtime := entry.get("runtime"):
        return str(runtime).startswith("python")
    return not (directory / _source(entry) / "package.json").is_file()


def _source(entry: Mapping[str, Any]) -> str:
    return str(entry.get("source", "functions"))


def _node_codebases(directory: Path, firebase_json: Mapping[str, Any]) -> tuple[NodeCodebase, ...]:
    return tuple(
        NodeCodebase(str(entry.get("codebase", "default")), directory / _source(entry), entry.get("runtime"))
        for entry in files.entries(firebase_json, "functions")
        if not is_python(directory, entry)
    )


def _codebases(
    directory: Path,
    firebase_json: Mapping[str, Any],
    project_id: str,
    names: tuple[str, str | None],
    *,
    to_be_mended: bool,
) -> tuple[Codebase, ...]:
    entries = [entry for entry in files.entries(firebase_json, "functions") if is_python(directory, entry)]
    codebases = tuple(_codebase(directory, entry, project_id, names, to_be_mended=to_be_mended) for entry in entries)
    owners: dict[str, str] = {}
    for codebase in codebases:
        for endpoint in codebase.manifest.endpoints:
            if endpoint.name in owners:
                raise SuiteError(
                    f"The codebases {owners[endpoint.name]} and {codebase.name} both export {endpoint.name}: one of"
                    " them would replace the other when it is deployed. Rename it in one."
                )
            owners[endpoint.name] = codebase.name
    return codebases


def _codebase(
    directory: Path, entry: Mapping[str, Any], project_id: str, names: tuple[str, str | None], *, to_be_mended: bool
) -> Codebase:
    """`names`: the project's own id and its alias, which its .env files are named for."""
    source = directory / _source(entry)
    if not (source / "main.py").is_file():
        raise SuiteError(f"{source / 'main.py'} is missing: firebase.json names {source.name!r} as functions source.")
    runtime = str(entry.get("runtime") or f"python3{sys.version_info.minor}")
    python = _interpreter(source, runtime)
    environment = _environment(source, *names)
    path = source / "functions.yaml"
    built_ins = params.built_in(firebase_config(project_id))
    where, failure = str(path if path.is_file() else source / "main.py"), None
    try:
        if path.is_file():
            text = files.read_text(path)
        else:
            text = _discover(python, source, {**_services_to_be(project_id), **environment})
        manifest = Manifest.parse(text, where)
    except LoadFailure as error:
        if not to_be_mended:
            raise
        manifest, failure = Manifest(()), str(error)
    known, missing = params.values([*manifest.parameters, *manifest.secrets], environment, built_ins)
    return Codebase(
        name=str(entry.get("codebase", "default")),
        source=source,
        python=python,
        manifest=manifest.resolved(known, where),
        environment=environment,
        runtime=runtime,
        discovered=not path.is_file(),
        without_value=tuple(missing),
        failure=failure,
    )


def _services_to_be(project_id: str) -> dict[str, str]:
    """What an import may ask for of the environment that functions run in."""
    return {
        "GCLOUD_PROJECT": project_id,
        "GOOGLE_CLOUD_PROJECT": project_id,
        "FIREBASE_CONFIG": json.dumps(firebase_config(project_id)),
        "FUNCTIONS_EMULATOR": "true",
    }


def _discover(python: Path, source: Path, environment: Mapping[str, str]) -> str:
    from firesuite import credentials  # noqa: PLC0415 - 40 ms, which a project with a manifest need not wait for

    try:
        with credentials.while_discovered(environment["GCLOUD_PROJECT"], environment) as complete:
            return discovery.discover(python, source, complete)
    except discovery.DiscoveryError as error:
        raise LoadFailure(f"The functions could not be loaded. {error}") from None


def _interpreter(source: Path, runtime: str) -> Path:
    """The codebase's own environment where it has one, as firebase-tools wants it; else the one that runs this."""
    venv = source / "venv"
    own = venv / "bin" / "python"
    if venv.is_dir() and not own.is_file():
        raise SuiteError(f"{own} is not there: make the environment anew with `{_venv_command(source, runtime)}`.")
    return own if own.is_file() else Path(sys.executable)


def _venv_command(source: Path, runtime: str) -> str:
    # python311 is Python 3.11.
    python = re.sub(r"^python3(\d+)$", r"python3.\1", runtime)
    venv = source / "venv"
    requirements = source / "requirements.txt"
    return f"{python} -m venv --clear {venv} && {venv / 'bin' / 'python'} -m pip install -r {requirements}"


def _environment(source: Path, project_id: str, alias: str | None) -> dict[str, str]:
    names = [".env", f".env.{project_id}", *([f".env.{alias}"] if alias else []), ".env.local", ".secret.local"]
    merged: dict[str, str] = {}
    for name in names:
        merged.update(dotenv.read(source / name))
    return merged
