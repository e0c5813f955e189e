"""The Python functions of all codebases behind the functions' port, and the bridge that delivers to them."""

import dataclasses
import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from firesuite import fireemu, twins
from firesuite.bridge import Bridge
from firesuite.cold import ColdStarts
from firesuite.functions import FunctionsHost, Runtime, require_debugger, waits_for_threads
from firesuite.manifest import Endpoint
from firesuite.ports import Ports
from firesuite.processes import Log, Processes
from firesuite.project import Project
from firesuite.router import Router

Serve = Callable[..., int]
"""Serves a WSGI application in this process: `(app, service, port=0, threads=8)`; its port."""

# As many deliveries at a time as fireemu has events in work: each waits in its thread for the function's answer.
_BRIDGE_THREADS = 64
# Code that takes longer to load is not waited for.
_RELOAD_SECONDS = 5.0
_PROBE_SECONDS = 0.02
# Requests that wait at the same time for functions of several codebases, or for cold starts.
_ROUTER_THREADS = 128


@dataclasses.dataclass(frozen=True, slots=True)
class Mode:
    """How the functions are served."""

    watching: bool = False
    """Whether code that does not load is no reason not to start, because it will be mended."""
    cold: bool = False
    """Whether every request starts a process."""
    debug_port: int | None = None
    """Where a debugger has to attach before the functions are loaded; several codebases take the ports after it."""
    firebase_tools: bool = False
    """Whether Google's emulator serves them, and not this."""


class Serving:
    """One codebase is served on the functions' port itself; several, and cold starts, from behind a router."""

    def __init__(self, project: Project, ports: Ports, runtime: Runtime, mode: Mode, node_port: int) -> None:
        """`node_port` is where fireemu serves the HTTP functions of Node codebases."""
        self._project = project
        self._node_port = node_port if project.node_codebases else None
        self._ports = ports
        self._runtime = runtime
        self._mode = mode
        self._hosts: dict[str, FunctionsHost] = {}
        self._host_ports: dict[str, int] = {}
        self._router: Router | None = None
        self._cold: ColdStarts | None = None
        self.bridge: Bridge | None = None
        self._bridge_port = 0

    @property
    def delivered(self) -> tuple[Endpoint, ...]:
        """The functions that fireemu delivers to."""
        return tuple(endpoint for endpoint in self._project.manifest.delivered if endpoint.is_deliverable)

    @property
    def twins(self) -> Path:
        return self._runtime.directory / "twins"

    def node_modules(self) -> Path | None:
        """What the twins run with; None when fireemu delivers nothing. Raises SuiteError when it is not installed."""
        if not self.delivered:
            return None
        fireemu.node_version()
        return fireemu.find_node_modules(self._project.directory)

    def serve_events(self, serve: Serve) -> frozenset[str]:
        """Write the twins and serve the bridge that they call; the names of the twins. Raises as `node_modules`."""
        if self._project.manifest.delivered and self.bridge is None:
            self.bridge = Bridge(
                self._project.project_id,
                self._project.manifest,
                self._ports.functions,
                firebase_tools=self._mode.firebase_tools,
                debugged=self._mode.debug_port is not None,
            )
            self._bridge_port = serve(self.bridge, "the event bridge", threads=_BRIDGE_THREADS)
        if (node_modules := self.node_modules()) is not None:
            twins.write(self.delivered, self.twins, node_modules=node_modules, bridge_port=self._bridge_port)
        return frozenset(endpoint.name for endpoint in self.delivered)

    def start(self, processes: Processes, serve: Serve, log: Log) -> dict[str, Callable[[], bool]]:
        """Start a process for each codebase. What tells whether each is ready, by what to call it."""
        codebases = self._project.codebases
        for codebase in codebases:
            if self._mode.debug_port is not None:
                require_debugger(codebase)
            if advice := waits_for_threads(codebase):
                log("firesuite", advice)
        if self._mode.cold:
            starts = ColdStarts(self._project, self._runtime, processes, log)
            self._cold = starts
            serve(starts, "Functions", port=self._ports.functions, threads=_ROUTER_THREADS)
            return {}
        if len(codebases) > 1 or self._node_port is not None:
            for codebase, port in zip(codebases, self._ports.others(len(codebases)), strict=True):
                self._host_ports[codebase.name] = port
            self._router = Router(self._routes(), self._node_port)
            serve(self._router, "Functions", port=self._ports.functions, threads=_ROUTER_THREADS)
        else:
            self._host_ports = {codebase.name: self._ports.functions for codebase in codebases}
        probes = {}
        for number, codebase in enumerate(codebases):
            service = "functions" if len(codebases) == 1 else codebase.name
            debug_port = None if self._mode.debug_port is None else self._mode.debug_port + number
            port = self._host_ports[codebase.name]
            host = FunctionsHost(
                codebase, self._runtime, port, service=service, debug_port=debug_port, watched=self._mode.watching
            )
            host.start(processes)
            probes[f"the functions of {codebase.name}"] = host.answers if self._mode.watching else host.is_ready
            self._hosts[codebase.name] = host
        self._route_events()
        return probes

    def reload(self, project: Project, name: str) -> None:
        """The code, the settings or the manifest of this codebase changed."""
        self._project = project
        for codebase in project.codebases:
            if codebase.name == name and name in self._hosts:
                self._hosts[name].reload(codebase)
        if self._cold is not None:
            self._cold.project = project
        if self._router is not None:
            self._router.replace(self._routes())
        if self.bridge is not None:
            self.bridge.manifest = project.manifest
        self._route_events()

    def await_reload(self, project: Project, name: str) -> None:
        """The same, and wait for the new code to answer, be it that it cannot be loaded."""
        host = self._hosts.get(name) if self._mode.debug_port is None else None
        before = host.worker() if host is not None else None
        self.reload(project, name)
        deadline = time.monotonic() + _RELOAD_SECONDS
        while host is not None and host.worker() in {before, None} and time.monotonic() < deadline:
            time.sleep(_PROBE_SECONDS)

    def change_services(self, services: Mapping[str, str]) -> None:
        """The variables with the services' addresses are these: if they were others, all codebases are loaded again."""
        if services != self._runtime.services:
            self._runtime.services = services
            for codebase in self._project.codebases:
                self.await_reload(self._project, codebase.name)

    def path_of(self, name: str, region: str | None = None) -> str:
        """The path of a function on the functions' port. Raises SuiteError for a name that is not exported."""
        endpoint = self._project.manifest.endpoint(name)
        return f"/{self._project.project_id}/{region or endpoint.regions[0]}/{name}"

    def _route_events(self) -> None:
        """Events go to the codebase's own process: the router is for those who know only the public port."""
        if self.bridge is not None and self._host_ports:
            self.bridge.ports = {
                endpoint.name: self._host_ports[codebase.name]
                for codebase in self._project.codebases
                for endpoint in codebase.manifest.endpoints
                if codebase.name in self._host_ports
            }

    def _routes(self) -> dict[str, int]:
        return {
            f"{region}-{endpoint.name}": self._host_ports[codebase.name]
            for codebase in self._project.codebases
            for endpoint in codebase.manifest.endpoints
            for region in endpoint.regions
            if codebase.name in self._host_ports
        }


def settings_of(project: Project) -> str:
    """What of a project the twins and the running fireemu were made from: when it changes, they are made anew."""
    delivered = project.manifest.delivered
    return json.dumps([[e.name, e.kind.value, e.regions, dict(e.trigger)] for e in delivered])
