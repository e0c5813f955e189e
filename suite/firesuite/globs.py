"""Hosting's URL patterns: globs with extglob, regular expressions, and what a redirect captures
(https://firebase.google.com/docs/hosting/full-config#glob_pattern_matching).

`**` is any number of directories, `*` and `?` stay in one; `[ab]`, `{a,b}`, `@(a|b)`, `?(a)`, `*(a)`, `+(a)` and `!(a)`
are as in bash; a `!` before all of it negates. A redirect's `:name` is one segment, `:name*` that one and all after it.
"""

import re
from collections.abc import Mapping
from typing import Self

_BRACES = re.compile(r"\{([^{}]*,[^{}]*)\}")
_WILDCARD = (
    r"(?P<how>[?*+@!])\((?P<options>[^()]*)\)"
    r"|\[(?P<negated>[!^]?)(?P<characters>[^\[\]\\]+)\]"
    r"|(?P<star>\*+)|(?P<one>\?)"
    r"|(?P<refused>[(){}\[\]\\])"
)
_TOKEN = re.compile(_WILDCARD)
_TOKEN_OR_CAPTURE = re.compile(rf"{_WILDCARD}|:(?P<name>[A-Za-z_]\w*)(?P<rest>\*?)")
_REPEATED = {"@": "", "?": "?", "*": "*", "+": "+"}


class PatternError(Exception):
    """A pattern that is not valid, or not understood here. Its text says what of it."""


class Pattern:
    """Which paths a rule of Hosting is for."""

    def __init__(self, expressions: list[str], *, negated: bool = False) -> None:
        """Raises PatternError."""
        try:
            self._compiled = [re.compile(expression, re.DOTALL) for expression in expressions]
        except re.error as error:
            raise PatternError(f"is not valid: {error}") from None
        self._negated = negated

    @classmethod
    def of_glob(cls, source: str, *, captures: bool) -> Self:
        """`captures`: whether `:name` is one, as in a redirect, or just these characters. Raises PatternError."""
        text = source.lstrip("!")
        rooted = text if text.startswith("/") else f"/{text}"
        tokens = _TOKEN_OR_CAPTURE if captures else _TOKEN
        expressions = [_path(option, tokens) for option in _without_braces(rooted)]
        return cls(expressions, negated=(len(source) - len(text)) % 2 == 1)

    @property
    def names(self) -> frozenset[str]:
        """What it captures: the names, and of groups the numbers."""
        if self._negated:
            return frozenset()
        return frozenset(
            name
            for compiled in self._compiled
            for name in (*compiled.groupindex, *map(str, range(1, compiled.groups + 1)))
        )

    def match(self, path: str) -> Mapping[str, str] | None:
        """What it captures of this path, by name; None when it is not for it."""
        found = next(filter(None, (compiled.fullmatch(path) for compiled in self._compiled)), None)
        if self._negated:
            return None if found else {}
        if found is None:
            return None
        groups = {str(number): value for number, value in enumerate(found.groups(""), 1)}
        return groups | found.groupdict("")


def _without_braces(text: str) -> list[str]:
    match = _BRACES.search(text)
    if match is None:
        return [text]
    before, after = text[: match.start()], text[match.end() :]
    return [whole for option in match[1].split(",") for whole in _without_braces(f"{before}{option}{after}")]


def _path(text: str, tokens: re.Pattern[str]) -> str:
    if any("/" in match["options"] for match in _TOKEN.finditer(text) if match["how"]):
        raise PatternError('has a "/" in a group, which is for one directory')
    *directories, last = re.sub("/+", "/", text).split("/")[1:]
    parts = ["(?:/.*)?" if part == "**" else f"/{_segment(part, tokens)}" for part in directories]
    if last == "**":
        parts.append("/.*")
    else:
        parts.append(f"/{_segment(last, tokens)}/?" if last else "/")
    return "".join(parts)


def _segment(text: str, tokens: re.Pattern[str]) -> str:
    """What stands between two slashes. Wildcards alone are for no empty one."""
    return f"(?=[^/]){_tokens(text, tokens)}" if tokens.search(text) else re.escape(text)


def _tokens(text: str, tokens: re.Pattern[str]) -> str:
    match = tokens.search(text)
    if match is None:
        return re.escape(text)
    rest = _tokens(text[match.end() :], tokens)
    return f"{re.escape(text[: match.start()])}{_token(match, rest)}{rest}"


def _token(match: re.Match[str], rest: str) -> str:
    """One wildcard, which the `rest` of its segment comes after."""
    found = match.groupdict()
    if found["refused"] == "(":
        raise PatternError("has a ( where none can be: !/a/** negates without")
    if found["refused"]:
        raise PatternError(f"has a {found['refused']} that is not understood here")
    if found.get("name"):
        return f"(?P<{found['name']}>{'.+?' if found['rest'] else '[^/]+'})"
    if found["characters"]:
        return f"[{'^/' if found['negated'] else ''}{found['characters']}]"
    if found["how"]:
        options = "|".join(_tokens(option, _TOKEN) for option in found["options"].split("|"))
        if found["how"] in _REPEATED:
            return f"(?:{options}){_REPEATED[found['how']]}"
        without_names = re.sub(r"\(\?P<\w+>", "(?:", rest)
        return f"(?!(?:{options}){without_names}(?:/|\\Z))[^/]*"
    return "[^/]*" if found["star"] else "[^/]"
