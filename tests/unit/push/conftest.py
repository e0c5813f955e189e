import uuid

import pytest
from tests.unit.push.world import World

from wattle.adapters.firestore.client import open_channel


@pytest.fixture(scope="session")
def push_project(backend):
    """A project of fireemu's for messages alone: with its own data, and no triggers."""
    control = backend.suite.control
    session = control.session(control.create_session(f"demo-push-{uuid.uuid4().hex[:8]}").name)
    yield session
    session.delete_session()


@pytest.fixture(scope="session")
def push_channel(backend):
    channel, _ = open_channel(f"127.0.0.1:{backend.suite.ports.firestore}")
    yield channel
    channel.close()


@pytest.fixture
def world(backend, push_project, push_channel):
    """The push services of one process, over the real Firestore and the real sink, with faults between."""
    name = next(s.project for s in backend.suite.control.sessions() if s.name == push_project._session)
    push_project.reset()
    world = World(backend, name, push_channel)
    yield world
    world.close()
