"""functions/functions.yaml: what firebase-tools and firesuite read in place of running main.py.

It is generated from main.py and committed, so that a change of region, memory or trigger is seen in review.
"""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from firebase_functions.private import serving

FUNCTIONS = Path(__file__).resolve().parent.parent / "functions"
PATH = FUNCTIONS / "functions.yaml"

_HEAD = "# Generated from main.py by `make manifest`. Do not edit.\n"


def generate() -> str:
    """The manifest of functions/main.py as YAML."""
    module = _load(FUNCTIONS / "main.py")
    functions = {
        function.__firebase_endpoint__.entryPoint: function
        for function in vars(module).values()
        if hasattr(function, "__firebase_endpoint__")
    }
    return _HEAD + str(serving.functions_as_yaml(functions))


def run(*, check: bool) -> int:
    """Write the manifest, or only compare it; 1 when it was not up to date and `check` is set."""
    wanted = generate()
    if PATH.exists() and PATH.read_text(encoding="utf-8") == wanted:
        return 0
    if check:
        print(f"{PATH.name} does not match main.py: run `make manifest` and commit it.", file=sys.stderr)
        return 1
    PATH.write_text(wanted, encoding="utf-8")
    print(f"wrote {PATH}")
    return 0


def _load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("main", path)
    if spec is None or spec.loader is None:
        raise FileNotFoundError(path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
