from datetime import datetime

from wattle.schema import Resource


class Notification(Resource):
    """`data` are texts for the app, such as the id of the order that it is about; `link` is what a tap opens."""

    id: str
    kind: str
    title: str
    body: str
    data: dict[str, str]
    image: str | None
    link: str | None
    created_at: datetime
    read_at: datetime | None
    expires_at: datetime


class UnreadCount(Resource):
    unread: int


class MarkedRead(Resource):
    """How many were unread until now."""

    read: int
