"""The suite: everything a Firebase project with Python functions needs on one machine, as a context manager."""

import contextlib
import json
import os
import shutil
import tempfile
import time
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from firesuite import fcm, fireemu, hosting
from firesuite.appcheck import AppCheck
from firesuite.clock import ClockTicker
from firesuite.control import ControlApi, ControlError
from firesuite.errors import SuiteError
from firesuite.functions import Runtime
from firesuite.google import SERVICES as GOOGLE_SERVICES
from firesuite.google import GoogleEmulators
from firesuite.history import History
from firesuite.hub import Hub, Locator
from firesuite.inspection import Inspection
from firesuite.ports import HOST, Ports, is_free
from firesuite.processes import Child, Log, Processes
from firesuite.project import Project, firebase_config
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
_EVENTS_GONE_SECONDS = 3.0

# fireemu says with which Node it runs the twins; nobody asked.
_NOISE = ": selected Node "

_LABELS = {
    "auth": "Auth",
    "functions": "Functions",
    "firestore": "Firestore",
    "hub": "the hub",
    "ui": "the UI",
    "logging": "logging",
    "eventarc": "Eventarc",
    "tasks": "Tasks",
    "fcm": "FCM",
    "storage": "Storage",
    "pubsub": "Pub/Sub",
    "hosting": "Hosting",
}


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
        log: Log = lambda _service, _line: None,
    ) -> None:
        """`watch` is for a person at work: functions are reloaded when their source changes, code that does not load is
        no reason not to start, and the virtual clock goes with the real one. Without it only `control` moves the clock.

        `ports` are the project's own by default. `google` names those of `auth` and `functions` that Google's emulators
        are to serve. `cold` starts a process for every request to a function. With `debug_port` the functions are
        loaded once a debugger is attached there (of several codebases each takes the next port), and nothing times out.
        `log` gets each line of each service's output, from several threads.
        """
        self.project = project
        self.ports = ports or project.ports
        self._google = google
        self._mode = Mode(watch, cold, debug_port, "functions" in google)
        self._history = History()
        self.app_check = AppCheck(project.project_id)
        self._show = log
        self._exit = contextlib.ExitStack()
        self._processes: Processes | None = None
        self._serving: Serving | None = None
        self._tasks: TaskQueues | None = None
        self._fireemu: Child | None = None
        self._delivers = False
        self._probes: dict[str, Callable[[], bool]] = {}
        # fireemu serves its control API with its Auth; where Google's Auth has the port, at one of its own.
        self._control_port = self.ports.others(1)[0] if "auth" in google else self.ports.auth
        self._next_look_at_events = self._events_seen = float("inf")
        self._used = frozenset(fireemu.used_ports(project))

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def control(self) -> ControlApi:
        advanced = self._tasks.advance if self._tasks is not None else lambda _seconds: None
        return ControlApi(self._control_port, advanced=advanced)

    @property
    def environment(self) -> Mapping[str, str]:
        """The variables by which Firebase's SDKs find the services, for a command that is to use them."""
        project_id = self.project.project_id
        addresses = {
            "FIREBASE_EMULATOR_HUB": f"{HOST}:{self.ports.hub}",
            "FIRESTORE_EMULATOR_HOST": f"{HOST}:{self.ports.firestore}",
            "FIREBASE_AUTH_EMULATOR_HOST": f"{HOST}:{self.ports.auth}",
            "FUNCTIONS_EMULATOR_HOST": f"{HOST}:{self.ports.functions}",
            "CLOUD_TASKS_EMULATOR_HOST": f"{HOST}:{self.ports.tasks}",
            "CLOUD_EVENTARC_EMULATOR_HOST": f"http://{HOST}:{self.ports.eventarc}",
            "FCM_EMULATOR_HOST": f"{HOST}:{self.ports.fcm}",
        }
        if "storage" in self._used:
            addresses["FIREBASE_STORAGE_EMULATOR_HOST"] = f"{HOST}:{self.ports.storage}"
            addresses["STORAGE_EMULATOR_HOST"] = f"http://{HOST}:{self.ports.storage}"
        if "pubsub" in self._used:
            addresses["PUBSUB_EMULATOR_HOST"] = f"{HOST}:{self.ports.pubsub}"
        return {
            "GCLOUD_PROJECT": project_id,
            "GOOGLE_CLOUD_PROJECT": project_id,
            "FIREBASE_CONFIG": json.dumps(firebase_config(project_id)),
            **addresses,
        }

    def function_url(self, name: str) -> str:
        """Where an HTTP or callable function answers. Raises SuiteError for a name that is not exported."""
        endpoint = self.project.manifest.endpoint(name)
        return f"http://{HOST}:{self.ports.functions}/{self.project.project_id}/{endpoint.regions[0]}/{name}"

    def services(self) -> Mapping[str, str]:
        """The URL of each service, by the name a person knows it by."""
        ports = self.ports
        optional = {"storage": "Storage", "pubsub": "Pub/Sub", "hosting": "Hosting"}
        return {
            "Firestore": f"http://{HOST}:{ports.firestore}",
            "Auth": f"http://{HOST}:{ports.auth}",
            "Functions": f"http://{HOST}:{ports.functions}",
            "Tasks": f"http://{HOST}:{ports.tasks}",
            "FCM": f"http://{HOST}:{ports.fcm}",
            **{
                label: f"http://{HOST}:{getattr(ports, name)}" for name, label in optional.items() if name in self._used
            },
            "Hub": f"http://{HOST}:{ports.hub}",
            "UI": f"http://{HOST}:{ports.ui}/ui",
        }

    def start(self) -> None:
        """Start everything and return when each service answers.

        Raises SuiteError, with nothing left running, when a port is taken, something is not installed, a process ends,
        or (unless it watches) the functions cannot be loaded.
        """
        if unknown := self._google - GOOGLE_SERVICES:
            raise SuiteError(
                f"Google's emulators can serve {', '.join(sorted(GOOGLE_SERVICES))}, not {', '.join(unknown)}."
            )
        self._check_ports()
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

    def guard(self, session: int) -> None:
        """Have this session, of a command that uses the suite, killed as well if the suite is killed."""
        if self._processes is not None:
            self._processes.guard(session)

    def check(self) -> None:
        """Raise SuiteError if a process has ended."""
        ended = self._processes.ended() if self._processes else None
        if ended is not None:
            raise SuiteError(f"{ended.service} ended with exit code {ended.exit_code()}; its output above says why.")
        now = time.monotonic()
        if now < self._next_look_at_events:
            return
        self._next_look_at_events = now + 1.0
        if self._twins_loaded():
            self._events_seen = now
        elif now - self._events_seen > _EVENTS_GONE_SECONDS:
            raise SuiteError("Events are delivered no more: the process with the twins, of fireemu, has ended.")

    def _check_ports(self) -> None:
        for name, label in _LABELS.items():
            port = getattr(self.ports, name)
            if name in self._used and not is_free(port):
                other = "" if name == "fcm" else f", or emulators.{name}.port in firebase.json"
                raise SuiteError(
                    f"Port {port} for {label} is taken by another program: stop it, or give another port with"
                    f" --{name}-port{other}."
                )

    def _log(self, service: str, line: str) -> None:
        if service == "fireemu" and _NOISE in line:
            return
        self._history(service, line)
        self._show(service, line)

    def _start(self) -> None:
        binary = fireemu.find_binary(self.project.directory)
        directory = Path(tempfile.mkdtemp(prefix="firesuite-"))
        self._exit.callback(shutil.rmtree, directory, ignore_errors=True)
        private_hub, private_functions, private_tasks = self.ports.others(3)

        # Servers first, so that they are stopped last: the children talk to them.
        self._serve(fcm.create_app(self.project.project_id), "FCM", self.ports.fcm)
        locator_of_fireemu = directory / f"hub-{self.project.project_id}.json"
        inspection = Inspection(self._history, self.app_check, self._status)
        hub = Hub(self.ports, private_hub, locator_of_fireemu, inspection)
        self._serve(hub, "the hub", self.ports.hub)
        self._tasks = TaskQueues(private_tasks)
        self._exit.callback(self._tasks.stop)
        self._serve(self._tasks, "Tasks", self.ports.tasks)
        runtime = Runtime(self.project.project_id, self.environment, directory)
        serving = Serving(self.project, self.ports, runtime, self._mode)
        self._serving = serving
        self._delivers = serving.serve_events(self._serve)
        self._serve_hosting(serving)

        self._processes = Processes(directory, self._log)
        self._exit.callback(self._processes.stop)
        if serving.bridge is not None:
            self._exit.callback(serving.bridge.stop)
        self._start_functions(self._processes, serving, directory)
        configuration = fireemu.Configuration(
            project=self.project,
            ports=self.ports.replace(auth=self._control_port),
            # `strict` is as production, but refuses the tokens of Google's Auth, whose users are not fireemu's.
            profile="emulator" if "auth" in self._google else "strict",
            twins=serving.twins if self._delivers else None,
            private_functions=private_functions,
            private_hub=private_hub,
            private_tasks=private_tasks,
            services=frozenset(
                {"auth", "firestore"}
                | ({"functions"} if self._delivers else set())
                | ({"storage", "pubsub"} & self._used)
            ),
        )
        self._fireemu = self._processes.start(
            "fireemu",
            [binary, *configuration.write(directory)],
            directory=directory,
            environment=fireemu.environment(os.environ, directory),
        )
        self._until_ready()
        self._next_look_at_events = self._events_seen = time.monotonic()
        locator = Locator(self.project.project_id, self.ports.hub)
        locator.write()
        self._exit.callback(locator.remove)
        if self._mode.watching:
            self._start_watching()

    def _serve_hosting(self, serving: Serving) -> None:
        for site in hosting.sites(self.project.firebase_json)[:1]:
            app = hosting.Hosting(site, self.project.directory, self.ports.functions, serving.path_of)
            self._serve(app, "Hosting", self.ports.hosting, threads=32)

    def _start_functions(self, processes: Processes, serving: Serving, directory: Path) -> None:
        """Start whatever serves the functions, and Google's Auth emulator where it is asked for."""
        if self._google:
            emulators = GoogleEmulators(self.project, self.ports, self._google, directory / "google")
            processes.start(
                "firebase",
                emulators.command(),
                directory=directory / "google",
                environment=emulators.environment(self.environment),
            )
            self._probes["Google's emulators"] = emulators.is_ready
        for endpoint in self.project.manifest.delivered:
            if not endpoint.is_deliverable:
                self._log("firesuite", f"{endpoint.name}: nothing here sends {endpoint.event_type} events.")
        if self.project.codebases and "functions" not in self._google:
            self._probes |= serving.start(processes, self._serve, self._log)

    def _status(self) -> Mapping[str, Any]:
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
                    "url": self.function_url(endpoint.name),
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
            "Firestore": lambda: not is_free(self.ports.firestore),
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
        if not self._delivers or self._serving is None:
            return True
        try:
            status = self.control.functions()
        except (OSError, ControlError):
            return False
        return status.runner_alive and set(status.functions) == {twin.name for twin in self._serving.delivered}

    def _start_watching(self) -> None:
        ticker = ClockTicker(ControlApi(self._control_port))
        ticker.start()
        self._exit.callback(ticker.stop)
        if "functions" in self._google:
            return
        for codebase in self.project.codebases:
            watch = Watch(codebase.source, self._reload)
            watch.start()
            self._exit.callback(watch.stop)

    def _reload(self) -> None:
        """A file of the functions changed."""
        if self._serving is None:
            return
        before = settings_of(self.project)
        try:
            self.project = self.project.reload()
        except SuiteError as error:
            self._log("firesuite", str(error))
        else:
            self._log("firesuite", "The functions' source changed: reloading.")
        self._serving.reload(self.project)
        if settings_of(self.project) != before:
            self._log("firesuite", "There are other triggers than at the start: restart to have them delivered.")
