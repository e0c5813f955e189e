"""`python -m tools sbom`: the software bill of materials, as CycloneDX, in .wattle/sbom.

| file | what it lists |
|---|---|
| `functions.cdx.json` | the Python packages that are deployed, with their hashes |
| `development.cdx.json` | those and what developers and tests use besides |
| `node.cdx.json` | the Node packages of the local suite and the tests; none is deployed |
| `firebase-tools.cdx.json` | the Firebase CLI, which deploys, and whose emulators `make test-google` runs |

They are made, not committed: npm and pip write into them where they fetched from.
"""

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
FOLDER: Final = ROOT / ".wattle" / "sbom"
_CYCLONEDX: Final = ROOT / "tools" / "supply-chain" / ".venv" / "bin" / "cyclonedx-py"


def run() -> int:
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, requirements in (("functions", "functions/requirements.txt"), ("development", "requirements.txt")):
        _write(name, [_CYCLONEDX, "requirements", requirements, "--pyproject", "pyproject.toml", "--of", "JSON"])
    for name, folder in (("node", "."), ("firebase-tools", "tools/firebase-tools")):
        _write(name, ["npm", "sbom", "--sbom-format", "cyclonedx", "--package-lock-only", "--prefix", folder])
    return 0


def _write(name: str, command: Sequence[str | Path]) -> None:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S603 (our own commands)
    path = FOLDER / f"{name}.cdx.json"
    path.write_text(done.stdout, encoding="utf-8")
    print(path.relative_to(ROOT))
