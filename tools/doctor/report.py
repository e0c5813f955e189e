"""What a check finds."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tools.environments import Environment


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that must be mended first: what is wrong, and what to do."""

    wrong: str
    mend: str


@dataclass(frozen=True, slots=True)
class Checkout:
    """What is looked at."""

    root: Path
    python: Path
    """The interpreter of `make setup`."""
    environments: tuple[Environment, ...]
    """Those whose settings are looked at: the one that is deployed to, or all that have a project."""
    variables: Mapping[str, str]
    """The environment variables of this command: what it starts inherits them."""

    @property
    def functions(self) -> Path:
        return self.root / "functions"


@dataclass(frozen=True, slots=True)
class Check:
    name: str
    look: Callable[[Checkout], Iterable[Problem]]
