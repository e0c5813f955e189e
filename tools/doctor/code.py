"""Do the code, the rules and the indexes hold what they promise? Asked with the project's own commands and tests."""

import subprocess
from collections.abc import Iterator
from typing import Final

import yaml

from tools.doctor.report import Checkout, Problem

_PYTEST: Final = ("-m", "pytest", "-q", "--no-header", "--maxfail=5", "-p", "no:cacheprovider")
_LAST: Final = 15


def manifest(checkout: Checkout) -> Iterator[Problem]:
    yield from _run(checkout, ["-m", "tools", "manifest", "--check"], "run `make manifest`, and commit what it writes")


def accounts(checkout: Checkout) -> Iterator[Problem]:
    """Each function runs as an account of its own, which `make provision` knows."""
    known = yaml.safe_load((checkout.root / "ops" / "accounts.yaml").read_text(encoding="utf-8"))["accounts"]
    functions = yaml.safe_load((checkout.functions / "functions.yaml").read_text(encoding="utf-8"))["endpoints"]
    wanted = {name: str(endpoint["serviceAccountEmail"]).partition("@")[0] for name, endpoint in functions.items()}
    for name, account in wanted.items():
        if account not in known:
            yield Problem(f"{name} runs as {account}, which is not in ops/accounts.yaml", "add it there with its roles")
    for account in sorted(set(known) - set(wanted.values())):
        yield Problem(f"ops/accounts.yaml has {account}, which no function runs as", "take it out")


def rules(checkout: Checkout) -> Iterator[Problem]:
    lint = ["-m", "firesuite.cli", "rules", "lint"]
    found = list(_run(checkout, lint, "mend rules/firestore.rules"))
    yield from found
    if not found:
        # The matrix has each rule by each kind of caller; the rest of tests/rules tests firesuite.
        tests = [*_PYTEST, "tests/rules/test_wattle_matrix.py", "tests/rules/test_api_agrees.py"]
        yield from _run(checkout, tests, "mend rules/firestore.rules, or the test if the rule is meant")


def indexes(checkout: Checkout) -> Iterator[Problem]:
    tests = [*_PYTEST, "tests/contract/test_indexes.py"]
    yield from _run(checkout, tests, "add to firestore.indexes.json what is missing, and take out what is not used")


def import_budget(checkout: Checkout) -> Iterator[Problem]:
    tests = [*_PYTEST, "tests/unit/test_import_budget.py"]
    yield from _run(checkout, tests, "`make profile-imports` says where the start goes")


def _run(checkout: Checkout, arguments: list[str], mend: str) -> Iterator[Problem]:
    command = [str(checkout.python), *arguments]
    done = subprocess.run(  # noqa: S603 (our own commands)
        command, cwd=checkout.root, env=dict(checkout.variables), capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        said = "\n".join((done.stdout + done.stderr).strip().splitlines()[-_LAST:])
        yield Problem(f"`python {' '.join(arguments)}` fails:\n{said}", mend)
