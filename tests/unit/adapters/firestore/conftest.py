import uuid

import grpc
import pytest

from firesuite.faults import Faults
from wattle.adapters.firestore import Firestore
from wattle.adapters.firestore.client import open_channel
from wattle.kit.retry import Deadline


@pytest.fixture(scope="session")
def project(backend):
    """A project of fireemu's for the adapter alone: with its own data, and no triggers."""
    name = f"demo-adapter-{uuid.uuid4().hex[:8]}"
    session = backend.suite.control.session(backend.suite.control.create_session(name).name)
    session.project = name
    yield session
    session.delete_session()


@pytest.fixture(scope="session")
def emulator(backend):
    """`host:port` of Firestore."""
    return f"127.0.0.1:{backend.suite.ports.firestore}"


@pytest.fixture(scope="session")
def channel(emulator):
    channel, _ = open_channel(emulator)
    yield channel
    channel.close()


@pytest.fixture
def faults():
    return Faults()


@pytest.fixture
def firestore(project, channel, faults):
    faulty = grpc.intercept_channel(channel, faults)
    return Firestore(project.project, faulty, (("authorization", "Bearer owner"),))


@pytest.fixture
def soon():
    """The deadline of one call."""
    return Deadline.after(60)


@pytest.fixture
def path():
    """A document that is nobody else's."""
    return f"things/{uuid.uuid4().hex}"
