"""One suite for all tests that need the backend, on free ports, started by the first that asks for it."""

from pathlib import Path

import pytest
from hypothesis import settings
from tests.backend import Backend
from tests.browser import open_browser
from tests.costs import measured
from tests.e2e.dev import Dev
from tests.in_process import Instance
from tests.people import People
from tests.samples import World

from firesuite.ports import Ports
from firesuite.project import Project
from firesuite.suite import Suite

# The machine of CI is shared: how long an example takes says nothing.
settings.register_profile("wattle", deadline=None)
settings.load_profile("wattle")

ROOT = Path(__file__).resolve().parent.parent


def pytest_addoption(parser):
    parser.addoption("--google", action="store_true", help="use Google's Auth and Functions emulators")


@pytest.fixture(scope="session")
def backend():
    """The whole backend as `firesuite exec` serves it."""
    lines = []
    with Suite(Project.load(ROOT), ports=Ports.free(), log=lambda *line: lines.append(line)) as suite:
        running = Backend(suite)
        running.log = lines
        yield running
        running.close()


@pytest.fixture(scope="session")
def start(request):
    """Starts `make dev` as a new user does, on free ports; with --google, Google's own Auth and Functions in it."""
    arguments = ["--google"] if request.config.getoption("--google") else []
    started = []

    def run():
        started.append(Dev(*arguments))
        return started[-1].wait_until_ready()

    yield run
    for running in started:
        running.stop()


@pytest.fixture(scope="session")
def dev(start):
    """One for all tests: of the seed's people, tests of the documentation only touch Alice's orders."""
    return start()


@pytest.fixture
def user(backend):
    """Somebody new."""
    return backend.user()


@pytest.fixture
def stranger(backend):
    """Somebody else."""
    return backend.user()


@pytest.fixture(scope="session")
def admin(backend):
    return backend.user(role="admin")


@pytest.fixture
def instance(backend):
    """Makes instances of the API in this process, with settings of their own: `instance(MAINTENANCE="true")`."""
    made = []

    def make(**settings):
        made.append(Instance(backend, **settings))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture(scope="session")
def people(backend):
    people = People(backend)
    yield people
    people.close()


@pytest.fixture
def member(people):
    """Somebody new whose address is proven, so that he can sign in through the API."""
    return people.verified()


@pytest.fixture
def browser(tmp_path):
    """A real browser."""
    with open_browser(tmp_path) as one:
        yield one


@pytest.fixture(scope="session")
def world(backend, people, admin):
    """What the good calls of `tests.samples` are about."""
    return World(backend, people, admin)


@pytest.fixture(scope="session")
def costs(world):
    """What each route costs: measured once, which takes ten seconds."""
    return measured(world)
