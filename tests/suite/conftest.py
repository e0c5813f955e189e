"""The sample project served once for all tests of this directory, on free ports."""

import pytest
from tests.suite.harness import copy_of_sample, running

# Its own tests are run by test_pytest_plugin.py, as a project's are.
collect_ignore = ["sample"]


@pytest.fixture(scope="session")
def suite(tmp_path_factory):
    """The sample served as tests and `exec` do: the clock stands still and nothing is watched."""
    with running(copy_of_sample(tmp_path_factory.mktemp("sample"))) as started:
        yield started


@pytest.fixture(scope="module")
def watching(tmp_path_factory):
    """The sample served as `up` does, in a directory whose files a test may change."""
    with running(copy_of_sample(tmp_path_factory.mktemp("watched")), watch=True) as started:
        yield started
