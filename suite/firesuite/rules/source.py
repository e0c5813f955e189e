"""The text of a rules file: positions, and the one error every refusal of it is told by."""

from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property

from firesuite.errors import SuiteError

# Production accepted 256,001 bytes and refused 262,143; where between them it stops is not known.
MAX_SOURCE_BYTES = 262_142


class RulesSyntaxError(SuiteError):
    """A rules file that no Firestore would install. `line` and `column` count from 1, `offset` from 0 in characters."""

    def __init__(self, message: str, source: "Source", offset: int) -> None:
        self.offset = offset
        self.line, self.column = source.position(offset)
        self.reason = message
        super().__init__(f"{source.name}:{self.line}:{self.column}: {message}")


@dataclass(frozen=True)
class Source:
    """A rules file as text; offsets are in characters (Unicode code points)."""

    text: str
    name: str = "firestore.rules"

    @cached_property
    def _line_starts(self) -> list[int]:
        return [0, *(index + 1 for index, character in enumerate(self.text) if character == "\n")]

    @cached_property
    def _byte_starts(self) -> list[int] | None:
        """Byte offset of each character, or None where every character is one byte."""
        if self.text.isascii():
            return None
        starts, total = [], 0
        for character in self.text:
            starts.append(total)
            total += len(character.encode())
        return [*starts, total]

    def position(self, offset: int) -> tuple[int, int]:
        """Line and column, both from 1."""
        line = bisect_right(self._line_starts, offset)
        return line, offset - self._line_starts[line - 1] + 1

    def line_of(self, offset: int) -> int:
        """The line, from 1."""
        return bisect_right(self._line_starts, offset)

    def byte_offset(self, offset: int) -> int:
        """The same place counted in UTF-8 bytes, as fireemu counts."""
        return self._byte_starts[offset] if self._byte_starts else offset

    def line_text(self, line: int) -> str:
        """The line without its end; `line` counts from 1."""
        return self.text[self._line_starts[line - 1] :].partition("\n")[0]
