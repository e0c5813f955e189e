"""Finds the functions of a codebase by importing its main.py, for a codebase without functions.yaml.

As a script it is run by the functions' own interpreter and prints the manifest; it imports nothing of firesuite.
"""

import json
import os
import subprocess
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path

_SECONDS = 30
# firebase_functions' params and expressions stay expressions while this is set, as at a deployment.
_DISCOVERY = {"FUNCTIONS_CONTROL_API": "true"}
# User code prints while it is imported; what comes after this line is the manifest.
_MARK = "--- firesuite manifest ---"


class DiscoveryError(Exception):
    """main.py could not be imported; the text says where, then gives the traceback."""


def discover(python: Path, source: Path, environment: Mapping[str, str]) -> str:
    """The text of functions.yaml for the main.py in `source`. Raises DiscoveryError."""
    try:
        done = subprocess.run(  # noqa: S603 - our own script by the user's interpreter
            [python, __file__],
            cwd=source,
            env={**os.environ, **environment, **_DISCOVERY},
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise DiscoveryError(f"main.py: its import takes longer than {_SECONDS} s.") from None
    if done.returncode != 0:
        raise DiscoveryError(done.stderr.strip() or f"main.py ended Python with exit code {done.returncode}.")
    return done.stdout.rpartition(f"{_MARK}\n")[2]


def _describe(error: BaseException) -> str:
    source = str(Path.cwd())
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if _is_own(Path(frame.filename), source)]
    if isinstance(error, SyntaxError) and error.filename:
        place = f"{os.path.relpath(error.filename, source)}, line {error.lineno}"
    elif own and Path(own[-1].filename).name != Path(__file__).name:
        place = f"{os.path.relpath(own[-1].filename, source)}, line {own[-1].lineno}"
    else:
        place = "main.py"
    kept = "".join(traceback.format_list(own)) if own else ""
    return f"{place}: {type(error).__name__}: {error}\n{kept}".strip()


def _is_own(path: Path, source: str) -> bool:
    """As `invocation.is_own`, which this script must not import."""
    return path.is_absolute() and path.resolve().is_relative_to(source) and "site-packages" not in path.parts


def main() -> int:
    sys.path.pop(0)  # this script's directory: its neighbours' names must not hide the user's modules
    try:
        from firebase_functions.private import serving  # noqa: PLC0415 - the user's own, or none

        manifest = serving.functions_as_yaml(serving.get_functions())  # type: ignore[no-untyped-call]
    except ModuleNotFoundError as error:
        if error.name == "firebase_functions":
            sys.stderr.write(
                f"firebase-functions is not installed for {sys.executable}: run"
                f" `{sys.executable} -m pip install -r requirements.txt` in {json.dumps(str(Path.cwd()))}."
            )
            return 1
        sys.stderr.write(_describe(error))
        return 1
    except BaseException as error:  # noqa: BLE001 - user code may raise anything, SystemExit too
        sys.stderr.write(_describe(error))
        return 1
    sys.stdout.write(f"{_MARK}\n{manifest}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
