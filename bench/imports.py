"""`make profile-imports`: what is imported before the first request, and how long each package takes.

    python bench/imports.py             a table, by package, of the milliseconds that its modules take themselves
    python bench/imports.py --modules   the names of all modules that main.py imports, one a line

It runs `functions/main.py`, as the function `api`, in a fresh interpreter, with `python -X importtime`.
"""

import os
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import Final

FUNCTIONS: Final = Path(__file__).resolve().parent.parent / "functions"
_ROWS: Final = 25
# As functions-framework does it: the server, then the function's source.
_SERVER: Final = (
    "import sys; sys.modules['rich'] = None; "  # a development tool, which httpx would import
    "import functions_framework, functions_framework._http.gunicorn, gunicorn.workers.gthread"
)
_FUNCTION: Final = "import main"


def modules() -> set[str]:
    """The names of all modules that are loaded once main.py is."""
    code = f"{_SERVER}; {_FUNCTION}; import sys; print(*sorted(sys.modules), sep='\\n')"
    return set(_run(code).stdout.split())


def seconds() -> list[tuple[str, float]]:
    """Each module with the milliseconds that it takes itself, without those that it imports."""
    lines = _run(f"{_SERVER}; {_FUNCTION}", "-X", "importtime").stderr.splitlines()
    parts = [line.removeprefix("import time:").split("|") for line in lines if line.startswith("import time:")]
    return [(name.strip(), int(own) / 1000) for own, _, name in parts if own.strip().isdigit()]


def _run(code: str, *options: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    environment["FUNCTION_TARGET"] = "api"
    return subprocess.run(
        [sys.executable, *options, "-c", code],
        cwd=FUNCTIONS,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )


def main() -> None:
    if "--modules" in sys.argv[1:]:
        print(*sorted(modules()), sep="\n")
        return
    seconds()  # writes the bytecode
    packages: dict[str, list[float]] = defaultdict(list)
    for name, own in seconds():
        packages[_package(name)].append(own)
    total = sum(sum(times) for times in packages.values())
    print(f"{'package':<36}{'modules':>9}{'ms':>9}")
    for name, times in sorted(packages.items(), key=lambda item: -sum(item[1]))[:_ROWS]:
        print(f"{name:<36}{len(times):>9}{sum(times):>9.1f}")
    count = sum(len(times) for times in packages.values())
    print(f"{'all ' + str(len(packages)) + ' packages':<36}{count:>9}{total:>9.1f}")


def _package(name: str) -> str:
    """Namespace packages hold many distributions: two names deep there."""
    parts = name.split(".")
    return ".".join(parts[:2]) if parts[0] in ("google", "wattle") else parts[0]


if __name__ == "__main__":
    main()
