import itertools
from datetime import UTC, datetime

import grpc
import pytest

from firesuite.faults import Faults
from wattle.adapters.firestore import Firestore
from wattle.adapters.firestore.client import open_channel

_uids = itertools.count(1)


class Time:
    """A clock and a monotonic clock that only a test moves, and pauses that take no time."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC).replace(microsecond=250_000)
        self.monotonic = 1000.0
        self.pauses = []

    def clock(self):
        return self.now

    def steady(self):
        return self.monotonic

    def pause(self, seconds):
        self.pauses.append(seconds)


@pytest.fixture
def time():
    return Time()


@pytest.fixture(scope="module")
def channel(backend):
    channel, _ = open_channel(f"127.0.0.1:{backend.suite.ports.firestore}")
    yield channel
    channel.close()


@pytest.fixture
def faults():
    return Faults()


@pytest.fixture
def firestore(backend, channel, faults):
    faulty = grpc.intercept_channel(channel, faults)
    return Firestore(backend.project_id, faulty, (("authorization", "Bearer owner"),))


@pytest.fixture
def uid():
    """Somebody whom no other test knows."""
    return f"accounts-unit-{next(_uids)}"
