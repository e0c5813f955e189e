from typing import Annotated, Literal

from pydantic import Field

from wattle.inbox.schemas import UnreadCount
from wattle.orders.schemas import Order
from wattle.schema import Resource
from wattle.users.schemas import Profile


class Failed(Resource):
    """A section that could not be had now; `code` is one of the registry. The rest of the screen is there."""

    status: Literal["error"] = "error"
    code: str


class ProfileSection(Resource):
    status: Literal["ok"] = "ok"
    data: Profile


class OrdersSection(Resource):
    """The newest first."""

    status: Literal["ok"] = "ok"
    data: list[Order]


class NotificationsSection(Resource):
    status: Literal["ok"] = "ok"
    data: UnreadCount


class Home(Resource):
    """Each section by itself: `status` says whether it has `data` or, where it failed, a `code`."""

    profile: Annotated[ProfileSection | Failed, Field(discriminator="status")]
    recent_orders: Annotated[OrdersSection | Failed, Field(discriminator="status")]
    notifications: Annotated[NotificationsSection | Failed, Field(discriminator="status")]
