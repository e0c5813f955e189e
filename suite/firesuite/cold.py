"""Cold starts on demand: every request starts a process of its own, as the first one of an instance does.

The process serves the one function, and knows by `FUNCTION_TARGET` and `K_SERVICE` which, from its import on.
"""

import contextlib
import dataclasses
import threading
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from firesuite.errors import SuiteError
from firesuite.functions import FunctionsHost, Runtime
from firesuite.functions_settings import LOAD_ERROR_HEADER
from firesuite.ports import free_ports
from firesuite.processes import Log, Processes, Stopping
from firesuite.project import Project
from firesuite.proxy import Answer, stream
from firesuite.router import function_key, unknown_function

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

_START_SECONDS = 30.0
_PROBE_SECONDS = 0.005
_LOAD_ERROR = (("Content-Type", "text/plain; charset=utf-8"), (LOAD_ERROR_HEADER, "1"))


class ColdStarts:
    """The WSGI application on the functions' port. It logs how long each start took."""

    def __init__(self, project: Project, runtime: Runtime, processes: Processes, log: Log) -> None:
        self.project = project
        self._runtime = runtime
        self._processes = processes
        self._log = log

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        key = function_key(environ["PATH_INFO"])
        known = {f"{region}-{e.name}": e for e in self.project.manifest.endpoints for region in e.regions}
        if key not in known:
            return unknown_function(key, known).send(start_response)
        endpoint = known[key]
        [port] = free_ports(1)
        host = FunctionsHost(self.project.codebase_of(endpoint), self._runtime, port, only=endpoint)

        def end() -> None:
            # Not in the way of the answer: the end of a process takes some tens of milliseconds.
            threading.Thread(target=host.stop, args=(self._processes,), daemon=True).start()

        with contextlib.ExitStack() as unless_it_answers:
            unless_it_answers.callback(end)
            try:
                started = time.monotonic()
                host.start(self._processes)
                while not host.is_ready():
                    if time.monotonic() - started > _START_SECONDS:
                        return Answer.text(503, f"Not started after {_START_SECONDS:.0f} s.").send(start_response)
                    time.sleep(_PROBE_SECONDS)
                self._log("functions", f"{endpoint.name} cold start {(time.monotonic() - started) * 1000:.0f} ms")
                answer = stream(environ, start_response, port, closed=end)
                unless_it_answers.pop_all()
            except Stopping as error:
                return Answer.text(503, str(error)).send(start_response)
            except SuiteError as error:
                return dataclasses.replace(Answer.text(500, str(error)), headers=_LOAD_ERROR).send(start_response)
            except OSError:
                return Answer.text(502, "The function's process ended.").send(start_response)
            return answer
