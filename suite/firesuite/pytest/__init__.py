"""The pytest plugin: a suite for the project in pytest's root directory, fresh for each test.

It is there once firesuite is installed. A test names what it needs, and the suite starts with the first that does:
`firestore`, `auth`, `functions`, `fcm`, `clock`, `faults`, or `firesuite`, the `Suite` itself. Each worker of
pytest-xdist has a suite and a project id of its own. `rules` and `@table` are `firesuite.rules.plugin`, which comes
with this.

For documents that every test is to find, override the session's fixture `firesuite_seed`.
"""

import dataclasses
import datetime as dt
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from firesuite.baseline import Baseline
    from firesuite.fault_plan import FaultPlan
    from firesuite.faults import Faults
    from firesuite.pytest.calls import Functions
    from firesuite.pytest.people import Auth
    from firesuite.pytest.pushes import Fcm
    from firesuite.suite import Suite

# What a test that asks for nothing of this pays for is this file: the suite is imported by the fixtures.
# ruff: noqa: PLC0415

pytest_plugins = ["firesuite.rules.plugin"]

_LINES = pytest.StashKey[list[tuple[str, str]]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("firesuite")
    group.addoption("--firesuite-project", metavar="ID_OR_ALIAS", help="the project (default: the alias 'default')")
    group.addoption("--firesuite-google", metavar="auth,functions|all", help="these by Google's own emulators")
    parser.addini("firesuite_directory", "where firebase.json is, or below (default: the root directory)", default=".")


@pytest.fixture(scope="session")
def firesuite(pytestconfig: pytest.Config) -> Iterator["Suite"]:
    """The running suite. Its environment is this process's: SDKs in the tests find it as they find any emulator, and
    firebase_admin's messages go to its FCM sink."""
    from firesuite.fcm.admin import connect_all
    from firesuite.google import services_named
    from firesuite.ports import Ports
    from firesuite.project import Project
    from firesuite.suite import Suite

    connect_all()
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    directory = Path(pytestconfig.rootpath, pytestconfig.getini("firesuite_directory"))
    wanted = pytestconfig.getoption("--firesuite-project")
    project = Project.load(directory, wanted, suffix=f"-{worker}" if worker else "")
    google = services_named(pytestconfig.getoption("--firesuite-google") or "")
    lines = pytestconfig.stash.setdefault(_LINES, [])
    suite = Suite(project, ports=Ports.free(), google=google, log=lambda *line: lines.append(line))
    with suite, pytest.MonkeyPatch.context() as patch:
        for name, value in suite.environment.items():
            patch.setenv(name, value)
        yield suite


@pytest.fixture(scope="session")
def firesuite_seed(firesuite: "Suite") -> None:
    """What every test finds: nothing. Override it to put documents in, once."""


@pytest.fixture(scope="session")
def _baseline(firesuite: "Suite", firesuite_seed: None) -> "Baseline":  # noqa: ARG001 - comes first
    from firesuite.baseline import Baseline

    return Baseline(firesuite)


@pytest.fixture
def _fresh(firesuite: "Suite", _baseline: "Baseline") -> Iterator["Suite"]:
    """The suite, which is brought back to its baseline after the test."""
    yield firesuite
    _baseline.restore()


@pytest.fixture(scope="session")
def _database(firesuite: "Suite") -> Iterator[tuple[Any, "Faults"]]:
    from google.auth.credentials import AnonymousCredentials
    from google.cloud.firestore import Client

    from firesuite.faults import Faults

    client, faults = Client(project=firesuite.project.project_id, credentials=AnonymousCredentials()), Faults()
    faults.install(client)
    yield client, faults
    client.close()


@pytest.fixture
def firestore(_fresh: "Suite", _database: tuple[Any, "Faults"]) -> Iterator[Any]:
    """A `google.cloud.firestore.Client`, past the security rules, with `faults.channel` in its channel."""
    client, faults = _database
    yield client
    faults.reset()


@pytest.fixture
def auth(_fresh: "Suite") -> "Auth":
    """`auth.user(claims={"role": "admin"})` is somebody new who is signed in."""
    from firesuite.pytest.people import Auth

    return Auth(_fresh.project.project_id, _fresh.ports.auth)


@pytest.fixture
def functions(_fresh: "Suite") -> "Functions":
    """`functions.call("add", {"a": 1}, user=user)`, `.request("api", "POST", "/v1/x", json=...)`, `.run("nightly")`,
    `.enqueue("work", ...)`, `.await_idle()`."""
    from firesuite.pytest.calls import Functions

    return Functions(_fresh)


@pytest.fixture
def fcm(_fresh: "Suite") -> "Fcm":
    """`fcm.sent_to(token)`, `.shown_on(token)`, `.script(token, "UNREGISTERED")`."""
    from firesuite.pytest.pushes import Fcm

    return Fcm(_fresh.project.project_id, _fresh.ports.fcm)


class Clock:
    """The suite's virtual clock: schedules, retries, tasks that were put off, and the expiry of ID tokens go by it. The
    functions' own `datetime.now()` does not."""

    def __init__(self, suite: "Suite") -> None:
        self._suite = suite

    def now(self) -> dt.datetime:
        return self._suite.control.advance_clock(0)

    def advance(self, seconds: float = 0, **more: float) -> dt.datetime:
        """Move it on by seconds, or as `timedelta` has it (`days=1, hours=2`), and wait until what fell due is done,
        but for what failed and waits for its next retry. The clock's new time."""
        from firesuite.pytest.calls import IDLE_SECONDS

        moved = dt.timedelta(seconds=seconds) + dt.timedelta(**more)
        now = self._suite.control.advance_clock(moved.total_seconds())
        self._suite.control.await_settled(IDLE_SECONDS)
        return now


@pytest.fixture
def clock(_fresh: "Suite") -> Clock:
    """`clock.advance(days=1)`: what falls due in between runs."""
    return Clock(_fresh)


@dataclasses.dataclass(frozen=True, slots=True)
class Injection:
    """The fixture `faults`: `plan` is what fireemu does to everybody's requests and events, `channel` what happens
    between the fixture `firestore` and Firestore. `faults.channel.install(client)` puts the same into another client,
    such as one of the code under test."""

    plan: "FaultPlan"
    channel: "Faults"


@pytest.fixture
def faults(_fresh: "Suite", _database: tuple[Any, "Faults"]) -> Iterator[Injection]:
    """`faults.plan.fail("firestore.commit", nth=2)`, `.deliver_twice("onorder")`; `faults.channel.slow(0.02)`."""
    from firesuite.fault_plan import FaultPlan

    injection = Injection(FaultPlan(_fresh.control), _database[1])
    yield injection
    injection.channel.reset()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """What the suite said during a test is part of the report of its failure."""
    lines = item.config.stash.get(_LINES, [])
    outcome: Any = yield
    report = outcome.get_result()
    if report.failed and lines:
        text = "\n".join(f"{service:>9} | {line}" for service, line in list(lines))
        report.sections.append((f"firesuite during {report.when}", text))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    item.config.stash.get(_LINES, []).clear()
