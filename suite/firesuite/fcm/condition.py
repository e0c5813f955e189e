"""Conditions over topics: `'a' in topics && ('b' in topics || !('c' in topics))`.

Grammar from "Send messages to topics" of the FCM documentation: at most five topics; parentheses first, then from left
to right, so `&&` does not bind tighter than `||`.
"""

import re
from collections.abc import Callable, Container
from dataclasses import dataclass
from functools import lru_cache

MAX_TOPICS = 5
TOPIC_NAME = re.compile(r"[a-zA-Z0-9\-_.~%]{1,900}")

_TOKEN = re.compile(r"\s*(?:(&&|\|\||[!()])|'([^']*)'|(in\b)|(topics\b))")

Predicate = Callable[[Container[str]], bool]


class InvalidConditionError(ValueError):
    """The condition does not follow the grammar, or names more than five topics."""


@dataclass(frozen=True, slots=True)
class Condition:
    """`holds(topics)` says whether a target subscribed to `topics` is reached."""

    topics: tuple[str, ...]
    holds: Predicate


@lru_cache(maxsize=1024)
def parse_condition(text: str) -> Condition:
    """Raises InvalidConditionError."""
    parser = _Parser(_tokens(text))
    holds = parser.expression()
    if parser.rest:
        raise InvalidConditionError(f"unexpected {parser.rest[0]!r}")
    if len(parser.topics) > MAX_TOPICS:
        raise InvalidConditionError(f"more than {MAX_TOPICS} topics")
    return Condition(tuple(parser.topics), holds)


def _tokens(text: str) -> list[str]:
    tokens = []
    position, end = 0, len(text.rstrip())
    while position < end:
        match = _TOKEN.match(text, position)
        if match is None:
            raise InvalidConditionError(f"unexpected {text[position:]!r}")
        topic = match[2]
        tokens.append(f"'{topic}" if topic is not None else match[0].strip())
        position = match.end()
    return tokens


class _Parser:
    def __init__(self, tokens: list[str]) -> None:
        self.rest = tokens
        self.topics: list[str] = []

    def expression(self) -> Predicate:
        holds = self._term()
        while self.rest and self.rest[0] in ("&&", "||"):
            operator = self.rest.pop(0)
            holds = _both(holds, self._term()) if operator == "&&" else _either(holds, self._term())
        return holds

    def _term(self) -> Predicate:
        symbol = self._next()
        if symbol == "!":
            inner = self._term()
            return lambda topics: not inner(topics)
        if symbol == "(":
            holds = self.expression()
            self._expect(")")
            return holds
        if not symbol.startswith("'") or not TOPIC_NAME.fullmatch(symbol[1:]):
            raise InvalidConditionError(f"expected a topic in quotes, got {symbol!r}")
        topic = symbol[1:]
        self._expect("in")
        self._expect("topics")
        self.topics.append(topic)
        return lambda topics: topic in topics

    def _next(self) -> str:
        if not self.rest:
            raise InvalidConditionError("unexpected end")
        return self.rest.pop(0)

    def _expect(self, token: str) -> None:
        if self._next() != token:
            raise InvalidConditionError(f"expected {token!r}")


def _both(left: Predicate, right: Predicate) -> Predicate:
    return lambda topics: left(topics) and right(topics)


def _either(left: Predicate, right: Predicate) -> Predicate:
    return lambda topics: left(topics) or right(topics)
