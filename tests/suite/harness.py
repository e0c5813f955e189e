"""What the tests of the suite have in common: HTTP, waiting, and suites over copies of the sample project."""

import contextlib
import json
import os
import shutil
import stat
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from google.auth.credentials import AnonymousCredentials
from google.cloud import firestore

from firesuite.ports import Ports
from firesuite.project import Project
from firesuite.suite import Suite

_HOME = Path.home()
needs_private_home = pytest.mark.skipif(
    any(path.stat().st_mode & stat.S_IWOTH for path in (_HOME, *_HOME.parents)),
    reason="fireemu keeps data only where nobody else may write, and this home directory is where others may",
)

ROOT = Path(__file__).parents[2]
SAMPLE = Path(__file__).parent / "sample"


class Answer:
    """An HTTP answer: `status`, `headers`, `text`, and `json()`."""

    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.text = response.read().decode()

    def json(self):
        return json.loads(self.text)


def http(method, url, body=None, headers=None):
    """One request; error statuses are answers too. A body that is no string is sent as JSON."""
    headers = dict(headers or {})
    if body is not None and not isinstance(body, str):
        body = json.dumps(body)
        headers.setdefault("Content-Type", "application/json")
    request = urllib.request.Request(url, body.encode() if body is not None else None, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return Answer(response)
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error)


def eventually(check, seconds=60.0):
    """Call `check` until it returns something true, and return that; its last assertion error ends the wait."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            if result := check():
                return result
            failure = AssertionError(f"still {result!r} after {seconds} s")
        except (AssertionError, OSError) as error:
            failure = error
        if time.monotonic() > deadline:
            raise failure
        time.sleep(0.02)


@contextlib.contextmanager
def ended(process):
    """Kill a process that a test has started, if it fails before that has ended; Popen's own block would wait."""
    try:
        yield
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


class Lines(list):
    """What the services of a suite said."""

    def __call__(self, service, line):
        self.append((service, line))

    def text(self, service=None):
        return "\n".join(line for name, line in list(self) if service in {None, name})


def project_in(directory, project_id, firebase_json, main=None):
    """A project of one codebase, of none without `main`, that finds the installed node_modules."""
    if main is not None:
        (directory / "functions").mkdir()
        (directory / "functions" / "main.py").write_text(main, encoding="utf-8")
    (directory / "firebase.json").write_text(json.dumps(firebase_json), encoding="utf-8")
    (directory / ".firebaserc").write_text(json.dumps({"projects": {"default": project_id}}), encoding="utf-8")
    (directory / "node_modules").symlink_to(ROOT / "node_modules")
    return directory


def copy_of_sample(directory):
    """A project directory of its own that finds the installed node_modules."""
    shutil.copytree(SAMPLE, directory, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
    (directory / "node_modules").symlink_to(ROOT / "node_modules")
    return directory


def database_of(suite, project=None):
    """A Firestore client for the suite's own database or another project's, by host and port rather than by the
    environment."""
    before = os.environ.get("FIRESTORE_EMULATOR_HOST")
    os.environ["FIRESTORE_EMULATOR_HOST"] = suite.environment["FIRESTORE_EMULATOR_HOST"]
    try:
        return firestore.Client(project=project or suite.project.project_id, credentials=AnonymousCredentials())
    finally:
        if before is None:
            del os.environ["FIRESTORE_EMULATOR_HOST"]
        else:
            os.environ["FIRESTORE_EMULATOR_HOST"] = before


@contextlib.contextmanager
def running(directory, *, ports=None, **options):
    """A suite over the project in `directory`, with its output in `suite.lines` and a client in `suite.database`."""
    lines = Lines()
    project = Project.load(directory, to_be_mended=options.get("watch", False))
    with Suite(project, ports=ports or Ports.free(), log=lines, **options) as suite:
        suite.lines = lines
        suite.database = database_of(suite)
        try:
            yield suite
        finally:
            suite.database.close()
