"""Rules under test are those of the project; `rules` is the plugin's, which pytest finds by itself."""

import os
from pathlib import Path

import pytest

from firesuite.rules.engine import started
from firesuite.rules.source import Source
from firesuite.rules.testing import Rules

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def rules_file():
    return ROOT / "rules" / "firestore.rules"


@pytest.fixture(scope="session")
def _other_engine():
    with started("demo-other") as engine:
        yield engine


@pytest.fixture
def engine(_other_engine):
    """A fireemu on which a test may install rules of its own; without documents."""
    _other_engine.clear()
    return _other_engine


@pytest.fixture
def rules_of(engine):
    """Installs rules: a whole file, or what stands inside of `match /databases/{database}/documents`."""

    def install(text):
        return Rules(engine, Source(text if "service " in text else wrapped(text)))

    return install


def wrapped(body):
    return (
        "rules_version = '2';\nservice cloud.firestore {\n"
        f"  match /databases/{{database}}/documents {{\n{body}\n  }}\n}}\n"
    )


@pytest.fixture(scope="session")
def corpus():
    """What Google's emulator and production were seen to answer; not part of the project."""
    directory = Path(os.environ.get("RULES_CORPUS", ROOT.parent / "shared" / "oracle" / "rules"))
    if not directory.is_dir():
        pytest.skip(f"the corpus of recorded rules decisions is not at {directory}; RULES_CORPUS names another place")
    return directory
