"""Screens are put together from what other services know, side by side: as many round trips deep as one of them."""

from collections.abc import Callable
from typing import Any, Final

from wattle.context import Context
from wattle.errors import WattleError
from wattle.failures import told
from wattle.inbox.service import InboxService
from wattle.kit.parallel import side_by_side
from wattle.orders.criteria import Criteria
from wattle.orders.service import OrderService
from wattle.screens.schemas import (
    Failed,
    Home,
    NotificationsSection,
    OrdersSection,
    ProfileSection,
)
from wattle.users.service import UserService

RECENT_ORDERS: Final = 5


class ScreenService:
    def __init__(self, users: UserService, orders: OrderService, inbox: InboxService) -> None:
        self._users = users
        self._orders = orders
        self._inbox = inbox

    def home(self, ctx: Context) -> Home:
        """The caller's home screen. A section that fails says so, and the others still come.

        Raises:
            WattleError: every section failed; the first one's reason.
        """
        sections = side_by_side(
            [
                _contained(lambda: ProfileSection(data=self._users.me(ctx))),
                _contained(lambda: OrdersSection(data=self._recent_orders(ctx))),
                _contained(lambda: NotificationsSection(data=self._inbox.unread(ctx))),
            ]
        )
        failures = [section for section in sections if isinstance(section, WattleError)]
        if len(failures) == len(sections):
            raise failures[0]
        profile, recent_orders, notifications = (
            Failed(code=section.code.name) if isinstance(section, WattleError) else section for section in sections
        )
        return Home(profile=profile, recent_orders=recent_orders, notifications=notifications)

    def _recent_orders(self, ctx: Context) -> list[Any]:
        return list(self._orders.page(ctx, Criteria(), None, RECENT_ORDERS, None).rows)


def _contained(section: Callable[[], Any]) -> Callable[[], Any]:
    def attempt() -> Any:
        try:
            return section()
        except Exception as error:  # noqa: BLE001 (whatever it is concerns this section alone; told() logs it)
            return told(error)

    return attempt
