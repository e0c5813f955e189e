"""What differs between two descriptions of the API, for people who review a change, as Markdown."""

import json
from pathlib import Path
from typing import Any

from tools.breaking import breaking_changes
from tools.openapi import PATH


def run(*, base: Path) -> int:
    """Compare docs/openapi.json with `base`. 1 when apps written for `base` would break."""
    old, new = (json.loads(path.read_text(encoding="utf-8")) for path in (base, PATH))
    broken = breaking_changes(old, new)
    print("## The contract with apps\n")
    _list("Breaks apps", broken)
    _list("New", sorted(_operations(new) - _operations(old)))
    _list("Changed", _changed(old, new))
    if old == new:
        print("Nothing changes.")
    return 1 if broken else 0


def _list(title: str, lines: list[str]) -> None:
    if lines:
        print(f"### {title}\n")
        print("\n".join(f"- {line}" for line in lines) + "\n")


def _operations(document: dict[str, Any]) -> set[str]:
    return {f"`{method.upper()} {path}`" for path, item in document["paths"].items() for method in item}


def _changed(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """Operations whose own text changed, and schemas that many may share."""
    operations = sorted(
        f"`{method.upper()} {path}`"
        for path, item in new["paths"].items()
        for method, operation in item.items()
        if (before := old["paths"].get(path, {}).get(method)) is not None and before != operation
    )
    schemas = old.get("components", {}).get("schemas", {})
    return operations + sorted(
        f"schema `{name}`{' (new)' if name not in schemas else ''}"
        for name, schema in new.get("components", {}).get("schemas", {}).items()
        if schemas.get(name) != schema
    )
