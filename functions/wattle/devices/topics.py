"""The topics that apps may subscribe to: an allowlist, because FCM itself takes any name.

A topic has a kind, so that a person's preferences hold for it too: a device is subscribed at FCM only while its owner
wants that kind pushed. FCM cannot look at preferences when it sends to a topic.
"""

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from wattle.context import Role
from wattle.users.preferences import Kind

TOPICS_MOST: Final = 100
"""A person's topics. FCM's own limit is 2,000 an installation."""


class TopicRule(NamedTuple):
    """Topics whose whole name matches `pattern`; only people with `role` may subscribe, where there is one."""

    pattern: re.Pattern[str]
    kind: Kind
    role: Role | None = None


TOPIC_RULES: Final[Sequence[TopicRule]] = (
    TopicRule(re.compile(r"news"), Kind.PROMOTIONS),
    TopicRule(re.compile(r"offers"), Kind.PROMOTIONS),
    TopicRule(re.compile(r"product-[A-Za-z0-9][A-Za-z0-9_-]{0,127}"), Kind.PROMOTIONS),
    TopicRule(re.compile(r"service-status"), Kind.ACCOUNT),
    TopicRule(re.compile(r"staff"), Kind.ACCOUNT, Role.ADMIN),
)


def topic_rule(topic: str) -> TopicRule | None:
    """The rule of an allowed topic, None for any other name."""
    return next((rule for rule in TOPIC_RULES if rule.pattern.fullmatch(topic)), None)
