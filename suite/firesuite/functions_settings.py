"""What the suite and the functions host tell each other.

It is read in the functions' own interpreter too, so it imports nothing but the standard library; and the suite reads it
in place of the host, whose Flask and functions-framework would cost every command 80 ms.
"""

import dataclasses
import json
from pathlib import Path
from typing import Self

HEALTH_PATH = "/__/health"
LOAD_ERROR_HEADER = "X-Firesuite-Load-Error"
"""Marks the answers given in place of functions that could not be loaded: an event so refused is to be held."""


def service_of(function: str) -> str:
    """The Cloud Run service under a function: their names are lower case and have no underscore."""
    return function.lower().replace("_", "-")


@dataclasses.dataclass(frozen=True)
class Function:
    """One exported function: `signature` is functions-framework's signature type, `http` or `cloudevent`."""

    name: str
    entry_point: str
    regions: list[str]
    signature: str
    concurrency: int
    """How many requests at a time the platform lets into one instance."""
    threads: int
    """How many of those it works on."""
    timeout_seconds: int

    @property
    def identity(self) -> dict[str, str]:
        """The variables by which a deployed function's process knows which one it is."""
        return {
            "FUNCTION_TARGET": self.entry_point,
            "FUNCTION_SIGNATURE_TYPE": self.signature,
            "K_SERVICE": service_of(self.name),
        }


@dataclasses.dataclass(frozen=True)
class Settings:
    """What the host is told. Read again by each worker, so that a reload sees changed files."""

    project: str
    source: str
    port: int
    functions: list[Function]
    environment: dict[str, str]
    graceful_seconds: int
    debug_port: int | None
    app_check_keys: str
    """The URL of the key set for App Check's tokens."""
    alone: bool
    """Whether the process serves one function of the codebase, as a deployed one does."""
    manifest: str | None
    """The functions.yaml that `functions` are all of; None where they were found in main.py itself, a moment ago."""
    tells_errors: bool
    """Whether to say of code that does not load what is wrong, or to leave that to who asks for the health."""

    @classmethod
    def read(cls, path: str) -> Self:
        values = json.loads(Path(path).read_text(encoding="utf-8"))
        return cls(**{**values, "functions": [Function(**function) for function in values["functions"]]})

    def write(self, path: Path) -> None:
        """Replace the file in one step: a worker may read it at any moment."""
        fresh = path.with_suffix(".new")
        fresh.write_text(json.dumps(dataclasses.asdict(self)), encoding="utf-8")
        fresh.replace(path)
