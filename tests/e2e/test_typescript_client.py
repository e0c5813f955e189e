"""The typed client that an app generates from docs/openapi.json: generated, compiled, and used."""

import json
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent / "ts"
DESCRIPTION = Path(__file__).resolve().parents[2] / "docs" / "openapi.json"


def run(*command, cwd):
    finished = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120, check=False)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished.stdout


@pytest.fixture(scope="module")
def client(tmp_path_factory, request):
    """The directory of the compiled client."""
    if request.config.getoption("--google"):
        pytest.skip("whose emulators serve Auth and Functions makes no difference to the types")
    installed = HERE / "node_modules"
    if not installed.is_dir():
        pytest.fail("tests/e2e/ts is not installed: run `tools/setup.sh --test`, which `make test` does")
    directory = tmp_path_factory.mktemp("ts")
    for name in ("client.ts", "day.ts", "package.json", "tsconfig.json"):
        (directory / name).write_text((HERE / name).read_text())
    (directory / "node_modules").symlink_to(installed)
    node = ("node", str(installed / "openapi-typescript" / "bin" / "cli.js"))
    run(*node, str(DESCRIPTION), "-o", "wattle.d.ts", cwd=directory)
    run("node", str(installed / "typescript" / "bin" / "tsc"), cwd=directory)
    return directory


def test_an_app_in_typescript(client, backend, user):
    product = backend.product(unitPrice=455, stock=5)
    seen = json.loads(run("node", "day.js", backend.api, user.token, product, cwd=client))
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
