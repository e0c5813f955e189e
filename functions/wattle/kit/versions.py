"""Versions of apps: `1.2.3`, with up to four numbers, a suffix allowed."""

import re
from typing import Final

PATTERN: Final = r"^[0-9]{1,9}(\.[0-9]{1,9}){0,3}([+-][0-9A-Za-z.-]{1,30})?$"
_VERSION: Final = re.compile(PATTERN, re.ASCII)

Version = tuple[int, int, int, int]
"""The numbers, those left out as 0: versions compare as these do. A suffix does not count: 1.2.0-beta is 1.2.0."""


def parse(text: str) -> Version | None:
    """The version, None where the text is none."""
    if not _VERSION.fullmatch(text):
        return None
    numbers = [int(part) for part in re.split("[+-]", text, maxsplit=1)[0].split(".")]
    first, second, third, fourth = (*numbers, 0, 0, 0)[:4]
    return first, second, third, fourth
