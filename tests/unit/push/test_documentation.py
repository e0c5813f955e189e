"""docs/push.md says what the code does: its states, codes, limits and routes."""

import re
from typing import get_args

from tests.conftest import ROOT

from wattle.api import ROUTES
from wattle.broadcasts.schemas import RECIPIENTS_MOST
from wattle.devices.service import DEVICES_MOST, STALE_AFTER
from wattle.push.schemas import _BY_CODE, _BY_STATE, meaning
from wattle.push.sender import _LATER, State

PAGE = (ROOT / "docs/push.md").read_text(encoding="utf-8")


def test_every_state_and_every_code_is_in_its_table():
    assert set(re.findall(r"^\| `([a-z]+)` \| ", PAGE, re.MULTILINE)) == set(get_args(State))
    pairs = set(re.findall(r"^\| `([a-z]+)` `([A-Z_]+)` \| ", PAGE, re.MULTILINE))
    assert pairs == set(_BY_CODE)
    assert all(meaning(state, code) for state, code in pairs)
    assert set(_BY_STATE) == set(get_args(State)) - {state for state, _ in pairs}


def test_what_is_sent_again_is_named():
    (row,) = re.findall(r"^\| (`QUOTA_EXCEEDED`.*?) \| ", PAGE, re.MULTILINE)
    assert set(re.findall(r"`([A-Z_]+)`", row)) == {code.value for code in _LATER} - {"UNKNOWN"}


def test_limits_and_routes_are_those_of_the_code():
    assert f"A person has {DEVICES_MOST} devices at most" in PAGE
    assert f"seen for {STALE_AFTER.days} days is removed" in PAGE
    assert f"up to {RECIPIENTS_MOST:,} users" in PAGE
    known = {(route.method, re.sub(r"\{.*?\}", "{}", route.path)) for route in ROUTES}
    named = re.findall(r"`(GET|POST|PUT|PATCH|DELETE) (/v1/[^`?]+)", PAGE)
    assert len(named) > 8
    for method, path in named:
        assert (method, re.sub(r"\{.*?\}", "{}", path)) in known, f"{method} {path}"
