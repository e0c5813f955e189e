"""The suite: everything a Firebase project with Python functions needs on one machine, as a context manager."""

import contextlib
import dataclasses
import functools
import os
import secrets
import shutil
import signal
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from firesuite import credentials, fcm, fireemu, hosting
from firesuite.addresses import Addresses
from firesuite.appcheck import AppCheck
from firesuite.clock import ClockTicker
from firesuite.control import ControlApi, ControlError
from firesuite.errors import SuiteError
from firesuite.fireemu_process import FireemuProcess
from firesuite.functions import Runtime, missing_packages, without_value
from firesuite.google import GoogleEmulators, check_services
from firesuite.history import History
from firesuite.hub import Hub, Locator
from firesuite.inspection import TOKEN_PATH, Inspection
from firesuite.manifest import Endpoint
from firesuite.ports import HOST, Ports, is_free
from firesuite.processes import Child, Log, Processes, Stopping
from firesuite.project import LoadFailure, Project
from firesuite.proxy import Answer
from firesuite.references import References
from firesuite.reload import Watch
from firesuite.server import Server
from firesuite.serving import Mode, Serving, settings_of
from firesuite.tasks import TaskQueues

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

START_SECONDS = 60.0
"""How long the slowest service may take: about 1 s on a laptop, and 10 s with Google's Auth emulator."""

_PROBE_SECONDS = 0.02

# fireemu restarts the twins' process in a reset, which takes 0.2 s; after this it is not coming back.
_EVENTS_GONE_SECONDS = 10.0

# fireemu says with which Node it runs the twins; nobody asked.
_NOISE = ": selected Node "


class Suite:
    """Starts with `start` or on entering a `with` block, stops with `stop` or on leaving it."""

    def __init__(  # noqa: PLR0913 - by name only, and each is a choice of its own
        self,
        project: Project,
        *,
        ports: Ports | None = None,
        watch: bool = False,
        google: frozenset[str] = frozenset(),
        cold: bool = False,
        debug_port: int | None = None,
        data: Path | None = None,
        export_to: Path | None = None,
        log: Log = lambda _service, _line: None,
    ) -> None:
        """`watch` is for a person at work: functions are reloaded when their source changes, code that does not load is
        no reason not to start, and the virtual clock goes with the real one. Without it only `control` moves the clock.

        `ports` are the project's own by default. `google` names what Google's emulators are to serve. `cold` starts a
        process for every request to a function. With `debug_port` the functions are loaded once a debugger is attached
        there (of several codebases each takes the next port), and nothing of the suite's own times out. `data` is an
        export to begin with, of this suite or of Google's; `export_to` where to write one at the end.
        `log` gets each line of each service's output, from several threads.
        """
        self.project = project
        self.ports = ports or project.ports
        self.google = google
        self._data, self._export_to = data, export_to
        self._addresses = Addresses(project.project_id, self.ports, fireemu.used_ports(project))
        self._mode = Mode(watch, cold, debug_port, "functions" in google)
        self._history = History()
        self.app_check = AppCheck(project.project_id)
        self._show = log
        self._exit = contextlib.ExitStack()
        self._directory = Path(tempfile.gettempdir(), f"firesuite-{secrets.token_hex(8)}")
        # Of the made-up service account; None where the user has one of his own.
        self._credentials = None if credentials.is_of_the_user(os.environ) else self._directory / credentials.FILE
        self._processes: Processes | None = None
        self._serving: Serving | None = None
        self.tasks: TaskQueues | None = None
        self._fireemu: FireemuProcess | None = None
        self._reloading = threading.Lock()
        self._starting = True
        self.on_restart: Callable[[], None] = lambda: None
        """Called when fireemu has been started anew, because of other triggers: its users have no passwords then."""
        # What fireemu delivers to, and what the functions were when it was told. That is not what the functions are
        # after a save which asks for something that is not there.
        self._twins: frozenset[str] = frozenset()
        self._delivered_settings = ""
        self._probes: dict[str, Callable[[], bool]] = {}
        # fireemu serves its control API with its Auth; where Google's Auth has the port, at one of its own.
        self._private: list[int] = []
        # Where the services themselves listen: elsewhere for those that the relay has the port of.
        relayed = [name for name in self.project.hosts if name in self._addresses.used]
        elsewhere = self.ports.others(len(relayed) + 2)
        self._bound = self.ports.replace(**dict(zip(relayed, elsewhere[2:], strict=True)))
        self._control_port = elsewhere[0] if "auth" in google else self._bound.auth
        self._firestore_port = elsewhere[1] if "firestore" in google else self._bound.firestore
        self._next_look_at_events = self._events_seen = float("inf")

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def control(self) -> ControlApi:
        advanced = self.tasks.advance if self.tasks is not None else lambda _seconds: None
        return ControlApi(self._control_port, advanced=advanced)

    @property
    def environment(self) -> Mapping[str, str]:
        """The variables by which Firebase's SDKs find the services, for a command that is to use them."""
        own = {} if self._credentials is None else {credentials.VARIABLE: str(self._credentials)}
        return {**self._addresses.environment, **own}

    def function_url(self, name: str) -> str:
        """Where an HTTP or callable function answers. Raises SuiteError for a name that is not exported."""
        return self._url(self.project.manifest.endpoint(name))

    def _url(self, endpoint: Endpoint) -> str:
        return f"http://{HOST}:{self.ports.functions}/{self.project.project_id}/{endpoint.regions[0]}/{endpoint.name}"

    def _urls(self, project: Project) -> Mapping[str, str]:
        return {e.name: self._url(e) for e in project.manifest.endpoints if e.kind.is_direct}

    def services(self) -> Mapping[str, str]:
        """The URL of each service, by the name a person knows it by."""
        return self._addresses.services()

    def start(self) -> None:
        """Start everything and return when each service answers.

        Raises SuiteError, with nothing left running, when a port is taken, something is not installed, a process ends,
        or (unless it watches) the functions cannot be loaded.
        """
        check_services(self.google)
        self._addresses.require_free()
        try:
            self._start()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop everything, within 5 s. Nothing is left: no process, no port, no file. May be called twice."""
        self._exit.close()

    def wait(self) -> None:
        """Return never, unless a process ends: raises SuiteError then. Leave it by an exception (KeyboardInterrupt)."""
        while True:
            self.check()
            time.sleep(0.2)

    @property
    def mark(self) -> Mapping[str, str]:
        """A variable for the environment of a command that uses the suite: with it, the command does not outlive it."""
        return self._processes.mark if self._processes is not None else {}

    def guard(self, session: int) -> None:
        """Have this session, of such a command, killed as well if the suite is killed."""
        if self._processes is not None:
            self._processes.guard(session)

    def check(self) -> None:
        """Raise SuiteError if a process has ended."""
        ended = self._processes.ended() if self._processes else None
        if ended is not None:
            raise SuiteError(self._why_it_ended(ended))
        now = time.monotonic()
        if now < self._next_look_at_events:
            return
        self._next_look_at_events = now + 1.0
        if self._twins_loaded():
            self._events_seen = now
        elif now - self._events_seen > _EVENTS_GONE_SECONDS:
            raise SuiteError("Events are delivered no more: the process with the twins, of fireemu, has ended.")

    def _why_it_ended(self, child: Child) -> str:
        code = child.exit_code() or 0
        if code < 0:
            return f"{child.service} was killed by signal {-code} ({signal.strsignal(-code)})."
        if child.service == "fireemu" and (reason := fireemu.refusal(child.last_words())):
            return reason
        for codebase in self.project.codebases:
            if child.service in {"functions", codebase.name} and (missing := missing_packages(codebase)):
                return missing
        return f"{child.service} ended with exit code {code}; its output above says why."

    def _log(self, service: str, line: str) -> None:
        # What keeps fireemu from starting is the text of the SuiteError.
        if service == "fireemu" and (_NOISE in line or (self._starting and line.startswith("error: "))):
            return
        if service == "fireemu":
            line = fireemu.told(line, self.project)
        self._history(service, line)
        self._show(service, line)

    def _start(self) -> None:
        binary = fireemu.find_binary(self.project.directory)
        directory = self._directory
        self._exit.callback(shutil.rmtree, directory, ignore_errors=True)
        self._processes = processes = Processes(directory, self._log)
        self._exit.callback(processes.stop)
        hub_port, node_port, tasks_port = self._private = self.ports.others(3)

        if self._credentials is not None:
            credentials.write(self._credentials, self.project.project_id, f"http://{HOST}:{self.ports.hub}{TOKEN_PATH}")
        # Servers first, so that they are stopped last: the children talk to them.
        relay = self._addresses.relay(self.project.hosts, self._bound)
        self._exit.callback(relay.stop)
        relay.start()
        self._serve(fcm.create_app(self.project.project_id), "FCM", self._bound.fcm)
        locator_of_fireemu = directory / f"hub-{self.project.project_id}.json"
        inspection = Inspection(self._history, self.app_check, self.status, self._send_event)
        hub = Hub(self.ports, hub_port, locator_of_fireemu, inspection, hosting="hosting" in self._addresses.used)
        self._serve(hub, "the hub", self._bound.hub)
        self.tasks = TaskQueues(tasks_port)
        self._exit.callback(self.tasks.stop)
        self._serve(self.tasks, "Tasks", self._bound.tasks)
        runtime = Runtime(self.project.project_id, self.environment, directory)
        serving = Serving(self.project, self._bound, runtime, self._mode, node_port)
        self._serving = serving
        self._twins = serving.serve_events(self._serve)
        self._serve_hosting(serving)

        self._exit.callback(processes.stop)  # again: the children end before the servers that they talk to
        if serving.bridge is not None:
            self._exit.callback(serving.bridge.stop)
        self._start_functions(processes, serving, directory)
        self._fireemu = FireemuProcess(binary, directory, processes, self._log, self._exit)
        self._fireemu.start(self._configuration(serving))
        self._until_ready()
        self._delivered_settings = settings_of(self.project)
        self._starting = False
        self._next_look_at_events = self._events_seen = time.monotonic()
        locator = Locator(self.project.project_id, self.ports.hub)
        processes.guard_locator(locator.path)
        if (said := locator.write()) is not None:
            self._log("firesuite", said)
        self._exit.callback(locator.remove)
        if self._mode.watching:
            self._start_watching()

    def _configuration(self, serving: Serving) -> fireemu.Configuration:
        """What fireemu is to serve as the project is now."""
        hub, functions, tasks = self._private
        delivered = {"functions"} if serving.delivered or self.project.node_codebases else set()
        used = fireemu.used_ports(self.project)
        return fireemu.Configuration(
            project=self.project,
            ports=self._bound.replace(auth=self._control_port, firestore=self._firestore_port),
            # `strict` is as production, but refuses the tokens of Google's Auth, whose users are not fireemu's.
            profile="emulator" if "auth" in self.google else "strict",
            twins=serving.twins if serving.delivered else None,
            private_functions=functions,
            private_hub=hub,
            private_tasks=tasks,
            services=frozenset({"auth", "firestore"} | delivered | ({"storage", "pubsub"} & used)),
            data=self._data,
            export_to=self._export_to,
        )

    def _serve_hosting(self, serving: Serving) -> None:
        if (site := hosting.first_site(self.project, self._bound.functions, serving.path_of)) is not None:
            self._serve(site, "Hosting", self._bound.hosting, threads=32)

    def _start_functions(self, processes: Processes, serving: Serving, directory: Path) -> None:
        """Start whatever serves the functions, and Google's Auth emulator where it is asked for."""
        if self.google:
            emulators = GoogleEmulators(self.project, self._bound, self.google, directory / "google")
            processes.start(
                "firebase",
                emulators.command(),
                directory=directory / "google",
                environment=emulators.environment(self.environment),
            )
            self._probes["Google's emulators"] = emulators.is_ready
        for endpoint in self.project.manifest.delivered:
            if not endpoint.is_deliverable:
                how = f"`firesuite call {endpoint.name} DATA` does"
                self._log("firesuite", f"{endpoint.name}: nothing here sends {endpoint.event_type}; {how}.")
        if (said := fireemu.without_storage_rules(self.project)) is not None:
            self._log("firesuite", said)
        for codebase in self.project.codebases:
            for said in without_value(codebase):
                self._log("firesuite", said)
            if codebase.failure is not None:  # its traceback is shown by the functions host
                what = codebase.failure.partition("\n")[0]
                self._log("firesuite", f"{codebase.main} has no functions until a save mends it. {what}")
        if (self.project.codebases or self.project.node_codebases) and "functions" not in self.google:
            self._probes |= serving.start(processes, self._serve, self._log)

    def send_event(self, name: str, data: Any, **attributes: str) -> None:
        """Hand a function an event of its type that nothing here sends, such as one of Remote Config. Waits for its
        end; raises SuiteError when it fails."""
        answer = self._send_event(name, data, attributes)
        if answer.status >= 400:
            raise SuiteError(f"{name} answered HTTP {answer.status}.")

    def _send_event(self, name: str, data: Any, attributes: Mapping[str, str]) -> Answer:
        self.project.manifest.endpoint(name)
        if self._serving is None or self._serving.bridge is None:
            raise SuiteError(f"{name} is not started by events.")
        return self._serving.bridge.send(name, data, attributes)

    def status(self) -> Mapping[str, Any]:
        """What `firesuite call`, `run` and `logs` ask the hub for."""
        return {
            "project": self.project.project_id,
            "directory": str(self.project.directory),
            "controlPort": self._control_port,
            "environment": self.environment,
            "functions": [
                {
                    "name": endpoint.name,
                    "kind": endpoint.kind.value,
                    "regions": endpoint.regions,
                    "url": self._url(endpoint),
                }
                for endpoint in self.project.manifest.endpoints
            ],
        }

    def _serve(self, app: "WSGIApplication", service: str, port: int = 0, threads: int = 8) -> int:
        server = Server(app, service=service, port=port, threads=threads)
        self._exit.callback(server.stop)
        server.start()
        return server.port

    def _until_ready(self) -> None:
        # Whoever attaches a debugger takes the time that he needs.
        deadline = time.monotonic() + (START_SECONDS if self._mode.debug_port is None else float("inf"))
        waiting = {
            "Auth": self.control.is_live,
            "Firestore": lambda: not is_free(self._bound.firestore),
            "the hub": self._hub_answers,
            "the events": self._twins_loaded,
            **self._probes,
        }
        while waiting:
            self.check()
            waiting = {name: probe for name, probe in waiting.items() if not probe()}
            if waiting and time.monotonic() > deadline:
                names = ", ".join(waiting)
                raise SuiteError(f"Not ready after {START_SECONDS:.0f} s: {names}. The output above may say why.")
            time.sleep(_PROBE_SECONDS)

    def _hub_answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://{HOST}:{self.ports.hub}/", timeout=5) as response:
                return bool(response.status == 200)
        except OSError:
            return False

    def _twins_loaded(self) -> bool:
        if not (self._twins or self.project.node_codebases):
            return True
        try:
            status = self.control.functions()
        except (OSError, ControlError):
            return False
        return status.runner_alive and set(status.functions) >= self._twins

    def _start_watching(self) -> None:
        ticker = ClockTicker(ControlApi(self._control_port))
        ticker.start()
        self._exit.callback(ticker.stop)
        if "functions" in self.google:
            return
        for codebase in self.project.codebases:
            watch = Watch(codebase.source, functools.partial(self._reload, codebase.name))
            watch.start()
            self._exit.callback(watch.stop)

    def _reload(self, name: str) -> None:
        """A file of this codebase changed."""
        with self._reloading:
            try:
                self._load_again(name)
            except Stopping:
                return
            except SuiteError as error:
                self._log("firesuite", str(error))

    def _load_again(self, name: str) -> None:
        serving, before = self._serving, self.project
        if serving is None or self._fireemu is None:
            return
        self._log("firesuite", "The functions' source changed: reloading.")
        discovered = next(codebase.discovered for codebase in before.codebases if codebase.name == name)
        if discovered:  # it takes half a second to find out what is exported now: nearly always what was before
            serving.await_reload(before, name)
        try:
            self.project = before.reload()
        except LoadFailure:
            return  # which the functions host says, too
        except SuiteError:
            serving.reload(before, name)  # what there is to say of the code is said beside
            raise
        self._tell_what_is_new(before)
        if not discovered or self.project.codebases != before.codebases:
            serving.reload(self.project, name)
        if settings_of(self.project) != self._delivered_settings:
            self._deliver_anew(serving, self._fireemu)

    def _tell_what_is_new(self, before: Project) -> None:
        """What has no value, and where functions are that came or moved."""
        told = [said for codebase in before.codebases for said in without_value(codebase)]
        for said in (said for codebase in self.project.codebases for said in without_value(codebase)):
            if said not in told:
                self._log("firesuite", said)
        known = self._urls(before)
        for function, url in self._urls(self.project).items():
            if url != known.get(function):
                self._log("firesuite", f"{function} is at {url}.")

    def _deliver_anew(self, serving: Serving, process: FireemuProcess) -> None:
        """There are other triggers: fireemu learns of them by a start with the data that it has.

        Raises SuiteError for what keeps it from that while it still runs: it goes on as it is, and the next save tries.
        """
        configuration = self._configuration(serving)
        configuration.require_files()
        serving.node_modules()
        addresses = dataclasses.replace(self._addresses, used=fireemu.used_ports(self.project))
        addresses.require_free(but=self._addresses)
        self._log(
            "firesuite",
            "There are other triggers than before: fireemu is started anew, with its documents, files and users.",
        )
        started = time.monotonic()
        self._next_look_at_events = float("inf")
        try:
            data = process.export(self.project.project_id, self.control)
            references = References(self.project, data, self._firestore_port)
            self._addresses = addresses
            serving.change_services(self.environment)  # now, for an import may ask Firestore for something
            process.stop()
            self._twins = serving.serve_events(self._serve)
            process.start(configuration.importing(data))
            self._until_ready()
            self._delivered_settings = settings_of(self.project)
            references.put_back(self.ports.hub if self._twins or self.project.node_codebases else None)
        finally:
            self._next_look_at_events = self._events_seen = time.monotonic()
        took = self._events_seen - started
        lost = "passwords, sign-ins (but not their ID tokens), faults, snapshots and the documents' times are gone"
        self._log("firesuite", f"Events are delivered as the functions say now, after {took:.1f} s; {lost}.")
        self.on_restart()
