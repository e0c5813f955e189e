"""`make dev` as a new user starts it, on free ports; with --google, Google's own Auth and Functions emulators in it."""

import pytest
from tests.e2e.dev import Dev


@pytest.fixture(scope="session")
def start(request):
    """Starts another one; the caller stops it."""
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
    return start()
