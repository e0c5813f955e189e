"""The functions host as the suite sees it: its settings, its process, its health, its reloads."""

import dataclasses
import json
import os
import signal
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from firesuite import functions_host
from firesuite.errors import SuiteError
from firesuite.inspection import APP_CHECK_KEYS_PATH
from firesuite.manifest import Endpoint, Kind
from firesuite.ports import HOST
from firesuite.processes import Child, Processes
from firesuite.project import Codebase

# What Google's Functions emulator and the runtime set beside the addresses of the services. A per-function variable
# (FUNCTION_TARGET, K_SERVICE) cannot be true in one process for all functions and is left out.
_RUNTIME = {
    "FUNCTIONS_EMULATOR": "true",
    "K_REVISION": "1",
    "TZ": "UTC",
    # No client library is to look for the metadata server of a Google machine: it costs seconds each.
    "METADATA_SERVER_DETECTION": "none",
    "NO_GCE_CHECK": "true",
}


@dataclasses.dataclass(frozen=True, slots=True)
class Runtime:
    """What all codebases of a suite run in: `services` are the variables with the services' addresses, `directory` is
    for settings files."""

    project_id: str
    services: Mapping[str, str]
    directory: Path


class FunctionsHost:
    """One codebase's host process."""

    def __init__(
        self,
        codebase: Codebase,
        runtime: Runtime,
        port: int,
        *,
        service: str = "functions",
        debug_port: int | None = None,
    ) -> None:
        """`service` is its name in the log. With a `debug_port` it loads the functions once a debugger is attached."""
        self._project_id = runtime.project_id
        self._port = port
        self._services = runtime.services
        self._service = service
        self._debug_port = debug_port
        self._settings = runtime.directory / f"functions-host-{codebase.name}-{port}.json"
        self._child: Child | None = None
        self._source = codebase.source
        self._python = codebase.python
        self._write_settings(codebase)

    def start(self, processes: Processes, *, cache_bytecode: bool) -> None:
        """`cache_bytecode` must be off where files change: Python takes a cached file for fresh when a source is saved
        twice in one second with the same size."""
        environment = {**os.environ, **_RUNTIME, **self._services, "PYTHONUNBUFFERED": "1"}
        if not cache_bytecode:
            environment["PYTHONDONTWRITEBYTECODE"] = "1"
        self._child = processes.start(
            self._service,
            [self._python, functions_host.__file__, self._settings],
            directory=self._source,
            environment=environment,
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

    def answers(self) -> bool:
        """Whether it answers, be it that the functions could not be loaded."""
        return self._health() is not None

    def _health(self) -> Mapping[str, str | None] | None:
        url = f"http://{HOST}:{self._port}{functions_host.HEALTH_PATH}"
        try:
            with urllib.request.urlopen(url, timeout=5) as response:
                health: Mapping[str, str | None] = json.load(response)
        except (OSError, urllib.error.URLError):
            return None
        return health

    def _write_settings(self, codebase: Codebase) -> None:
        endpoints = codebase.manifest.endpoints
        functions_host.Settings(
            project=self._project_id,
            source=str(codebase.source),
            port=self._port,
            functions=[_function(endpoint) for endpoint in endpoints],
            environment={**codebase.environment, **_RUNTIME, **self._services},
            graceful_seconds=max((endpoint.timeout_seconds for endpoint in endpoints), default=60),
            debug_port=self._debug_port,
            app_check_keys=f"http://{self._services['FIREBASE_EMULATOR_HUB']}{APP_CHECK_KEYS_PATH}",
        ).write(self._settings)


def _function(endpoint: Endpoint) -> functions_host.Function:
    return functions_host.Function(
        name=endpoint.name,
        entry_point=endpoint.entry_point,
        regions=list(endpoint.regions),
        signature="cloudevent" if endpoint.kind is Kind.EVENT else "http",
        concurrency=endpoint.concurrency,
        timeout_seconds=endpoint.timeout_seconds,
    )
