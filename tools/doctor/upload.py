"""What `firebase deploy` uploads: the functions folder without what firebase.json has it ignore."""

import json
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

from tools.doctor.report import Checkout, Problem

# What a deployed function reads. .po are translators' sources: .mo is what is read.
_WANTED: Final = frozenset({".py", ".yaml", ".txt", ".mo", ".html", ".binpb"})
_TESTS: Final = ("test_*", "*_test.py", "conftest.py", "tests", "fixtures")
# 0.7 MB when this was written. Each cold start unpacks it, and what is suddenly larger was not meant to be in it.
_LIMIT: Final = 1_500_000


def files(root: Path) -> list[Path]:
    """The files that are uploaded, as firebase-tools 15 chooses them (lib/fsAsync.js: minimatch on the name)."""
    ignored = _ignored(root)

    def below(folder: Path) -> Iterator[Path]:
        for path in sorted(folder.iterdir()):
            if any(fnmatchcase(path.name, pattern) for pattern in ignored):
                continue
            if path.is_dir():
                yield from below(path)
            else:
                yield path

    return list(below(root / "functions"))


def look(checkout: Checkout) -> Iterator[Problem]:
    root = checkout.root
    for pattern in _ignored(root):
        if "/" in pattern:
            yield Problem(
                f"firebase.json ignores {pattern!r}: with a slash, firebase compares it with a whole path",
                "name the file or folder alone",
            )
    uploaded = files(root)
    for path in uploaded:
        where = path.relative_to(root).as_posix()
        if path.is_symlink():
            yield Problem(f"{where} is a symbolic link, which firebase does not upload", "put the file itself there")
        elif any(fnmatchcase(part, pattern) for part in path.relative_to(root).parts for pattern in _TESTS):
            yield Problem(f"{where} is for tests, and would be deployed", "move it to tests/")
        elif path.suffix not in _WANTED:
            yield Problem(
                f"{where} would be deployed, and no function reads such a file",
                'move it, or add it to "ignore" of functions in firebase.json',
            )
    size = sum(path.stat().st_size for path in uploaded)
    if size > _LIMIT:
        largest = max(uploaded, key=lambda path: path.stat().st_size)
        yield Problem(
            f"{size:,} bytes would be uploaded, more than {_LIMIT:,}; the largest file is"
            f" {largest.relative_to(root).as_posix()} with {largest.stat().st_size:,}",
            'take out what is not needed, or add it to "ignore" of functions in firebase.json',
        )


def _ignored(root: Path) -> list[str]:
    (functions,) = json.loads((root / "firebase.json").read_text(encoding="utf-8"))["functions"]
    patterns: list[str] = functions["ignore"]
    return patterns
