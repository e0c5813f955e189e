"""Cold starts on demand: every request starts a process of its own, as the first one of an instance does."""

import re
import threading
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from firesuite.errors import SuiteError
from firesuite.functions import FunctionsHost, Runtime
from firesuite.ports import free_ports
from firesuite.processes import Log, Processes
from firesuite.project import Project
from firesuite.proxy import Answer, forward

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

_NAME = re.compile(
    r"(?:/functions/projects/[^/]+/triggers/.*-(?P<trigger>[^-/]+)-\d+|/[^/]+/[^/]+/(?P<name>[^/]+)(?:/.*)?)"
)
_START_SECONDS = 30.0
_PROBE_SECONDS = 0.005


class ColdStarts:
    """The WSGI application on the functions' port. It logs how long each start took."""

    def __init__(self, project: Project, runtime: Runtime, processes: Processes, log: Log) -> None:
        self.project = project
        self._runtime = runtime
        self._processes = processes
        self._log = log

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        match = _NAME.fullmatch(environ["PATH_INFO"])
        try:
            endpoint = self.project.manifest.endpoint((match["trigger"] or match["name"]) if match else "")
        except SuiteError as error:
            return Answer.text(404, str(error)).send(start_response)
        [port] = free_ports(1)
        codebase = self.project.codebase_of(endpoint)
        host = FunctionsHost(codebase, self._runtime, port)
        started = time.monotonic()
        host.start(self._processes, cache_bytecode=True)
        try:
            while not host.is_ready():
                if time.monotonic() - started > _START_SECONDS:
                    return Answer.text(503, f"Not started after {_START_SECONDS:.0f} s.").send(start_response)
                time.sleep(_PROBE_SECONDS)
            self._log("functions", f"{endpoint.name} cold start {(time.monotonic() - started) * 1000:.0f} ms")
            return forward(environ, port).send(start_response)
        except SuiteError as error:
            return Answer.text(500, str(error)).send(start_response)
        except OSError:
            return Answer.text(502, "The function's process ended.").send(start_response)
        finally:
            # Not in the way of the answer: the end of a process takes some tens of milliseconds.
            threading.Thread(target=host.stop, args=(self._processes,), daemon=True).start()
