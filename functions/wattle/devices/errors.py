from wattle.context import Role
from wattle.errors import Code, WattleError
from wattle.users.preferences import Kind


class TopicNotFound(WattleError):
    """The name is not on the allowlist."""

    code = Code.TOPIC_NOT_FOUND

    def __init__(self, topic: str) -> None:
        super().__init__(f"There is no topic {topic}.")


class TopicNeedsRole(WattleError):
    code = Code.ROLE_REQUIRED

    def __init__(self, topic: str, role: Role) -> None:
        super().__init__(f"The topic {topic} needs the role {role}.")


class ConsentRequired(WattleError):
    """The topic's kind is one that the person has switched off, or never agreed to."""

    code = Code.CONSENT_REQUIRED

    def __init__(self, topic: str, kind: Kind) -> None:
        super().__init__(f"The topic {topic} sends {kind}, which the notification preferences do not allow.")


class NoDevice(WattleError):
    """Topics are kept with devices."""

    code = Code.NO_DEVICE

    def __init__(self) -> None:
        super().__init__("Register a device before you subscribe to topics.")


class TooManyTopics(WattleError):
    code = Code.TOO_MANY_TOPICS

    def __init__(self, most: int) -> None:
        super().__init__(f"A person can subscribe to {most} topics. Unsubscribe from one first.")
