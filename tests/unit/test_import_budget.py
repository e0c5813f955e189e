"""What the API's process loads before its first request: each start of an instance, and so some user, waits for it."""

import subprocess
import sys
from pathlib import Path

import pytest

from bench import imports

# 1.05 times what it was when this was written. More needs a reason, and a look at `make profile-imports`.
MODULES = 1040
DENIED = {
    "google.cloud.firestore": "the API has its own client, events alone need this one",
    "google.cloud.firestore_v1": "the API has its own client, events alone need this one",
    "google.events": "only events need it",
    "google.api_core": "comes with Google's generated clients",
    "proto": "wrappers of Google's generated clients",
    "firebase_functions.firestore_fn": "only events need it",
    "firebase_functions.scheduler_fn": "only schedules need it",
    "grpc_status": "comes with Google's generated clients",
    "unittest": "for tests",
    "pytest": "for tests",
}


@pytest.fixture(scope="module")
def loaded():
    return imports.modules()


def test_no_more_modules_than_the_budget(loaded):
    assert len(loaded) <= MODULES, "see `make profile-imports`"


@pytest.mark.parametrize("package", sorted(DENIED))
def test_it_loads_nothing_that_it_does_not_need(loaded, package):
    found = sorted(name for name in loaded if name == package or name.startswith(f"{package}."))
    assert not found, DENIED[package]


@pytest.mark.parametrize(("target", "exported"), [("", True), ("onOrderWritten", True), ("api", False)])
def test_event_functions_are_exported_unless_another_function_is_named(target, exported):
    """No function is named where firebase-tools and firesuite load main.py."""
    code = "import main; print(hasattr(getattr(main, 'onOrderWritten', None), '__firebase_endpoint__'))"
    environment = {"FUNCTION_TARGET": target} if target else {}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=imports.FUNCTIONS, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(exported)


def test_models_that_are_built_at_first_use_may_be_used_first_by_many():
    code = Path(__file__).with_name("first_use.py")
    subprocess.run([sys.executable, code], cwd=imports.FUNCTIONS, check=True, timeout=60)
