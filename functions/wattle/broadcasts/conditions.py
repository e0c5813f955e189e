"""Conditions over topics: `'a' in topics && ('b' in topics || !('c' in topics))`.

Grammar of FCM, "Send messages to topics": five topics at most; parentheses first, then from left to right, so that `&&`
does not bind tighter than `||`.
"""

import re
from collections.abc import Callable, Container
from typing import Final, NamedTuple

TOPICS_MOST: Final = 5
# Five topics need no more. Each level is a level of Python's own stack, when it is read and when it is asked.
_DEPTH_MOST: Final = 20
# Between two tokens only spaces: `\s` would take control characters to FCM, such as U+0085 and U+001C.
_TOKEN: Final = re.compile(r" *(&&|\|\||[!()]|'[^']*'|in\b|topics\b)")

Holds = Callable[[Container[str]], bool]


class Condition(NamedTuple):
    """The topics it names, and whether it holds for a device with some topics."""

    topics: tuple[str, ...]
    holds: Holds


def parse(text: str) -> Condition:
    """The condition of a text.

    Raises:
        ValueError: that says what is wrong.
    """
    parser = _Parser(text)
    holds = parser.expression()
    parser.end()
    if len(parser.topics) > TOPICS_MOST:
        raise ValueError(f"it names more than {TOPICS_MOST} topics")
    return Condition(tuple(parser.topics), holds)


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text.rstrip(" ")
        self._at = 0
        self._depth = 0
        self.topics: list[str] = []

    def expression(self) -> Holds:
        holds = self._term()
        while (operator := self._peek()) in ("&&", "||"):
            self._next()
            holds = _both(holds, self._term()) if operator == "&&" else _either(holds, self._term())
        return holds

    def end(self) -> None:
        if self._at < len(self._text):
            raise ValueError(f"{self._rest()!r} is too much")

    def _term(self) -> Holds:
        part = self._next()
        if part in ("!", "("):
            return self._nested(part)
        if not part.startswith("'"):
            raise ValueError(f"a topic in single quotes is missing before {part!r}")
        topic = part[1:-1]
        self._demand("in")
        self._demand("topics")
        self.topics.append(topic)
        return lambda topics: topic in topics

    def _nested(self, opening: str) -> Holds:
        self._depth += 1
        if self._depth > _DEPTH_MOST:
            raise ValueError(f"it is nested deeper than {_DEPTH_MOST} levels")
        if opening == "!":
            inner = self._term()
            holds: Holds = lambda topics: not inner(topics)  # noqa: E731 (one condition of two)
        else:
            holds = self.expression()
            self._demand(")")
        self._depth -= 1
        return holds

    def _demand(self, wanted: str) -> None:
        found = self._next()
        if found != wanted:
            raise ValueError(f"{wanted!r} is missing before {found!r}")

    def _peek(self) -> str:
        match = _TOKEN.match(self._text, self._at)
        return match[1] if match else ""

    def _next(self) -> str:
        match = _TOKEN.match(self._text, self._at)
        if match is None:
            rest = self._rest()
            raise ValueError(f"{rest!r} is no part of a condition" if rest else "it ends too early")
        self._at = match.end()
        return match[1]

    def _rest(self) -> str:
        return self._text[self._at :].lstrip(" ")


def _both(left: Holds, right: Holds) -> Holds:
    return lambda topics: left(topics) and right(topics)


def _either(left: Holds, right: Holds) -> Holds:
    return lambda topics: left(topics) or right(topics)
