"""Changes of documents that are stored already, a module each: `NNNN_name.py`, run once, in order, never edited again.

A module's docstring says what it changes and when to run it. It has `COLLECTION`, the name of the collection (with
`EVERYWHERE` = True all collections of this name, below whatever document), and

    def transform(document: Document) -> Mapping[str, Any]

which returns the fields to set, none where the document is as it should be. It depends on nothing but the document, and
what it returns is right to set again. `tools.migrate` does the rest.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from wattle.adapters.firestore import Document

Transform = Callable[[Document], Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Migration:
    """`name` is that of its module and of its entry in the ledger."""

    name: str
    about: str
    collection: str
    everywhere: bool
    transform: Transform


def load() -> list[Migration]:
    """All there are, in their order."""
    names = sorted(path.stem for path in Path(__file__).parent.glob("[0-9][0-9][0-9][0-9]_*.py"))
    return [_load(name) for name in names]


def _load(name: str) -> Migration:
    module = import_module(f"{__name__}.{name}")
    about = (module.__doc__ or "").partition("\n")[0]
    return Migration(name, about, module.COLLECTION, getattr(module, "EVERYWHERE", False), module.transform)
