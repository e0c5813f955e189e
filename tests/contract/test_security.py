"""SECURITY.md says nothing that no test shows, and what it says of the whole tree holds."""

import ast
import json
import re
from functools import cache

import pytest
from tests.conftest import ROOT
from tests.samples import sample

from wattle.api import ROUTES
from wattle.http.routing import Access, Caching

TEXT = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`([a-z/_]+\.py(?:::\w+)+)`", TEXT)))
# Those of projects that tests make up are installed by nobody.
LISTS = sorted(
    str(path.relative_to(ROOT))
    for path in ROOT.rglob("requirements*.txt")
    if not {"node_modules", "tests", "bench"} & set(path.parts) and not any(part.startswith(".") for part in path.parts)
)
LOCKS = sorted(path for path in ROOT.rglob("package-lock.json") if "node_modules" not in path.parts)


@cache
def names_in(path):
    """The names of a file's tests, as pytest has them."""
    tree = ast.parse((ROOT / "tests" / path).read_text(encoding="utf-8"))
    names = set()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.ClassDef):
            names |= {f"{node.name}::{member.name}" for member in node.body if isinstance(member, ast.FunctionDef)}
    return names


@pytest.mark.parametrize("name", NAMED)
def test_each_test_that_is_named_exists(name):
    path, _, rest = name.partition("::")
    assert rest.rpartition("::")[2].startswith("test_")
    assert rest in names_in(path), f"SECURITY.md names {name}, which is gone: name the test that shows it now"


def test_each_row_names_one():
    rows = [line for line in TEXT.splitlines() if line.startswith("| ") and "the test" not in line]
    # Versions have none.
    rows = [row for row in rows if not re.match(r"\| (version|the |older)", row)]
    assert len(rows) > 40
    assert [row for row in rows if ".py::" not in row] == []


def test_the_ten_of_owasp_are_all_there():
    assert [int(number) for number in re.findall(r"^\| API(\d+) ", TEXT, re.MULTILINE)] == list(range(1, 11))


# MASVS 2.1.0: how many controls each group has.
MASVS = {"STORAGE": 2, "CRYPTO": 2, "AUTH": 3, "NETWORK": 2, "PLATFORM": 3, "CODE": 4, "RESILIENCE": 4, "PRIVACY": 4}


def test_each_control_of_masvs_is_met_with_the_app_or_is_said_to_be_the_apps_alone():
    controls = {f"MASVS-{group}-{number + 1}" for group, count in MASVS.items() for number in range(count)}
    section = TEXT.partition("## OWASP MASVS")[2].partition("\n## ")[0]
    rows = "\n".join(re.findall(r"^\| (MASVS[^|]+)\|", section, re.MULTILINE))
    met = re.findall(r"MASVS-[A-Z]+-\d", rows)
    others = re.findall(r"MASVS-[A-Z]+-\d", section.partition("\n|")[0])
    assert sorted(met + others) == sorted(controls)


def test_every_list_of_packages_is_looked_at():
    assert {"requirements.txt", "functions/requirements.txt"} < set(LISTS)
    for name in LISTS:
        assert f"`{name}`" in TEXT
    # What is installed anywhere is one of them, and by its hashes.
    for path in (ROOT / "Makefile", ROOT / "tools" / "setup.sh", *(ROOT / ".github").rglob("*.yml")):
        text = path.read_text(encoding="utf-8").replace("$folder", "tools/supply-chain")
        for line in re.findall(r"pip install.*", text):
            if "-e ./suite" not in line:
                assert "--require-hashes" in line
                assert re.search(r"-r (\S+)", line)[1] in LISTS


@pytest.mark.parametrize("name", LISTS)
def test_everything_that_is_installed_is_pinned_by_its_hash(name):
    text = (ROOT / name).read_text(encoding="utf-8").replace("\\\n", " ")
    pins = [line for line in text.splitlines() if line and not line.lstrip().startswith("#")]
    assert len(pins) > 10
    assert [pin for pin in pins if not re.match(r"[a-z0-9-]+==[^ ]+ +--hash=sha256:[0-9a-f]{64}", pin)] == []


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_node_package_has_its_integrity(path):
    packages = json.loads(path.read_text(encoding="utf-8"))["packages"]
    without = {
        name for name, package in packages.items() if name and not package.get("link") and "integrity" not in package
    }
    # What the lock names by hand: see the note of tools/setup.sh and package.json.
    assert {name for name in without if "/@fireemu/" not in name} == set()


def test_only_the_adapters_speak_to_the_network():
    """No URL that a client sent can be fetched where nothing can fetch."""
    speaking = {
        "requests",
        "urllib.request",
        "urllib3",
        "http",
        "httpx",
        "socket",
        "grpc",
        "smtplib",
        "ftplib",
        "aiohttp",
    }
    found = {}
    for path in sorted((ROOT / "functions" / "wattle").rglob("*.py")):
        if "adapters" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [name.name for name in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            if speaking & set(names):
                found[str(path.relative_to(ROOT))] = sorted(speaking & set(names))
    assert found == {}


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
def test_what_may_be_kept_is_said_on_each_route(world, route):
    owner = world.backend.user()
    call = sample(world, route, owner)
    caller = world.admin if route.access is Access.ADMIN else owner
    options = {} if call.body is None else {"json": call.body}
    answer = world.backend.http.request(route.method, call.path, headers=caller.headers, **options)
    assert answer.is_success, answer.text
    expected = route.caching if route.method == "GET" else Caching.NONE
    assert answer.headers["Cache-Control"] == expected.value
    assert "public" not in expected.value
