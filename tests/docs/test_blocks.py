"""Every code block of the documentation is run, or read by what reads its language, or says that it is only shown.

| language | what is done with it |
|---|---|
| sh | run with bash against a running `make dev`, the blocks of a page one after another in one shell |
| python | run, the blocks of a page as one program; tests in it are called with our fixtures |
| typescript | compiled and run: test_typescript_client.py |
| swift, kotlin, dart | parsed, and every name in it is known: test_snippets.py |
| json, yaml, toml, xml | parsed; the JSON of docs/api.md and docs/callables.md is what is answered |
| js | parsed; that of docs/callables.md is run: test_callables.py |
| mermaid | drawn in a browser: test_site.py |
| console | shown: commands that change this machine, run for minutes or need a Google project. Those of ours exist |
| text | shown: output, and the form of things |
"""

import ast
import inspect
import itertools
import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from xml.etree import ElementTree as ET

import httpx
import pytest
import tools.__main__
import yaml
from tests.docs.blocks import all_blocks, at, blocks_of
from tools.docs import ROOT, pages

import firesuite.cli

ELSEWHERE = {
    "suite/firesuite/rules/README.md": "tests/rules/test_plugin.py",
    "docs/tutorial.md": "tests/docs/test_tutorial.py",
}
"""Pages whose blocks make up a project that a test of its own lays out and runs."""

IMAGINED = {"suite/docs/testing.md"}
"""Pages whose Python is of a project that is not here: it is parsed, and what it imports is there."""

MADE = "suite/README.md"
"""Its Python is of the project that `firesuite init` makes in an empty directory."""

CHECKED_IN = {
    "typescript": ("test_typescript_client.py", "docs/clients/typescript.md"),
    "swift": ("test_snippets.py", "docs/clients/swift.md", "docs/callables.md"),
    "kotlin": ("test_snippets.py", "docs/clients/kotlin.md", "docs/callables.md"),
    "dart": ("test_snippets.py", "docs/clients/dart.md", "docs/callables.md"),
    "mermaid": ("test_site.py", "README.md"),
}
"""The test that reads a language, and the pages on which it looks for it."""
SHOWN = {"console", "text"}
PARSERS = {"json": json.loads, "yaml": lambda text: list(yaml.safe_load_all(text)), "toml": tomllib.loads}
PARSERS |= {"xml": ET.fromstring}
RUN = {"sh", "python", "js"}

BLOCKS = [block for block in all_blocks() if block.page.as_posix() not in ELSEWHERE]
SECONDS = 120


def of_language(*languages):
    return [pytest.param(block, id=block.place) for block in BLOCKS if block.language in languages]


def pages_with(language):
    """Each page that has such blocks, with them as one text."""
    chosen = [block for block in BLOCKS if block.language == language]
    texts = [
        (page.as_posix(), "\n".join(block.text for block in blocks))
        for page, blocks in itertools.groupby(chosen, key=lambda block: block.page)
    ]
    return [pytest.param(text, id=page) for page, text in texts]


@pytest.mark.parametrize("block", [pytest.param(block, id=block.place) for block in all_blocks()])
def test_its_language_is_known(block):
    elsewhere = {"diff"} if block.page.as_posix() in ELSEWHERE else set()
    assert block.language in {*RUN, *PARSERS, *CHECKED_IN, *SHOWN, *elsewhere}, (
        f"{block.place}: `{block.language}` is none of the languages that {__name__} lists"
    )


@pytest.mark.parametrize("block", of_language(*CHECKED_IN))
def test_it_is_on_a_page_on_which_somebody_looks_for_it(block):
    test, *pages_looked_at = CHECKED_IN[block.language]
    assert block.page.as_posix() in pages_looked_at, f"{test} does not read {block.page}: add it there and here"


@pytest.mark.parametrize(("page", "test"), ELSEWHERE.items())
def test_what_is_tested_elsewhere_is_tested_there(page, test):
    name = page.rpartition("/")[2]
    assert (ROOT / page).is_file()
    assert name in (ROOT / test).read_text(encoding="utf-8")


@pytest.mark.parametrize("block", of_language(*PARSERS))
def test_it_can_be_parsed(block):
    PARSERS[block.language](block.text)


@pytest.mark.parametrize("block", of_language("js"))
def test_javascript_can_be_parsed(block, tmp_path):
    script = tmp_path / "block.mjs"
    script.write_text(block.text)
    subprocess.run(["node", "--check", script], check=True, timeout=SECONDS)


def run(dev, *command, directory=ROOT):
    """What a command prints in the project's folder, with what firesuite sets."""
    path = os.pathsep.join(
        folder for folder in os.environ["PATH"].split(os.pathsep) if folder != str(ROOT / ".venv/bin")
    )
    finished = subprocess.run(
        command,
        cwd=directory,
        env={**os.environ, "PATH": path, "FCM_EMULATOR_HOST": dev.url("FCM").removeprefix("http://")},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished.stdout


@pytest.fixture(scope="module")
def bad_day(start):
    """A suite of its own for what is rehearsed: nobody else's orders wait behind a storm."""
    running = start()
    yield running
    running.stop()


@pytest.mark.parametrize("text", [param for param in pages_with("sh") if param.id != "README.md"])
def test_shell(request, text):
    rehearsed = "docs/operations/" in request.node.name
    suite = request.getfixturevalue("bad_day" if rehearsed else "dev")
    run(suite, "bash", "-euo", "pipefail", "-c", at(suite, text))


@pytest.mark.parametrize("text", [param for param in pages_with("python") if param.id in IMAGINED])
def test_python_of_an_imagined_project(text):
    imports = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Import | ast.ImportFrom)]
    assert imports
    exec(ast.unparse(ast.Module(imports, [])), {})


@pytest.mark.parametrize("text", [param for param in pages_with("python") if param.id not in {*IMAGINED, MADE}])
def test_python(dev, text, request):
    if "def test_" in text:
        # An example of a test, for which our fixtures are there.
        defined = {}
        exec(text, defined)
        for name, test in defined.items():
            if name.startswith("test_"):
                test(**{wanted: request.getfixturevalue(wanted) for wanted in inspect.signature(test).parameters})
        return
    run(dev, sys.executable, "-c", at(dev, text))


def test_python_in_a_project_that_firesuite_made(dev, tmp_path):
    (text,) = [param.values[0] for param in pages_with("python") if param.id == MADE]
    run(dev, ROOT / ".venv/bin/firesuite", "init", directory=tmp_path)
    (tmp_path / "node_modules").symlink_to(ROOT / "node_modules")
    run(dev, sys.executable, "-c", text, directory=tmp_path)


def test_the_first_five_requests(dev):
    """What they answer, in the order of the README; that the others run would not be enough."""
    (text,) = [param.values[0] for param in pages_with("sh") if param.id == "README.md"]
    printed = run(dev, "bash", "-euo", "pipefail", "-c", at(dev, text))
    answers = [json.loads(line) for line in printed.splitlines() if line.startswith("{")]
    profile, first, second, device, order, refused, confirmed, sent, inbox = answers

    assert profile["data"]["email"] == "alice@example.com"
    assert len(first["data"]) == len(second["data"]) == 3
    assert {tuple(row) for row in first["data"]} == {("id", "number", "status", "total")}
    assert not {row["id"] for row in first["data"]} & {row["id"] for row in second["data"]}
    assert device["data"]["fid"] == "cMyPhone0123456789abcd"
    assert (order["data"]["status"], order["data"]["total"]) == ("pending", 1144)
    assert (refused["code"], refused["errors"][0]["field"]) == ("OUT_OF_STOCK", "items[0].quantity")
    assert confirmed["data"]["status"] == "confirmed"
    about = {"orderId": order["data"]["id"], "status": "confirmed"}
    assert about.items() <= sent["messages"][-1]["message"]["data"].items()
    assert inbox["data"][0]["data"] == about


def shape(value):
    """A JSON value with types in place of what is otherwise each time."""
    if isinstance(value, dict):
        return {name: shape(member) for name, member in value.items()}
    return [shape(member) for member in value] if isinstance(value, list) else type(value)


def test_the_answers_that_the_pages_show_are_those_that_are_given(dev):
    """The JSON of the pages on the API and on callables; that it parses would say nothing of what is in it."""
    alice = dict([(ROOT / ".wattle/alice").read_text(encoding="utf-8").strip().split(": ", 1)])
    functions = dev.url("createOrder").rpartition("/")[0]
    page, refused = (json.loads(block.text) for block in blocks_of(Path("docs/api.md")) if block.language == "json")
    answer = httpx.get(f"{functions}/api/v1/orders?limit=1&fields=id,status,total", headers=alice).json()
    assert shape(answer) == shape(page)

    wrong = {"items": [{"productId": "flat-white", "quantity": 0}]}
    answer = httpx.post(f"{functions}/api/v1/orders", headers=alice, json=wrong).json()
    assert {**answer, "timestamp": 0, "requestId": 0} == {**refused, "timestamp": 0, "requestId": 0}

    (shown,) = (json.loads(block.text) for block in blocks_of(Path("docs/callables.md")) if block.language == "json")
    dear = {"data": {"items": [{"productId": "finger-lime-tart", "quantity": 4}], "idempotencyKey": "shown"}}
    answer = httpx.post(f"{functions}/createOrder", headers=alice, json=dear).json()
    answer["error"]["details"]["requestId"] = shown["error"]["details"]["requestId"]
    assert answer == shown


MAKE = re.compile(r"\bmake ([a-z][a-z-]*)(?![\w-]*\.)((?: [A-Z]+=[^\s`]*)*)")
TOOLS = re.compile(r"\bpython -m tools ((?:[^\n|;&>#`]|\\\n)+)")
FIRESUITE = re.compile(r"^(?:\$ )?(?:\.venv/bin/)?firesuite ([^\n|;>#]*)", re.MULTILINE)


def code_in(page):
    """Blocks, wherever they are indented, and code in sentences."""
    text = (ROOT / page).read_text(encoding="utf-8")
    outside = re.sub(r"^ *```.*?^ *```", "", text, flags=re.MULTILINE | re.DOTALL)
    return "\n".join([*(block.text for block in blocks_of(page)), *re.findall(r"`[^`\n]+`", outside)])


@pytest.mark.parametrize("page", pages(), ids=str)
def test_commands_of_ours_exist(page):
    """In code, whether in a block or in a sentence, with the variables that they are given."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    code = code_in(page)
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    assert {target for target, _ in MAKE.findall(code)} <= targets
    variables = {name for _, given in MAKE.findall(code) for name in re.findall(r"([A-Z]+)=", given)}
    assert variables <= set(re.findall(r"\$\(([A-Z]+)\)", makefile))


@pytest.mark.parametrize("page", pages(), ids=str)
def test_commands_of_ours_take_the_options_that_they_are_given(page, monkeypatch):
    """By their own parsers: what a page shows and no test runs is at least no usage error."""
    said = []
    monkeypatch.setattr(tools.__main__, "_of", lambda module: lambda **options: said.append(module) or 0)
    code = code_in(page)
    for command in TOOLS.findall(code):
        words = shlex.split(command.replace("\\\n", " ").removesuffix(")"))
        if len(words) > 1 and "..." not in words:
            said.clear()
            assert tools.__main__.main(words) == 0, command
            assert len(said) == 1
        else:
            with pytest.raises(SystemExit) as left:
                tools.__main__.main([words[0], "--help"])
            assert left.value.code == 0, command
    for command in FIRESUITE.findall("\n".join(block.text for block in blocks_of(page))):
        # What stands behind -- is somebody else's.
        ours, behind, _ = command.partition(" -- ")
        firesuite.cli._parser().parse_args([*shlex.split(ours), *(("--", "true") if behind else ())])


ROUTE = re.compile(r"`((?:(?:GET|POST|PUT|PATCH|DELETE) ?)+)(/(?:v1|health|docs)[^`\s?]*)")
FCMS = Path("suite/firesuite/fcm/README.md")  # another API


def test_every_route_that_a_page_names_is_in_the_description():
    described = json.loads((ROOT / "docs/openapi.json").read_text(encoding="utf-8"))["paths"]
    known = {(method.upper(), re.sub(r"{\w+}", "{}", path)) for path, of in described.items() for method in of}
    named = {
        (page.as_posix(), method, re.sub(r"{\w+}", "{}", path))
        for page in pages()
        if page != FCMS
        for methods, path in ROUTE.findall((ROOT / page).read_text(encoding="utf-8"))
        for method in methods.split()
    }
    assert len(named) > 50
    assert {one for one in named if one[1:] not in known} == set()
