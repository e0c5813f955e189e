"""The dialect of `.env` files that firebase-tools reads (its `lib/functions/env.js`)."""

import re
from pathlib import Path

from firesuite.errors import SuiteError
from firesuite.files import read_text

_LINE = re.compile(
    r"""
    ^[ \t]*
    (?:export[ \t]+)?
    (?P<key>[A-Za-z_][A-Za-z0-9_]*)
    [ \t]*=[ \t]*
    (?P<value>
        '(?:[^'\\]|\\.)*'       # single quotes: literal
      | "(?:[^"\\]|\\.)*"       # double quotes: escapes are expanded; both may cross lines
      | [^\#\r\n]*              # bare: up to a comment
    )?
    [ \t]*(?:\#[^\n]*)?$
    """,
    re.VERBOSE | re.MULTILINE,
)
_ESCAPES = {"\\n": "\n", "\\r": "\r", "\\t": "\t", "\\v": "\v", "\\\\": "\\", "\\'": "'", '\\"': '"'}


def read(path: Path) -> dict[str, str]:
    """The assignments of one file, in order. A file that is not there has none.

    Raises SuiteError, with the file and the line, for what is not UTF-8, and for a line that is neither an assignment,
    a comment nor empty.
    """
    try:
        text = read_text(path).replace("\r\n", "\n")
    except FileNotFoundError:
        return {}
    values = {}
    for match in _LINE.finditer(text):
        values[match["key"]] = _unquote((match["value"] or "").strip())
    left = _LINE.sub("", text)
    for line in left.splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            number = next(n for n, whole in enumerate(text.splitlines(), 1) if whole == line)
            raise SuiteError(f"{path}, line {number}: expected KEY=value, found {line.strip()!r}.")
    return values


def _unquote(value: str) -> str:
    if len(value) >= 2 and value[0] == value[-1] == "'":
        return value[1:-1]
    if len(value) >= 2 and value[0] == value[-1] == '"':
        return re.sub(r"\\.", lambda match: _ESCAPES.get(match[0], match[0]), value[1:-1])
    return value
