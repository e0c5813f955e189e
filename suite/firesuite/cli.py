"""The command line: `firesuite up`, `exec -- CMD`, `fcm` are here; `commands`, `doctor` and `init` have the others."""

import argparse
import contextlib
import dataclasses
import functools
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import NoReturn, TextIO

from firesuite import commands as running_commands
from firesuite import doctor, fcm, init, reaper
from firesuite.control import ControlError
from firesuite.errors import SuiteError
from firesuite.google import services_named
from firesuite.output import while_read
from firesuite.ports import HOST, Ports
from firesuite.project import Project
from firesuite.rules.cli import add_commands as add_rules_commands
from firesuite.server import Server
from firesuite.suite import Suite

# For the command to end after a signal: with the suite's own stop it makes 5 s.
_COMMAND_STOP_SECONDS = 2.0

# What Python's debuggers attach to by default.
_DEBUG_PORT = 5678

# The value of --export-on-exit without one.
_TO_IMPORT = ""

_COLOURS = {"functions": "36", "fireemu": "33", "firebase": "33", "firesuite": "35"}


class Console:
    """Prints each service's lines with the service's name in front, in colour on a terminal."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()
        self._colour = stream.isatty() and "NO_COLOR" not in os.environ

    def __call__(self, service: str, line: str) -> None:
        prefix = f"{service:>9} |"
        if self._colour:
            prefix = f"\033[{_COLOURS.get(service, '32')}m{prefix}\033[0m"
        with self._lock, contextlib.suppress(BrokenPipeError):
            print(prefix, line, file=self._stream, flush=True)


class Interrupted(BaseException):
    """A signal asked this process to stop; `number` is which."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Turn the first SIGINT, SIGTERM or SIGHUP into Interrupted; further ones are ignored, for stopping is bounded."""
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def interrupt(number: int, _frame: FrameType | None) -> NoReturn:
        for ignored in signals:
            signal.signal(ignored, signal.SIG_IGN)
        raise Interrupted(number)

    before = {number: signal.signal(number, interrupt) for number in signals}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def run(suite: Suite, ready: Callable[[Suite], None], again: Callable[[Suite], None]) -> int:
    """Start the suite, call `ready` once it answers, and keep it running until Ctrl-C. The exit code.

    `again` is called, in another thread, when fireemu has been started anew because functions got other triggers.
    This is the whole of `firesuite up`, for a project's own tool that does something between the two, such as seeding.
    """
    suite.on_restart = functools.partial(again, suite)
    try:
        with interruptible(), suite:
            ready(suite)
            suite.wait()
    except Interrupted:
        pass
    except SuiteError as error:
        print(f"firesuite: {error}", file=sys.stderr)
        return 1
    return 0


def table(suite: Suite) -> str:
    """The services and their URLs, one a line, and the URL of each function that has one."""
    rows = dict(suite.services())
    rows |= {
        f"  {endpoint.name}": suite.function_url(endpoint.name)
        for endpoint in suite.project.manifest.endpoints
        if endpoint.kind.is_direct
    }
    width = max(len(name) for name in rows)
    return "\n".join(f"{name:<{width}}  {url}" for name, url in rows.items())


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        return while_read(lambda: options.run(options))
    except (SuiteError, ControlError) as error:
        print(f"firesuite: {error}", file=sys.stderr)
    except OSError as error:  # a file that may not be read or written, a disk that is full
        if error.filename is None:
            raise
        print(f"firesuite: {error.filename}: {error.strerror}.", file=sys.stderr)
    return 1


def _up(options: argparse.Namespace) -> int:
    def ready(suite: Suite) -> None:
        print(f"\n{table(suite)}\n\nReady. Ctrl-C stops everything.", flush=True)

    def again(suite: Suite) -> None:
        print(f"\n{table(suite)}\n", flush=True)

    return run(_suite(options, watch=True, log_to=sys.stdout), ready, again)


def _exec(options: argparse.Namespace) -> int:
    command = options.command[1:] if options.command[:1] == ["--"] else options.command
    if not command:
        raise SuiteError("Give the command to run after --: firesuite exec -- pytest.")
    try:
        # The command's standard output is its own, for pipes.
        with interruptible(), _suite(options, watch=False, log_to=sys.stderr) as suite:
            code = _run_command(command, suite)
    except Interrupted as interrupted:
        code = 128 + interrupted.number
    return code


def _run_command(command: Sequence[str], suite: Suite) -> int:
    # On a terminal the command shares this session, or it could not read the keyboard and would miss Ctrl-C.
    alone = not sys.stdin.isatty()
    try:
        process = subprocess.Popen(  # noqa: S603 - the user's own command
            command, env={**os.environ, **suite.environment, **suite.mark, **_startup()}, start_new_session=alone
        )
    except OSError as error:
        raise SuiteError(f"Cannot run {command[0]}: {error.strerror}.") from None
    if alone:
        suite.guard(process.pid)
    try:
        while True:
            with contextlib.suppress(subprocess.TimeoutExpired):
                code = process.wait(0.2)
                return code if code >= 0 else 128 - code
            suite.check()
    except BaseException as error:
        process.send_signal(error.number if isinstance(error, Interrupted) else signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_COMMAND_STOP_SECONDS)
        process.kill()
        process.wait()
        raise
    finally:
        if alone:
            reaper.kill_sessions([process.pid])  # what the command left in the background uses a suite that is gone


def _startup() -> dict[str, str]:
    """Has each Python that the command starts send firebase_admin's messages to the sink."""
    paths = [str(Path(__file__).with_name("startup")), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {"PYTHONPATH": os.pathsep.join(paths)}


def _fcm(options: argparse.Namespace) -> int:
    server = Server(fcm.create_app(), service="FCM", port=options.port)
    try:
        with interruptible():
            server.start()
            print(f"FCM  http://{HOST}:{server.port}", flush=True)
            threading.Event().wait()
    except Interrupted:
        pass
    finally:
        server.stop()
    return 0


def _suite(options: argparse.Namespace, *, watch: bool, log_to: TextIO) -> Suite:
    google = services_named(options.google or "")
    # Google's Functions emulator is not told of what a save brings.
    project = Project.load(Path.cwd(), options.project, to_be_mended=watch and "functions" not in google)
    ports = Ports.free() if options.ports == "free" else project.ports
    chosen = {field.name: getattr(options, f"{field.name}_port") for field in dataclasses.fields(Ports)}
    ports = ports.replace(**{name: port for name, port in chosen.items() if port is not None})
    data, export_to = _data(options)
    return Suite(
        project,
        ports=ports,
        watch=watch,
        google=google,
        cold=getattr(options, "cold", False),
        debug_port=getattr(options, "debug", None),
        data=data,
        export_to=export_to,
        log=Console(log_to),
    )


def _data(options: argparse.Namespace) -> tuple[Path | None, Path | None]:
    """Where the data comes from, and where it goes at the end."""
    data = Path(options.data).resolve() if options.data else None
    if data is not None and not (data / "firebase-export-metadata.json").is_file():
        raise SuiteError(f"{data} holds no export: it has no firebase-export-metadata.json.")
    if options.export_to == _TO_IMPORT:
        if data is None:
            raise SuiteError("--export-on-exit needs a directory where there is no --import.")
        return data, data
    return data, Path(options.export_to).resolve() if options.export_to else None


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 65_536:
        raise argparse.ArgumentTypeError(f"a port is a number from 1 to 65535, not {text!r}")
    return int(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="firesuite", description="The Firebase emulator suite for Python Cloud Functions."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    named = argparse.ArgumentParser(add_help=False)
    named.add_argument("--project", "-P", help="project id or alias of .firebaserc (default: the alias 'default')")
    shared = argparse.ArgumentParser(add_help=False, parents=[named])
    shared.add_argument("--ports", choices=["free"], help="take any free ports")
    shared.add_argument("--import", dest="data", metavar="DIR", help="begin with this export")
    shared.add_argument(
        "--export-on-exit",
        dest="export_to",
        nargs="?",
        const=_TO_IMPORT,
        metavar="DIR",
        help="export the data at the end (default: where --import has it from)",
    )
    shared.add_argument(
        "--google",
        metavar="auth,functions|all",
        help="these by Google's own emulators (firebase-tools; all needs Java 21)",
    )
    for field in dataclasses.fields(Ports):
        shared.add_argument(f"--{field.name}-port", type=_port, metavar="N", help=f"default: {field.default}")

    up = commands.add_parser("up", parents=[shared], help="start everything; Ctrl-C stops it")
    how = up.add_mutually_exclusive_group()
    how.add_argument("--cold", action="store_true", help="start a process for every call of a function")
    how.add_argument(
        "--debug",
        nargs="?",
        type=_port,
        const=_DEBUG_PORT,
        metavar="PORT",
        help=f"wait for a debugger (debugpy) before the functions are loaded (default port: {_DEBUG_PORT})",
    )
    up.set_defaults(run=_up)
    run_command = commands.add_parser("exec", parents=[shared], help="start everything, run a command, stop everything")
    run_command.add_argument("command", nargs=argparse.REMAINDER, metavar="-- CMD")
    run_command.set_defaults(run=_exec)
    running_commands.add_commands(commands, named)
    look = commands.add_parser("doctor", parents=[named], help="what is missing, and the command that mends it")
    look.set_defaults(run=doctor.run)
    start = commands.add_parser("init", parents=[named], help="add what the suite needs to a project")
    start.set_defaults(run=init.run)
    rules = commands.add_parser("rules", help="test, mutate, lint and explain security rules")
    add_rules_commands(rules.add_subparsers(required=True, metavar="COMMAND"))
    sink = commands.add_parser("fcm", help="serve the FCM sink alone")
    sink.add_argument("--port", type=_port, default=Ports().fcm)
    sink.set_defaults(run=_fcm)
    return parser


if __name__ == "__main__":
    sys.exit(main())
