"""`firesuite functions list`, `call`, `run` and `logs`: the commands for a suite that runs in another terminal."""

import argparse
import datetime as dt
import json
import os
import sys
from pathlib import Path
from typing import Any

from firesuite.errors import SuiteError
from firesuite.inspection import SOME_APP
from firesuite.manifest import Endpoint, Kind
from firesuite.project import Project, resolve
from firesuite.proxy import Answer
from firesuite.running import RunningSuite


def add_commands(commands: Any, shared: argparse.ArgumentParser) -> None:
    """Adds the commands to what `add_subparsers()` gave; each sets `run`, from the options to an exit code."""
    functions = commands.add_parser("functions", help="what the project exports")
    kinds = functions.add_subparsers(required=True, metavar="COMMAND")
    kinds.add_parser("list", parents=[shared], help="each function: kind, region, what starts it").set_defaults(
        run=_list
    )
    call = commands.add_parser("call", parents=[shared], help="call a function of the running suite")
    call.add_argument("name")
    call.add_argument(
        "data", nargs="?", help="JSON: the body of a request, the data of a callable, a task or an event; - is stdin"
    )
    call.add_argument("--as", dest="uid", metavar="UID", help="signed in as this user, who is made if he is new")
    call.add_argument(
        "--app-check", nargs="?", const=SOME_APP, metavar="APP_ID", help="with an App Check token, of this app"
    )
    call.add_argument("-X", dest="method", metavar="METHOD", help="of an HTTPS function (default: GET, POST with data)")
    call.add_argument("--path", default="", help="of an HTTPS function, below its URL; may have a query")
    call.add_argument("-H", dest="headers", action="append", default=[], metavar="NAME: VALUE", help="a request header")
    call.add_argument(
        "--attribute", dest="attributes", action="append", default=[], metavar="NAME=VALUE", help="of an event"
    )
    call.set_defaults(run=_call)
    run = commands.add_parser("run", parents=[shared], help="run a scheduled function of the running suite now")
    run.add_argument("name")
    run.set_defaults(run=_run)
    logs = commands.add_parser("logs", parents=[shared], help="what the services of the running suite said")
    logs.add_argument("--follow", "-f", action="store_true", help="go on until the suite stops or Ctrl-C")
    logs.add_argument("--only", metavar="SERVICE", help="the lines of one service, such as functions")
    logs.set_defaults(run=_logs)


def _list(options: argparse.Namespace) -> int:
    project = Project.load(Path.cwd(), options.project)
    rows = [
        (endpoint.name, endpoint.kind.word, ", ".join(endpoint.regions), _what_starts(endpoint), codebase.name)
        for codebase in project.codebases
        for endpoint in codebase.manifest.endpoints
    ]
    if len(project.codebases) < 2:
        rows = [(*row[:-1], "") for row in rows]
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(5)]
    for row in rows:
        _say("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())
    return 0


def _what_starts(endpoint: Endpoint) -> str:
    trigger = endpoint.trigger
    match endpoint.kind:
        case Kind.SCHEDULE:
            zone = trigger.get("timeZone")
            return f"{trigger['schedule']}{f' ({zone})' if zone else ''}"
        case Kind.EVENT:
            filters = {**trigger.get("eventFilters", {}), **trigger.get("eventFilterPathPatterns", {})}
            filters.pop("namespace", None)
            if filters.get("database") == "(default)":
                del filters["database"]
            words = " ".join(str(value) for value in filters.values())
            return f"{endpoint.event_type} {words}".strip()
        case Kind.BLOCKING:
            return str(trigger.get("eventType", "")).rpartition("/")[2]
        case _:
            return ""


def _running(options: argparse.Namespace) -> RunningSuite:
    """The suite of the project that is named; in `exec` without one, of that suite's own project. It knows the
    functions: the code, which may not even import at the moment, is not asked."""
    within = os.environ.get("GCLOUD_PROJECT") if "FIREBASE_EMULATOR_HUB" in os.environ else None
    _, project_id, _ = resolve(Path.cwd(), options.project or within)
    return RunningSuite.of(project_id)


def _call(options: argparse.Namespace) -> int:
    suite = _running(options)
    kind = Kind(suite.function(options.name)["kind"])
    headers = _headers(options, suite)
    before = suite.last_line()
    text = sys.stdin.read() if options.data == "-" else options.data
    if kind is Kind.HTTPS:
        body = text.encode() if text is not None else None
        if body is not None and "content-type" not in headers:
            headers["content-type"] = "application/json"
        method = options.method or ("GET" if body is None else "POST")
        answer = suite.request(options.name, method, options.path, body, headers)
    elif kind is Kind.CALLABLE:
        answer = suite.call(options.name, _json(text), headers)
    elif kind is Kind.TASK_QUEUE:
        _say(suite.enqueue(options.name, _json(text)))
        return 0
    elif kind in {Kind.EVENT, Kind.SCHEDULE}:
        answer = suite.send_event(options.name, _json(text), dict(_attribute(text) for text in options.attributes))
    else:
        raise SuiteError(f"{options.name} is started by Auth: sign somebody up or in.")
    if answer.body:
        _say(_pretty(answer.body))
    return _exit_code(answer, suite, before)


def _exit_code(answer: Answer, suite: RunningSuite, before: int) -> int:
    """0, or 1 for a function that failed, with what it said since that line of the log."""
    if answer.status < 400:
        return 0
    if answer.status >= 500:
        sys.stderr.write("".join(f"{line}\n" for line in suite.said_since(before)))
    sys.stderr.write(f"HTTP {answer.status}\n")
    return 1


def _headers(options: argparse.Namespace, suite: RunningSuite) -> dict[str, str]:
    headers = dict(_header(text) for text in options.headers)
    if options.uid:
        headers["authorization"] = f"Bearer {suite.id_token(options.uid)}"
    if options.app_check:
        headers["x-firebase-appcheck"] = suite.app_check_token(options.app_check)
    return headers


def _run(options: argparse.Namespace) -> int:
    suite = _running(options)
    suite.require_schedule(options.name)
    before = suite.last_line()
    return _exit_code(suite.send_event(options.name, None, {}), suite, before)


def _logs(options: argparse.Namespace) -> int:
    suite = _running(options)
    try:
        for line in suite.lines(follow=options.follow):
            if options.only in {None, line.service}:
                at = dt.datetime.fromtimestamp(line.at, dt.UTC).astimezone()
                _say(f"{at:%H:%M:%S} {line.service:>9} | {line.text}")
    except KeyboardInterrupt:
        return 0
    return 0


def _header(text: str) -> tuple[str, str]:
    name, separator, value = text.partition(":")
    if not separator:
        raise SuiteError(f"A header is written NAME: VALUE, not {text!r}.")
    return name.strip().lower(), value.strip()


def _attribute(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not separator:
        raise SuiteError(f"An attribute is written NAME=VALUE, not {text!r}.")
    return name, value


def _json(text: str | None) -> Any:
    try:
        return None if text is None else json.loads(text)
    except json.JSONDecodeError as error:
        raise SuiteError(f"The data is not JSON: {error.msg} at character {error.pos + 1} of {text!r}.") from None


def _pretty(body: bytes) -> str:
    try:
        return json.dumps(json.loads(body), indent=2, ensure_ascii=False)
    except ValueError:
        return body.decode(errors="replace")


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
