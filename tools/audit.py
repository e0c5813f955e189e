"""`python -m tools audit`: known vulnerabilities in what is pinned, as pip-audit and npm audit know them.

Both ask a database on the network. A package that nobody could be asked about is not called free of vulnerabilities:
it is counted and named as not audited. That alone is no failure, a finding is: but for one in the Firebase CLI that no
update mends, for nobody here can mend it, and a pipeline that stands still until Google does deploys no mended code.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parent.parent
_PIP_AUDIT: Final = ROOT / "tools" / "supply-chain" / ".venv" / "bin" / "pip-audit"
# The TypeScript compiler, the Express reference, and what builds the site, draws it and audits are in neither: they see
# nothing but this tree, and are deployed nowhere.
_LISTS: Final = ("functions/requirements.txt", "requirements.txt")
_CLI: Final = "tools/firebase-tools"
"""The Firebase CLI: it deploys, with the rights of whoever is signed in."""
_FOLDERS: Final = (".", _CLI)
_SECONDS: Final = 300

Program = Callable[[Sequence[str | Path]], str]
"""Runs a program in the project's folder; what it writes to stdout, whatever its exit code."""


@dataclass(frozen=True, slots=True)
class Audit:
    """What was found out about the packages of one list; `reason` says why some could not be asked about, `waiting` has
    the findings that only somebody else can mend."""

    name: str
    audited: int
    skipped: int
    findings: Sequence[str] = field(default_factory=tuple)
    reason: str = ""
    waiting: Sequence[str] = field(default_factory=tuple)

    def __str__(self) -> str:
        if not self.audited:
            return f"{self.name}: NOT AUDITED: {self.reason or 'no advisory database could be reached'}"
        part = f", {self.skipped} could not be asked about: {self.reason}" if self.skipped else ""
        known = len(self.findings) + len(self.waiting)
        return f"{self.name}: {self.audited} packages audited, {known} known vulnerabilities{part}"


def run() -> int:
    """0 where nothing was found, also where nobody could be asked; 1 for a finding."""
    audits = [*(python(name, _output) for name in _LISTS), *(node(folder, _output) for folder in _FOLDERS)]
    for audit in audits:
        print(audit)
        for finding in audit.waiting:
            print(f"  {finding}: nobody but its makers can mend it")
        for finding in audit.findings:
            print(f"  {finding}", file=sys.stderr)
    if any(audit.findings for audit in audits):
        print("audit: update what is named, then `make lock` or `npm update`.", file=sys.stderr)
        return 1
    if not all(audit.audited for audit in audits):
        print("audit: what is NOT AUDITED may have known vulnerabilities. Run it where the network allows it.")
    return 0


def python(name: str, program: Program) -> Audit:
    """What pip-audit says of a list with hashes, of which it installs nothing."""
    command: list[str | Path] = [_PIP_AUDIT, "--requirement", name, "--no-deps", "--disable-pip", "--format", "json"]
    try:
        found: list[Mapping[str, Any]] = json.loads(program(command))["dependencies"]
    except (ValueError, KeyError, TypeError):
        return Audit(name, 0, 0)
    skipped = [package["skip_reason"] for package in found if "skip_reason" in package]
    findings = [
        f"{package['name']} {package['version']}: {flaw['id']}, mended in {_mended(flaw)}"
        for package in found
        for flaw in package.get("vulns", ())
    ]
    return Audit(name, len(found) - len(skipped), len(skipped), findings, skipped[0] if skipped else "")


def _mended(flaw: Mapping[str, Any]) -> str:
    return ", ".join(flaw["fix_versions"]) or "nothing yet"


def node(folder: str, program: Program) -> Audit:
    """What npm audit says of the lock file of a folder."""
    name = str(Path(folder, "package-lock.json"))
    try:
        said: Mapping[str, Any] = json.loads(
            program(["npm", "audit", "--json", "--package-lock-only", "--prefix", folder])
        )
    except ValueError:
        return Audit(name, 0, 0)
    if "metadata" not in said:
        return Audit(name, 0, 0, reason=said.get("message", ""))
    findings: list[str] = []
    waiting: list[str] = []
    for package, flaw in said["vulnerabilities"].items():
        finding = f"{package} {flaw['range']}: {flaw['severity']}"
        if flaw["fixAvailable"]:
            findings.append(f"{finding}, can be updated")
        else:
            (waiting if folder == _CLI else findings).append(f"{finding}, no update yet")
    return Audit(name, said["metadata"]["dependencies"]["total"], 0, findings, waiting=waiting)


def _output(command: Sequence[str | Path]) -> str:
    try:
        done = subprocess.run(  # noqa: S603 (our own commands)
            command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=_SECONDS
        )
    except subprocess.TimeoutExpired:
        return ""
    return done.stdout
