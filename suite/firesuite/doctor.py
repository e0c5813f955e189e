"""`firesuite doctor`: looks at what the suite needs, and says of each thing that is missing how to mend it."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from firesuite import fireemu, google
from firesuite.errors import SuiteError
from firesuite.functions import missing_packages, waits_for_threads, without_value
from firesuite.ports import is_free
from firesuite.project import Codebase, Project

_PYTHON = (3, 11)


class Report:
    """Prints each finding; `failed` when one must be mended before the suite starts."""

    def __init__(self) -> None:
        self.failed = False

    def check(self, what: str, look: Callable[[], str]) -> None:
        """`look` gives what is there, or raises SuiteError with what is missing and the command that mends it."""
        try:
            self.good(what, look())
        except SuiteError as error:
            self.bad(what, str(error))

    def good(self, what: str, found: str) -> None:
        _say(f"ok       {what}: {found}")

    def bad(self, what: str, missing: str) -> None:
        self.failed = True
        _say(f"MISSING  {what}: {missing}")

    def note(self, what: str, text: str) -> None:
        """Nothing that keeps the suite from starting."""
        _say(f"note     {what}: {text}")


def run(options: argparse.Namespace) -> int:
    """0 when the suite can start, 1 otherwise."""
    report = Report()
    report.check("Python", _python)
    directory = Path.cwd()
    try:
        project = Project.load(directory, options.project)
    except SuiteError as error:
        report.bad("the project", str(error))
        report.check("fireemu", lambda: _fireemu(directory))
        report.check("Node", fireemu.node_version)
        return 1
    report.good("the project", f"{project.project_id} in {project.directory}")
    report.check("fireemu", lambda: _fireemu(project.directory))
    report.check("Node", fireemu.node_version)
    report.check("firebase-functions for Node", lambda: str(fireemu.find_node_modules(project.directory)))
    for codebase in project.codebases:
        _codebase(report, codebase)
    if not project.codebases:
        report.note("functions", "firebase.json names no Python codebase.")
    for name in sorted(fireemu.used_ports(project)):
        port = getattr(project.ports, name)
        if not is_free(port):
            report.note("ports", f"{port} ({name}) is in use, by a running suite perhaps; --ports free takes others.")
    try:
        report.note("Google's emulators", f"firebase-tools in {google.find_executable(project.directory)}")
    except SuiteError:
        report.note("Google's emulators", "firebase-tools is not installed; only --google needs it.")
    return 1 if report.failed else 0


def _codebase(report: Report, codebase: Codebase) -> None:
    what = f"functions ({codebase.name})"
    how = "found by importing main.py" if codebase.discovered else "named by functions.yaml"
    report.good(what, f"{len(codebase.manifest.endpoints)} in {codebase.source}, {how}")
    if missing := missing_packages(codebase):
        report.bad(what, missing)
    if advice := waits_for_threads(codebase):
        report.note(what, advice)
    for said in without_value(codebase):
        report.note(what, said)
    for endpoint in codebase.manifest.endpoints:
        if not endpoint.is_deliverable:
            report.note(what, f"nothing here sends {endpoint.event_type}; `firesuite call {endpoint.name} DATA` does")


def _python() -> str:
    version = ".".join(str(part) for part in sys.version_info[:3])
    if sys.version_info < _PYTHON:
        raise SuiteError(
            f"{version} is too old: make an environment with `python3.11 -m venv` and install firesuite there."
        )
    return version


def _fireemu(directory: Path) -> str:
    return str(fireemu.find_binary(directory))


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
