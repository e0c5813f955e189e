"""The functions host as the suite sees it: its settings, its process, its health, its reloads."""

import dataclasses
import functools
import json
import os
import signal
import subprocess
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from firesuite import credentials
from firesuite.errors import SuiteError
from firesuite.functions_settings import HEALTH_PATH, Function, Settings
from firesuite.in_flight import Keeper
from firesuite.inspection import APP_CHECK_KEYS_PATH
from firesuite.manifest import Endpoint, Kind
from firesuite.ports import HOST
from firesuite.processes import Child, Processes
from firesuite.project import Codebase

_HOST = Path(__file__).with_name("functions_host.py")

# What Google's Functions emulator and the runtime set beside the addresses of the services; the variables that name the
# function (FUNCTION_TARGET, K_SERVICE) are the functions host's to set.
_RUNTIME = {
    "FUNCTIONS_EMULATOR": "true",
    "K_REVISION": "1",
    "TZ": "UTC",
    # No client library is to look for the metadata server of a Google machine: it costs seconds each.
    "METADATA_SERVER_DETECTION": "none",
    "NO_GCE_CHECK": "true",
}


@dataclasses.dataclass(slots=True)
class Runtime:
    """What all codebases of a suite run in: `services` are the variables with the services' addresses, to which a save
    may add one, `directory` is for settings files."""

    project_id: str
    services: Mapping[str, str]
    directory: Path


class FunctionsHost:
    """One codebase's host process."""

    def __init__(  # noqa: PLR0913 - the last four by name only
        self,
        codebase: Codebase,
        runtime: Runtime,
        port: int,
        *,
        service: str = "functions",
        debug_port: int | None = None,
        only: Endpoint | None = None,
        watched: bool = False,
    ) -> None:
        """`service` is its name in the log. With a `debug_port` it loads the functions once a debugger is attached.
        With `only` it serves this function alone, and knows that it does. `watched`: its code is going to change."""
        self._runtime = runtime
        self._port = port
        self._service = service
        self._debug_port = debug_port
        self._settings = runtime.directory / f"functions-host-{codebase.name}-{port}.json"
        self._child: Child | None = None
        self._source = codebase.source
        self._python = codebase.python
        self._only = only
        self._watched = watched
        self._write_settings(codebase)

    def start(self, processes: Processes) -> None:
        keeper = Keeper(functools.partial(processes.log, self._service))
        environment = {**os.environ, **_RUNTIME, **self._runtime.services, "PYTHONUNBUFFERED": "1"}
        if self._watched:
            # Python takes a cached file for fresh when a source is saved twice in one second with the same size.
            environment["PYTHONDONTWRITEBYTECODE"] = "1"
        with keeper.remote as inherited:
            self._child = processes.start(
                self._service,
                [self._python, _HOST, self._settings, str(inherited.fileno())],
                directory=self._source,
                environment=environment,
                inherited=[inherited.fileno()],
            )

    def stop(self, processes: Processes) -> None:
        if self._child is not None:
            processes.stop_one(self._child)

    def reload(self, codebase: Codebase) -> None:
        """Have a new worker load the code; requests in work end in the old one, new ones wait for the new one."""
        self._write_settings(codebase)
        if self._child is not None:
            self._child.signal(signal.SIGHUP)

    def is_ready(self) -> bool:
        """Whether it answers and has loaded the functions. Raises SuiteError, with the traceback, if they cannot be."""
        health = self._health()
        if health is None:
            return False
        if health["error"] is not None:
            raise SuiteError(f"The functions could not be loaded. {health['error']}")
        return True

    def worker(self) -> int | None:
        """The process that answers now; None while none does."""
        health = self._health()
        return None if health is None else int(health["pid"])

    def answers(self) -> bool:
        """Whether it answers, be it that the functions could not be loaded."""
        return self._health() is not None

    def _health(self) -> Mapping[str, Any] | None:
        url = f"http://{HOST}:{self._port}{HEALTH_PATH}"
        try:
            with urllib.request.urlopen(url, timeout=5) as response:
                health: Mapping[str, Any] = json.load(response)
        except (OSError, urllib.error.URLError):
            return None
        return health

    def _write_settings(self, codebase: Codebase) -> None:
        services = self._runtime.services
        endpoints = codebase.manifest.endpoints if self._only is None else (self._only,)
        own_account = {name: value for name, value in codebase.environment.items() if name == credentials.VARIABLE}
        Settings(
            project=self._runtime.project_id,
            source=str(codebase.source),
            port=self._port,
            functions=[_function(endpoint, codebase) for endpoint in endpoints],
            environment={**codebase.environment, **_RUNTIME, **services, **own_account},
            graceful_seconds=max((endpoint.timeout_seconds for endpoint in endpoints), default=60),
            debug_port=self._debug_port,
            app_check_keys=f"http://{services['FIREBASE_EMULATOR_HUB']}{APP_CHECK_KEYS_PATH}",
            alone=self._only is not None,
            manifest=None if codebase.discovered else str(codebase.source / "functions.yaml"),
            tells_errors=self._watched,
        ).write(self._settings)


def _function(endpoint: Endpoint, codebase: Codebase) -> Function:
    return Function(
        name=endpoint.name,
        entry_point=endpoint.entry_point,
        regions=list(endpoint.regions),
        signature="cloudevent" if endpoint.kind is Kind.EVENT else "http",
        concurrency=endpoint.concurrency,
        threads=codebase.threads(endpoint),
        timeout_seconds=endpoint.timeout_seconds,
    )


def waits_for_threads(codebase: Codebase) -> str | None:
    """What to tell who lets in more requests at a time than there are threads for them."""
    waiting = [e for e in codebase.manifest.endpoints if codebase.threads(e) < e.concurrency]
    if not waiting:
        return None
    first = max(waiting, key=lambda endpoint: endpoint.concurrency)
    others = f" and {len(waiting) - 1} more" if len(waiting) > 1 else ""
    count, threads = first.concurrency, codebase.threads(first)
    return (
        f"{first.name}{others}: of {count} requests at a time, {count - threads} will wait for a thread, here as when"
        f" deployed. Set THREADS={count} in {codebase.source / '.env'}."
    )


def without_value(codebase: Codebase) -> list[str]:
    """What to tell of each parameter and secret that has none."""
    files = {"secret": ".secret.local"}
    return [
        f"{parameter.name} has no value, so that it is empty here and a deployment would stop: add {parameter.name}=..."
        f" to {codebase.source / files.get(parameter.type, '.env.local')}."
        for parameter in codebase.without_value
    ]


def require_debugger(codebase: Codebase) -> None:
    """Raises SuiteError when the functions' own environment has no debugpy."""
    code = "import importlib.util, sys; sys.exit(importlib.util.find_spec('debugpy') is None)"
    if subprocess.run([codebase.python, "-c", code], check=False).returncode != 0:  # noqa: S603 - the functions' own interpreter
        raise SuiteError(f"--debug needs debugpy beside the functions: run `{codebase.python} -m pip install debugpy`.")


def missing_packages(codebase: Codebase) -> str | None:
    """What the functions' own environment lacks to be served, with the command that mends it."""
    names = ("functions_framework", "gunicorn", "firebase_functions")
    code = f"import importlib.util as u; print(*[n for n in {names!r} if u.find_spec(n) is None])"
    done = subprocess.run([codebase.python, "-c", code], capture_output=True, text=True, check=False)  # noqa: S603 - the functions' own interpreter
    if done.returncode != 0:
        return f"{codebase.python} does not run: make it anew with `{codebase.venv_command}`."
    if missing := done.stdout.split():
        install = f"{codebase.python} -m pip install -r {codebase.source / 'requirements.txt'}"
        return f"{', '.join(missing)} not installed for {codebase.python}: run `{install}`."
    return None
