"""suite/docs/api.md names what may be used of firesuite: it and the code agree."""

import dataclasses
import importlib
import inspect
import re

import pytest
from tests.suite.harness import ROOT

PAGE = ROOT / "suite" / "docs" / "api.md"
ROW = re.compile(r"^\| `(firesuite[\w.]+)` \| .+ \| (.*) \|$", re.MULTILINE)
NAMES = dict(ROW.findall(PAGE.read_text(encoding="utf-8")))

FOR_TESTS = ("faults", "fault_plan", "baseline", "pytest.people", "pytest.calls", "pytest.pushes")

# Its methods are those of grpc.Call and grpc.Future.
FOREIGN = {"firesuite.faults.Fault"}


def resolved(name):
    module, _, attribute = name.rpartition(".")
    return getattr(importlib.import_module(module), attribute)


def members(thing):
    """The public attributes of a class that firesuite itself defines."""
    if not inspect.isclass(thing):
        return set()
    own = {name for kind in thing.__mro__ if kind.__module__.startswith("firesuite") for name in vars(kind)}
    fields = {field.name for field in dataclasses.fields(thing)} if dataclasses.is_dataclass(thing) else set()
    return {name for name in own | fields if not name.startswith("_")}


@pytest.mark.parametrize("name", sorted(NAMES))
def test_a_name_is_there_with_the_members_that_are_named(name):
    thing = resolved(name)
    if name not in FOREIGN:
        named = set(re.findall(r"`(\w+)`", NAMES[name]))
        assert named <= members(thing)
        assert named == members(thing) or not name.startswith(tuple(f"firesuite.{module}." for module in FOR_TESTS))
    if inspect.isclass(thing) or inspect.isfunction(thing):
        assert thing.__doc__, "says what it is for"


def test_every_public_name_of_the_modules_for_tests_is_named():
    for module in (importlib.import_module(f"firesuite.{name}") for name in FOR_TESTS):
        public = {
            f"{module.__name__}.{name}"
            for name, value in vars(module).items()
            if not name.startswith("_") and getattr(value, "__module__", None) == module.__name__
        }
        assert public <= NAMES.keys()
