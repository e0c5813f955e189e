"""Topic subscriptions of one project, and whom a topic or a condition reaches."""

from collections.abc import Iterable, Mapping

from firesuite.fcm.condition import parse_condition
from firesuite.fcm.errors import ApiError

MAX_TOPICS_PER_TARGET = 2000  # "one app instance can be subscribed to no more than 2000 topics", FCM documentation

Audience = Mapping[str, None]


class Topics:
    """Not thread-safe: the project that owns it holds its lock."""

    def __init__(self) -> None:
        self._by_topic: dict[str, dict[str, None]] = {}
        self._by_target: dict[str, dict[str, str]] = {}
        # One audience is shared by all messages recorded while the subscriptions stay the same: a copy for each message
        # to a topic of 10,000 subscribers would cost 400 KB.
        self._audiences: dict[str, Audience] = {}

    def subscribe(self, target: str, topic: str, created_at: str) -> bool:
        """False when it was subscribed before. Raises ApiError beyond 2,000 topics."""
        topics = self._by_target.setdefault(target, {})
        if topic in topics:
            return False
        if len(topics) >= MAX_TOPICS_PER_TARGET:
            text = (
                f"TOO_MANY_TOPICS: a target can be subscribed to at most {MAX_TOPICS_PER_TARGET} topics."  # our wording
            )
            raise ApiError(429, "RESOURCE_EXHAUSTED", text)
        topics[topic] = created_at
        self._by_topic.setdefault(topic, {})[target] = None
        self._audiences.clear()
        return True

    def unsubscribe(self, target: str, topic: str) -> bool:
        """False when it was not subscribed."""
        topics = self._by_target.get(target, {})
        if topic not in topics:
            return False
        del topics[topic]
        if not topics:
            del self._by_target[target]
        del self._by_topic[topic][target]
        if not self._by_topic[topic]:
            del self._by_topic[topic]
        self._audiences.clear()
        return True

    def of_target(self, target: str) -> Mapping[str, str]:
        """Creation time (RFC 3339) by topic."""
        return self._by_target.get(target, {})

    def by_topic(self) -> Mapping[str, Iterable[str]]:
        return self._by_topic

    def audience(self, kind: str, expression: str) -> Audience:
        """The targets that a send to a topic or condition reaches, in order of subscription.

        `!` counts only targets that have some subscription: the others are unknown here.
        """
        key = f"{kind}:{expression}"
        audience = self._audiences.get(key)
        if audience is None:
            audience = self._audiences[key] = self._resolve(kind, expression)
        return audience

    def _resolve(self, kind: str, expression: str) -> Audience:
        if kind == "topic":
            return dict(self._by_topic.get(expression, {}))
        holds = parse_condition(expression).holds
        return {target: None for target, topics in self._by_target.items() if holds(topics)}
