from datetime import datetime
from typing import Annotated

from pydantic import Field

from wattle.schema import PageParameters, Resource


class ListNotifications(PageParameters):
    fields: Annotated[str | None, Field(description="Names, comma separated: only these are sent.")] = None


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
