from wattle.errors import Code, WattleError


class NotificationNotFound(WattleError):
    """There is none, or it is somebody else's, or it is older than 90 days."""

    code = Code.NOTIFICATION_NOT_FOUND

    def __init__(self, notification_id: str) -> None:
        super().__init__(f"There is no notification {notification_id}.")
