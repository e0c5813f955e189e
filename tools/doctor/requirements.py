"""Is functions/requirements.txt pinned and complete? The proof: every function starts with it alone, and answers.

Nothing is fetched: what it pins is taken, file by file, out of the environment that `make setup` installed with its
hashes checked. That another version of a package, or another package, would do is thus not claimed.
"""

import re
import shutil
import subprocess
import tempfile
import tomllib
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from firesuite.manifest import Manifest
from tools.doctor import starting, upload
from tools.doctor.report import Checkout, Problem
from tools.environments import shared

_PIN: Final = re.compile(
    r"^([A-Za-z0-9._-]+)==([^ ;\\]+)(?: ;[^\\]*)?((?: \\\n    --hash=sha256:[0-9a-f]{64})*)", re.MULTILINE
)
_AT_ONCE: Final = 2


def pinned(checkout: Checkout) -> Iterator[Problem]:
    """Every package with its version and hashes, the same as the one that the tests ran with, and none in vain."""
    lock = "run `make lock`, and commit what it writes"
    pins = _pins(checkout.functions / "requirements.txt")
    tested = _pins(checkout.root / "requirements.txt")
    for name, (version, hashes) in pins.items():
        if not hashes:
            yield Problem(f"functions/requirements.txt pins {name} without a hash", lock)
        elif tested.get(name) != (version, hashes):
            there = tested.get(name, ("nothing", frozenset()))[0]
            yield Problem(f"functions/requirements.txt deploys {name} {version}, the tests ran with {there}", lock)
    for line in (checkout.functions / "requirements.txt").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith((" ", "#")) and "==" not in line:
            yield Problem(f"functions/requirements.txt does not pin {line!r}", lock)
    needed = _needed(checkout)
    for name in sorted(needed - set(pins)):
        yield Problem(f"functions/requirements.txt lacks {name}, which what it pins needs", lock)
    for name in sorted(set(pins) - needed):
        yield Problem(f"functions/requirements.txt has {name}, which nothing that is deployed needs", lock)


def starts(checkout: Checkout) -> Iterator[Problem]:
    """In a clean environment, from the files that are uploaded, each function by itself, as Cloud Run starts it."""
    environment = (checkout.environments or (shared(checkout.root),))[0]
    with _clean(checkout) as (python, source):
        endpoints = Manifest.parse((source / "functions.yaml").read_text(encoding="utf-8"), "functions.yaml").endpoints
        settings = starting.settings(environment, source.parent)

        def tried(endpoint: Any) -> str | None:
            return starting.answer(python, source, endpoint, settings)

        with ThreadPoolExecutor(_AT_ONCE) as pool:
            failures = [
                (endpoint.name, failure)
                for endpoint, failure in zip(endpoints, pool.map(tried, endpoints), strict=True)
                if failure is not None
            ]
    # All functions are one main.py: what is missing, all of them miss. The last line says what.
    alike: dict[str, list[tuple[str, str]]] = {}
    for name, failure in failures:
        alike.setdefault(failure.splitlines()[-1], []).append((name, failure))
    for same in alike.values():
        names = ", ".join(name for name, _ in same)
        verb = "does" if len(same) == 1 else "do"
        yield Problem(
            f"{names} {verb} not start with functions/requirements.txt alone:\n{same[0][1]}",
            "a package that is missing goes to the dependencies of pyproject.toml, then `make lock`; a file"
            " that is missing is ignored by functions in firebase.json",
        )


@contextmanager
def _clean(checkout: Checkout) -> Iterator[tuple[Path, Path]]:
    """An interpreter that has what is pinned and nothing else, and the folder that is uploaded."""
    with tempfile.TemporaryDirectory(prefix="wattle-") as temporary:
        folder = Path(temporary)
        subprocess.run([checkout.python, "-m", "venv", "--without-pip", folder / "venv"], check=True)  # noqa: S603 (Python)
        (site,) = (folder / "venv" / "lib").glob("python*/site-packages")
        installed = _installed(checkout)
        for name in _pins(checkout.functions / "requirements.txt"):
            if name in installed:
                _copy(installed[name], site)
        source = folder / "functions"
        for path in upload.files(checkout.root):
            target = source / path.relative_to(checkout.functions)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
        yield folder / "venv" / "bin" / "python", source


def _copy(distribution: metadata.Distribution, site: Path) -> None:
    for file in distribution.files or ():
        # Scripts lie outside, and caches are made anew.
        if ".." in file.parts or file.suffix == ".pyc":
            continue
        target = site / file
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(Path(str(file.locate())))


def _pins(path: Path) -> dict[str, tuple[str, frozenset[str]]]:
    """Version and hashes of each package, by its normalised name."""
    text = path.read_text(encoding="utf-8")
    return {
        canonicalize_name(name): (version, frozenset(re.findall(r"sha256:([0-9a-f]{64})", hashes)))
        for name, version, hashes in _PIN.findall(text)
    }


def _installed(checkout: Checkout) -> Mapping[str, metadata.Distribution]:
    (site,) = (checkout.python.parent.parent / "lib").glob("python*/site-packages")
    found = metadata.distributions(path=[str(site)])
    return {canonicalize_name(distribution.metadata["Name"]): distribution for distribution in found}


def _needed(checkout: Checkout) -> set[str]:
    """What pyproject.toml says is deployed, and all that it needs in turn, by what the installed packages declare."""
    project = tomllib.loads((checkout.root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    installed = _installed(checkout)
    waiting = [Requirement(text) for text in project["dependencies"]]
    seen: set[tuple[str, str]] = set()
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        for extra in ("", *sorted(requirement.extras)):
            if (name, extra) in seen:
                continue
            seen.add((name, extra))
            declared = (installed[name].requires if name in installed else None) or []
            waiting += [
                further
                for further in map(Requirement, declared)
                if (further.marker is None and not extra)
                or (further.marker is not None and further.marker.evaluate({"extra": extra}))
            ]
    return {name for name, _ in seen}
