"""The typed client of docs/clients/typescript.md, over types generated from docs/openapi.json: compiled, and used."""

import json
import subprocess
from pathlib import Path

import pytest
from tests.docs.blocks import at, blocks_of
from tests.scripted import Answer, ScriptedServer

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).parent / "ts"
GUIDE = Path("docs/clients/typescript.md")


def run(*command, cwd):
    finished = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120, check=False)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished.stdout


def programs():
    """The guide's files by name. A block that names none goes on with the one before."""
    files = {}
    for block in blocks_of(GUIDE):
        if block.language == "typescript":
            name = block.title if block.title.endswith(".ts") else list(files)[-1]
            files[name] = files.get(name, "") + block.text
    return files


@pytest.fixture(scope="module")
def compiled(tmp_path_factory, request, dev):
    """The directory of the compiled guide, and of the programs over its client."""
    if request.config.getoption("--google"):
        pytest.skip("whose emulators serve Auth and Functions makes no difference to the types")
    installed = HERE / "node_modules"
    if not installed.is_dir():
        pytest.fail("tests/e2e/ts is not installed: run `tools/setup.sh --test`, which `make test` does")
    directory = tmp_path_factory.mktemp("ts")
    for name in ("busy.ts", "day.ts", "phone.ts", "package.json", "tsconfig.json"):
        (directory / name).write_text((HERE / name).read_text())
    guide = programs()
    for name in ("client.ts", "push.ts"):
        (directory / name).write_text(guide[name])
    # What listens keeps a program of Node alive.
    (directory / "app.ts").write_text(at(dev, guide["app.ts"]) + "process.exit(0);\n")
    modules = directory / "node_modules"
    modules.mkdir()
    for name in ("openapi-fetch", "@types"):
        (modules / name).symlink_to(installed / name)
    (modules / "firebase").symlink_to(ROOT / "node_modules" / "firebase")
    generate = installed / "openapi-typescript" / "bin" / "cli.js"
    run("node", str(generate), str(ROOT / "docs/openapi.json"), "-o", "wattle.d.ts", cwd=directory)
    run("node", str(installed / "typescript" / "bin" / "tsc"), cwd=directory)
    return directory


def test_the_guide(compiled, dev):
    said = run("node", "app.js", cwd=compiled).splitlines()
    assert [line.split()[0] for line in said if not line.startswith("inbox")] == [
        "ordered", "refused", "paged", "synced", "live", "signed",
    ]  # fmt: skip
    assert said[0].endswith(" 1144")
    assert "synced pending" in said
    assert "live cancelled" in said


def test_who_signs_in_last_has_the_device(compiled, dev):
    seen = json.loads(run("node", "phone.js", dev.url("api"), dev.url("Auth"), cwd=compiled))
    assert seen == {
        "beforeSignIn": [],
        "first": ["dThisPhone0123456789ab"],
        "afterSignOut": [],
        "second": ["dThisPhone0123456789ab"],
        "firstThen": [],
        "warnings": ["not registered for push"],
    }


@pytest.fixture
def server():
    running = ScriptedServer()
    yield running
    running.close()


def test_what_cloud_run_refuses_is_sent_again_with_the_same_key(compiled, server):
    server.first = [Answer(429, b"Rate exceeded.", {"Content-Type": "text/plain", "Retry-After": "2"})]
    server.answer = Answer(201, {"success": True, "data": {"id": "order"}})
    assert json.loads(run("node", "busy.js", f"http://{server.host}", cwd=compiled)) == {"id": "order"}
    assert server.keys == ["tap", "tap"]
    first, second = server.arrivals
    assert second - first > 1.9


@pytest.mark.parametrize("body", [b"Rate exceeded.", b""])
def test_after_the_last_attempt_the_error_has_the_status(compiled, server, body):
    server.answer = Answer(429, body, {"Content-Type": "text/plain"})
    seen = json.loads(run("node", "busy.js", f"http://{server.host}", cwd=compiled))
    assert seen == {"status": 429, "failure": None, "message": f"429 {body.decode()}"}
    assert server.keys == ["tap"] * 4


def test_an_app_in_typescript(compiled, backend, user):
    product = backend.product(unitPrice=455, stock=5)
    seen = json.loads(run("node", "day.js", backend.api, user.token, product, cwd=compiled))
    assert seen.pop("number") in seen["numbers"]
    assert len(seen.pop("numbers")) == 1, "the lost answer's order and the repeated one are the same"
    assert seen == {
        "zone": None,
        "displayName": "Alice",
        "status": "pending",
        "total": 1001,
        "replayed": "true",
        "refused": "PRODUCT_UNAVAILABLE",
        "fields": ["items[0].productId"],
        "missing": "ORDER_NOT_FOUND",
        "forbidden": "ROLE_REQUIRED",
        "unchanged": 304,
    }
    assert backend.document(f"products/{product}")["stock"] == 3
