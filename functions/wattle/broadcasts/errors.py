from wattle.errors import Code, WattleError
from wattle.users.preferences import Kind


class BroadcastNotFound(WattleError):
    code = Code.BROADCAST_NOT_FOUND

    def __init__(self, broadcast_id: str) -> None:
        super().__init__(f"There is no broadcast {broadcast_id}.")


class BroadcastEnded(WattleError):
    """It was sent and none of it waits, or it failed: nothing is left to cancel."""

    code = Code.BROADCAST_ENDED

    def __init__(self, state: str) -> None:
        super().__init__(f"The broadcast is {state}: nothing is left to cancel.")


class UnknownTopic(WattleError):
    code = Code.UNKNOWN_TOPIC

    def __init__(self, topic: str) -> None:
        super().__init__(f"There is no topic {topic}.")


class TopicOfAnotherKind(WattleError):
    """Its subscribers agreed to something else."""

    code = Code.TOPIC_OF_ANOTHER_KIND

    def __init__(self, topic: str, kind: Kind, wanted: Kind) -> None:
        super().__init__(f"The topic {topic} is for {kind}, not for {wanted}.")


class InvalidCondition(WattleError):
    code = Code.INVALID_CONDITION

    def __init__(self, reason: str) -> None:
        super().__init__(f"The condition is not valid: {reason}.")


class PayloadTooLarge(WattleError):
    code = Code.PAYLOAD_TOO_LARGE

    def __init__(self, language: str, size: int, most: int) -> None:
        super().__init__(f"In {language} the message has {size} bytes; {most} are possible to this audience.")
