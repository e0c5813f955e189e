"""Serves all functions of one codebase from one gunicorn worker, as `/{project}/{region}/{name}`.

It runs in the functions' own interpreter, which has what functions/requirements.txt says and nothing of firesuite: it
imports only the standard library, functions-framework, gunicorn and three neighbours that import no more, and is
started as a script with one argument, a JSON file (`Settings`).

The arbiter never imports the user's code; the worker does, so that SIGHUP to the arbiter loads it afresh while the
listening socket stays and requests in work end in the old worker.
"""

import sys
import types

if __name__ == "__main__":
    # The directory of this script: its neighbours' names (events, server, ...) must not hide the user's modules. They
    # are to be had as `firesuite.events`, in an interpreter that has no firesuite too.
    _package = types.ModuleType("firesuite")
    _package.__path__ = [sys.path.pop(0)]
    sys.modules["firesuite"] = _package

import importlib.util
import json
import mmap
import os
import re
import signal
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

# The `type: ignore`s below: neither functions-framework nor gunicorn annotates what is called here.
try:
    import flask
    import functions_framework
    import gunicorn.arbiter
    import gunicorn.glogging
    from functions_framework import _function_registry
    from functions_framework._http.gunicorn import GunicornApplication
except ModuleNotFoundError as missing:
    if __name__ != "__main__":
        raise
    sys.exit(str(missing))  # the suite says what installs it

from firesuite import costs, invocation
from firesuite.functions_settings import HEALTH_PATH, LOAD_ERROR_HEADER, Function, Settings
from firesuite.in_flight import InFlight

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_DEBUG_PORT_SECONDS = 0.2

# What Cloud Run takes, 32 MiB: https://cloud.google.com/run/quotas#request_limits
_REQUEST_BYTES = 32 * 1024 * 1024

# What the decorators of firebase-functions leave on an exported function.
_ENDPOINT = "__firebase_endpoint__"

_TRIGGER = re.compile(r"/functions/projects/(?P<project>[^/]+)/triggers/(?P<key>[^/]+?)(?:-\d+)?")
# A path may hold any character, an encoded line break too.
_DIRECT = re.compile(r"/(?P<project>[^/]+)/(?P<region>[^/]+)/(?P<name>[^/]+)(?P<rest>/.*)?", re.DOTALL)


def _say(text: str, file: TextIO | None = None) -> None:
    print(text, file=file, flush=True)


class LoadError(Exception):
    """The user's code could not be loaded. Its text says where, then gives the traceback."""


class _LoadedOnce:
    """The loader of a module that has been executed already: projects call initialize_app() at import, and a
    second execution, which create_app() would make for every function, would raise."""

    def exec_module(self, module: types.ModuleType) -> None:
        pass


class _Importing:
    """Which worker imports main.py, known to the next one: one whose predecessor died of that would die of it, too."""

    def __init__(self) -> None:
        self._pid = mmap.mmap(-1, 8)  # shared with the workers, which are forked

    def begin(self) -> None:
        """Raises LoadError where the last to begin has died before its end. The one after this begins afresh."""
        pid = int.from_bytes(self._pid[:], "big")
        self._pid[:] = os.getpid().to_bytes(8, "big")
        if pid and not _is_alive(pid):
            self.end()
            raise LoadError(
                "main.py: its import ended the process, by os._exit or a crash in native code. What was said above says"
                " how."
            )

    def end(self) -> None:
        if int.from_bytes(self._pid[:], "big") == os.getpid():  # else another has begun
            self._pid[:] = bytes(8)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def load(settings: Settings, importing: _Importing) -> "dict[str, WSGIApplication]":
    """Execute main.py once and make each function's own functions-framework app, by function name.

    Raises LoadError.
    """
    importing.begin()
    try:
        return _imported(settings)
    finally:
        importing.end()


def _imported(settings: Settings) -> "dict[str, WSGIApplication]":
    main = str(Path(settings.source, "main.py"))
    if settings.alone:
        os.environ.update(settings.functions[0].identity)
    module, spec = _function_registry.load_function_module(main)  # type: ignore[no-untyped-call]
    try:
        spec.loader.exec_module(module)
    except BaseException as error:  # user code may raise anything, SystemExit too
        raise LoadError(_describe(error, settings.source)) from error
    spec.loader = _LoadedOnce()
    _function_registry.load_function_module = lambda _source: (module, spec)
    functions = _defined(module, settings)
    apps = {
        function.name: functions_framework.create_app(function.entry_point, main, function.signature)  # type: ignore[no-untyped-call]
        for function in functions
    }
    for app in apps.values():
        invocation.watch_errors(app, flask.request)
    _lead_app_check(settings.app_check_keys)
    if not settings.alone:
        # create_app() leaves the last function's name behind; in a process for all of them each request has its own.
        os.environ.pop("FUNCTION_TARGET", None)
        os.environ.pop("FUNCTION_SIGNATURE_TYPE", None)
        invocation.watch_environment()
    return apps


def _defined(module: types.ModuleType, settings: Settings) -> list[Function]:
    """Those that main.py defines. Raises LoadError where the manifest names others."""
    defined = [function for function in settings.functions if hasattr(module, function.entry_point)]
    if settings.manifest is None:
        return defined
    for function in settings.functions:
        if function not in defined:
            raise LoadError(
                f"{_line_of(settings.manifest, function.name)}: names {function.entry_point}, which main.py does not"
                " define. Generate the manifest again, or remove it: the functions are found without it."
            )
    named = {function.entry_point for function in settings.functions}
    unnamed = [name for name, value in vars(module).items() if hasattr(value, _ENDPOINT) and name not in named]
    if unnamed and not settings.alone:
        _say(f"functions.yaml lacks {', '.join(unnamed)}: generate it again to have it served.")
    for function in defined:
        endpoint = getattr(getattr(module, function.entry_point), _ENDPOINT, None)
        regions: Any = getattr(endpoint, "region", None)
        known = isinstance(regions, list) and all(isinstance(region, str) for region in regions)
        if known and sorted(regions) != sorted(function.regions):
            theirs = f"{function.name} in {', '.join(function.regions)}, main.py in {', '.join(regions)}"
            _say(f"functions.yaml has {theirs}: generate it again to have it served there.")
    return defined


def _line_of(manifest: str, name: str) -> str:
    lines = Path(manifest).read_text(encoding="utf-8").splitlines()
    number = next(
        (n for n, line in enumerate(lines, 1) if re.fullmatch(rf"\s+['\"]?{re.escape(name)}['\"]?:.*", line)), 1
    )
    return f"{Path(manifest).name}, line {number}"


def _lead_app_check(url: str) -> None:
    """firebase_admin has no setting for the address of the keys that App Check's tokens are signed with."""
    module = sys.modules.get("firebase_admin.app_check")
    service = getattr(module, "_AppCheckService", None)
    if service is not None:
        service._JWKS_URL = url  # noqa: SLF001 - there is no public seam


def _describe(error: BaseException, source: str) -> str:
    """The place in the user's files, and the traceback from there on."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if invocation.is_own(frame.filename, source)]
    if isinstance(error, SyntaxError) and error.filename:
        place = f"{os.path.relpath(error.filename, source)}, line {error.lineno}"
    elif own:
        place = f"{os.path.relpath(own[-1].filename, source)}, line {own[-1].lineno}"
    else:
        place = "main.py"
    return f"{place}: {type(error).__name__}: {error}\n{invocation.described(error, source)}"


class Host:
    """The WSGI application: finds the function by the path, hands the request to its app, and logs one line."""

    def __init__(self, settings: Settings, in_flight: InFlight, importing: _Importing) -> None:
        self._in_flight = in_flight
        self._project = settings.project
        self._source = settings.source
        # Whoever looks at a request in a debugger takes his time.
        self._deadlines = invocation.Deadlines() if settings.debug_port is None else None
        self._by_key = {
            f"{region}-{function.name}": function for function in settings.functions for region in function.regions
        }
        self._slots = {
            function.name: threading.BoundedSemaphore(min(function.concurrency, function.threads))
            for function in settings.functions
        }
        self._error: str | None = None
        self._apps: dict[str, WSGIApplication] = {}
        try:
            self._apps = load(settings, importing)
        except LoadError as error:
            self._error = str(error)
            if settings.tells_errors:
                _say(f"The functions could not be loaded. {self._error}", file=sys.stderr)

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path == HEALTH_PATH:
            health = {"loaded": self._error is None, "error": self._error, "pid": os.getpid()}
            return _answer(start_response, 200, json.dumps(health), "application/json")
        if match := _TRIGGER.fullmatch(path):
            key, rest, what = match["key"], "/", "event"
        elif match := _DIRECT.fullmatch(path):
            key, rest = f"{match['region']}-{match['name']}", match["rest"] or "/"
            what = f"{environ['REQUEST_METHOD']} {rest}"
        else:
            return _answer(start_response, 404, "Not Found", "text/plain")
        if match["project"] != self._project:
            return _answer(start_response, 404, "Not Found", "text/plain")
        function = self._by_key.get(key)
        if function is None:
            known = ", ".join(self._by_key)
            text = f"Function {key} does not exist, valid functions are: {known}"
            return _answer(start_response, 404, text, "text/html")
        if self._error is not None:
            return _answer(start_response, 500, self._error, "text/plain", (LOAD_ERROR_HEADER, "1"))
        return self._invoke(function, rest, what, environ, start_response)

    def _invoke(
        self, function: Function, path: str, what: str, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        length = int(environ.get("CONTENT_LENGTH") or 0)
        if length > _REQUEST_BYTES and what != "event":
            _say(f"{function.name} {what} 413 of {length:,} bytes; a function takes {_REQUEST_BYTES:,}")
            while environ["wsgi.input"].read(_REQUEST_BYTES):  # or a client that is still sending never sees the answer
                pass
            return _answer(start_response, 413, "Request Entity Too Large", "text/plain")
        # As in production the function sees the path below its own URL, and no trace of the mount point.
        environ["PATH_INFO"] = path
        query = environ.get("QUERY_STRING")
        environ["RAW_URI"] = environ["REQUEST_URI"] = f"{path}?{query}" if query else path
        current = invocation.Invocation(function.name, what, environ, self._source, function.identity)

        def noting_start_response(line: str, *rest: Any) -> Callable[[bytes], object]:
            current.begin_answer(line.partition(" ")[0])
            return start_response(line, *rest)

        # A caller who waits for a place is answered, too, and his time runs; an event that waits has not been seen, and
        # is sent again. Its time begins at its place: production would start another instance for it.
        if what != "event":
            self._hold(current, function.timeout_seconds)
        slot = self._slots[function.name]
        slot.acquire()
        current.waits = False
        if what == "event":
            self._hold(current, function.timeout_seconds)

        def done() -> None:
            slot.release()
            current.end()

        if current.ended:  # its time went by in the queue: in production it never reaches the function
            slot.release()
            return _answer(start_response, 504, "upstream request timeout", "text/plain")
        try:
            with current:
                body = self._apps[function.name](environ, noting_start_response)
        except BaseException:
            done()
            raise
        return _Body(body, done)

    def _hold(self, current: invocation.Invocation, seconds: int) -> None:
        """Have its caller answered after so many seconds, and if this process dies."""
        if self._deadlines is not None:
            self._deadlines.add(current, seconds)
        if (connection := current.connection) is not None:
            current.release = self._in_flight.hold(connection, f"{current.name} {current.what}")


class _Body:
    """A response body that calls `done` when the server has sent or dropped it."""

    def __init__(self, body: Iterable[bytes], done: Callable[[], None]) -> None:
        self._body = body
        self._done = done

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._body)

    def close(self) -> None:
        try:
            getattr(self._body, "close", lambda: None)()
        finally:
            self._done()


def _answer(
    start_response: "StartResponse", status: int, text: str, content_type: str, *headers: tuple[str, str]
) -> list[bytes]:
    body = text.encode()
    start_response(
        f"{status} {HTTPStatus(status).phrase}",
        [("Content-Type", f"{content_type}; charset=utf-8"), ("Content-Length", str(len(body))), *headers],
    )
    return [body]


def _fcm_admin() -> Any:
    """fcm/admin.py alone: its package is the sink, which wants more than there is here."""
    spec: Any = importlib.util.spec_from_file_location(
        "firesuite_fcm_admin", Path(__file__).with_name("fcm") / "admin.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _await_debugger(port: int) -> None:
    """Listen for a debugger, and go on when one is there."""
    debugpy: Any = importlib.import_module("debugpy")  # the optional extra `debug`

    while True:
        try:
            debugpy.listen(("127.0.0.1", port))
            break
        except RuntimeError:  # the worker before this one, which is being reloaded, has the port a moment longer
            threading.Event().wait(_DEBUG_PORT_SECONDS)
    _say(f"Waiting for a debugger to attach to 127.0.0.1:{port}.")
    debugpy.wait_for_client()


class _Arbiter(gunicorn.arbiter.Arbiter):
    """One that replaces a worker whatever its exit status was. gunicorn's own stops at those two, which it means for
    what does not load, but which a function can end its process with as well."""

    # A process ends with 3 and 4 of these, and what the arbiter compares that with are these.
    WORKER_BOOT_ERROR = 256 + gunicorn.arbiter.Arbiter.WORKER_BOOT_ERROR
    APP_LOAD_ERROR = 256 + gunicorn.arbiter.Arbiter.APP_LOAD_ERROR


class _Logger(gunicorn.glogging.Logger):
    """Says how a worker died, be it in a way that gunicorn takes for a warning, such as SIGSEGV."""

    def warning(self, msg: str, *args: Any, **more: Any) -> None:
        if msg.startswith("Worker (pid:%s) was sent"):
            self.error(msg, *args, **more)
        else:
            super().warning(msg, *args, **more)  # type: ignore[no-untyped-call]

    def error(self, msg: str, *args: Any, **more: Any) -> None:
        if msg.startswith("Worker (pid:%s)"):
            _say(f"The functions' process died, another takes its place: {msg % args}")
        else:
            super().error(msg, *args, **more)  # type: ignore[no-untyped-call]


class Application(GunicornApplication):
    """functions-framework's own gunicorn server, which loads the app in the worker rather than in the arbiter."""

    def __init__(self, settings_path: str, keeper: int) -> None:
        """`keeper`: the file descriptor that leads to the suite's `in_flight.Keeper`."""
        self._settings_path = settings_path
        self._keeper = keeper
        self._importing = _Importing()
        os.set_inheritable(keeper, False)  # what the functions start has no business with it
        settings = Settings.read(settings_path)
        options = {
            # Each function's own limit is its semaphore; the pool only has to be large enough for all that wait, too.
            # Threads are started when needed, so a large pool costs nothing.
            "threads": sum(function.concurrency for function in settings.functions) + 16,
            "workers": 1,
            # Requests in work when the code is reloaded end in the old worker, within the longest timeout.
            "graceful_timeout": settings.graceful_seconds,
            "timeout": 0,
            # A client keeps its connection for longer than gunicorn would (2 s), and a request must not meet its end.
            "keepalive": 75,
            "worker_tmp_dir": "/dev/shm" if Path("/dev/shm").is_dir() else None,  # noqa: S108 - as gunicorn's docs advise
            "control_socket_disable": True,
            "logger_class": _Logger,
        }
        super().__init__(None, "127.0.0.1", settings.port, False, **options)  # type: ignore[no-untyped-call]

    def load_config(self) -> None:
        # Settings that the installed gunicorn does not know yet (control_socket_disable came with 25) are left out.
        known = self.cfg.settings if self.cfg is not None else {}
        self.options = {key: value for key, value in self.options.items() if key in known}
        super().load_config()  # type: ignore[no-untyped-call]

    def run(self) -> None:
        _Arbiter(self).run()  # type: ignore[no-untyped-call]

    def load(self) -> Host:
        try:
            return self._loaded()
        except BaseException:
            os.kill(os.getppid(), signal.SIGTERM)  # another worker would fail at the same
            raise

    def _loaded(self) -> Host:
        settings = Settings.read(self._settings_path)
        os.environ.update(settings.environment)
        costs.install(os.environ.get("FIRESTORE_EMULATOR_HOST", ""))
        _fcm_admin().connect_all()
        invocation.watch_logging(flask.request)
        if settings.debug_port is not None:
            _await_debugger(settings.debug_port)
        return Host(settings, InFlight(self._keeper), self._importing)


if __name__ == "__main__":
    Application(sys.argv[1], int(sys.argv[2])).run()
