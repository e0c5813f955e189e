"""`python -m tools doctor`: can this machine run Wattle? With `--deploy`: may what is here be deployed?

The second asks no network: it looks at the files, runs the project's own checks and tests, and starts every function as
Cloud Run would. Each check is a function of a Checkout that gives problems; `CHECKS` is the whole list.
"""

import argparse
import os
import subprocess
import sys
import time
from typing import Final

from firesuite import doctor as laptop
from firesuite.errors import SuiteError
from tools.doctor import code, requirements, secrets, settings, upload
from tools.doctor.report import Check, Checkout
from tools.environments import ROOT, Environment, UnknownEnvironment, aliases

# The quick ones first: who has to mend something need not wait for the tests.
CHECKS: Final = (
    Check("no emulator variable", settings.emulator_variables),
    Check("settings are known", settings.names),
    Check("settings are complete", settings.complete),
    Check("threads equal concurrency", settings.threads),
    Check("regions agree", settings.regions),
    Check("no secret in the tree", secrets.look),
    Check("the upload holds what functions read", upload.look),
    Check("each function has its account", code.accounts),
    Check("requirements are pinned", requirements.pinned),
    Check("the manifest equals the code", code.manifest),
    Check("every function starts", requirements.starts),
    Check("imports are within budget", code.import_budget),
    Check("rules compile and their tests pass", code.rules),
    Check("every query has its index", code.indexes),
)


def run(*, deploy: bool, project: str | None) -> int:
    """0 when nothing has to be mended, 1 otherwise."""
    if not deploy:
        os.chdir(ROOT)
        return laptop.run(argparse.Namespace(project=project))
    try:
        return preflight(project)
    except (UnknownEnvironment, SuiteError) as error:
        print(f"doctor: {error}", file=sys.stderr)
        return 1


def preflight(alias: str | None, *, quiet: bool = False) -> int:
    """Run every check; with an alias, for that environment's settings, else for those of all that have a project.

    Raises:
        UnknownEnvironment, SuiteError: the settings cannot be read at all.
    """
    failed = 0
    checkout = _checkout(alias)
    if not checkout.environments:
        print("note     no environment has a project in .firebaserc: only the shared settings are looked at")
    for check in CHECKS:
        begun = time.monotonic()
        try:
            problems = list(check.look(checkout))
        except (OSError, KeyError, ValueError, subprocess.CalledProcessError) as error:
            print(f"FAILED   {check.name}: the check itself failed\n         {type(error).__name__}: {error}")
            failed += 1
            continue
        failed += len(problems)
        for problem in problems:
            wrong = problem.wrong.replace("\n", "\n         ")
            print(f"FAILED   {check.name}: {wrong}\n         To mend it: {problem.mend}.", flush=True)
        if not problems and not quiet:
            print(f"ok       {check.name} ({time.monotonic() - begun:.1f} s)", flush=True)
    if failed:
        print(f"{failed} to mend before this is deployed.")
    return 1 if failed else 0


def _checkout(alias: str | None) -> Checkout:
    found = []
    for name in [alias] if alias else aliases():
        try:
            found.append(Environment.load(name))
        except UnknownEnvironment:
            if alias:
                raise
    return Checkout(
        root=ROOT, python=ROOT / ".venv" / "bin" / "python", environments=tuple(found), variables=os.environ
    )
