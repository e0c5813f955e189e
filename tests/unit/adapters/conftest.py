import pytest
from tests.scripted import ScriptedServer


@pytest.fixture
def scripted():
    """A Google service of our own."""
    server = ScriptedServer()
    yield server
    server.close()
