"""docs/openapi.json: the API's description, generated from the route table and committed as the contract with apps."""

import json
import sys
from pathlib import Path

from tools.breaking import breaking_changes
from wattle.api import ROUTES
from wattle.http.openapi import document
from wattle.http.routing import bind

PATH = Path(__file__).resolve().parent.parent / "docs" / "openapi.json"


def generate() -> str:
    """The description of the present routes, as JSON that reads well in a diff."""
    return json.dumps(document([bind(route) for route in ROUTES]), indent=1, ensure_ascii=False) + "\n"


def run(*, check: bool, breaking: bool) -> int:
    """Write the description, or only compare it. 1 when it was not up to date and `check` is set, and when a change
    would break apps and `breaking` is not set."""
    wanted = generate()
    present = PATH.read_text(encoding="utf-8") if PATH.exists() else None
    if wanted == present:
        return 0
    changes = breaking_changes(json.loads(present), json.loads(wanted)) if present else []
    for change in changes:
        print(f"breaks apps: {change}", file=sys.stderr)
    if check:
        print("docs/openapi.json does not match the code: run `make openapi` and commit it.", file=sys.stderr)
        return 1
    if changes and not breaking:
        print("Nothing was written. /v1 is frozen: make the change another way; before the first release,"
              " `python -m tools openapi --breaking` accepts it.", file=sys.stderr)  # fmt: skip
        return 1
    PATH.parent.mkdir(exist_ok=True)
    PATH.write_text(wanted, encoding="utf-8")
    print(f"wrote {PATH}")
    return 0
