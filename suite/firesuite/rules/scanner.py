"""Tokens of a rules file, read on demand: only the parser knows whether a `/` divides or starts a path."""

import re
from typing import NamedTuple

from firesuite.rules.source import RulesSyntaxError, Source
from firesuite.rules.syntax import Comment

_TRIVIA = re.compile(r"\s+|//[^\n]*|/\*.*?\*/", re.DOTALL)
_TOKEN = re.compile(
    r"""(?P<name>[A-Za-z_][A-Za-z0-9_]*)
      | (?P<float>[0-9]+\.[0-9]+)
      | (?P<int>[0-9]+)
      | (?P<string>'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*")
      | (?P<punctuation>==|!=|<=|>=|&&|\|\||[{}()\[\],;:.?/=<>!+*%-])""",
    re.VERBOSE,
)
# A literal segment ends where an expression could go on; `(default)` is the one segment with parentheses.
_SEGMENT = re.compile(r"\([^()\s/]*\)|[^\s/{}(),;\[\]]+")


class Token(NamedTuple):
    kind: str
    text: str
    start: int
    end: int


class Scanner:
    """Reads tokens of `source` from `offset` on; `comments` gathers what was skipped."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.offset = 0
        self.comments: dict[int, Comment] = {}
        self._ahead: Token | None = None

    def error(self, message: str, offset: int) -> RulesSyntaxError:
        return RulesSyntaxError(message, self.source, offset)

    def skip(self) -> int:
        """Passes white space and comments; returns where the next token starts."""
        text, offset = self.source.text, self.offset
        while found := _TRIVIA.match(text, offset):
            if text[offset] == "/":
                self.comments[offset] = Comment(start=offset, end=found.end(), text=found.group())
            offset = found.end()
        if text.startswith("/*", offset):
            raise self.error("A comment starts here and never ends: close it with '*/'.", offset)
        self.offset = offset
        return offset

    def peek(self) -> Token:
        """The next token, left where it is."""
        if self._ahead is None or self._ahead.start < self.offset:
            self._ahead = self._read()
        return self._ahead

    def take(self) -> Token:
        """The next token, passed."""
        token = self.peek()
        self.offset = token.end
        self._ahead = None
        return token

    def _read(self) -> Token:
        start = self.skip()
        text = self.source.text
        if start == len(text):
            return Token("end", "the end of the file", start, start)
        found = _TOKEN.match(text, start)
        if found is None:
            if text[start] in "'\"":
                raise self.error("A string starts here and does not end on its line.", start)
            raise self.error(f"Unexpected character {text[start]!r}.", start)
        kind = found.lastgroup or ""
        end = found.end()
        if kind == "int" and text.startswith(".", end):
            raise self.error("A '.' after an int starts decimals: write digits after it.", end)
        # One more than the largest, for `-9223372036854775808` is a number too.
        if kind == "int" and (end - start > 30 or int(found.group()) > 2**63):
            raise self.error("An int has 64 bits: this one is too large.", start)
        if kind in ("int", "float") and end < len(text) and (text[end].isalnum() or text[end] == "_"):
            raise self.error(f"Unexpected '{text[end]}' in a number.", end)
        return Token(kind, found.group(), start, end)

    def segment(self) -> Token:
        """A literal path segment; the scanner stands right after its slash."""
        found = _SEGMENT.match(self.source.text, self.offset)
        if found is None:
            raise self.error("A path segment is missing after '/'.", self.offset)
        start, self.offset, self._ahead = self.offset, found.end(), None
        return Token("segment", found.group(), start, found.end())

    def at(self, text: str) -> bool:
        """Whether `text` stands exactly here, with no white space before it."""
        return self.source.text.startswith(text, self.offset)
