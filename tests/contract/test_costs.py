"""No route costs more than DESIGN section 7 allows: reads as Firestore bills them, and round trips that one waits for.

`tests.costs` measures; docs/costs.md has all of its figures. A new route needs a row in BOUNDS.
"""

import re
from dataclasses import asdict

import pytest

from bench import costs as costs_page
from bench import simulate_scale as scale
from wattle.api import ROUTES

BOUNDS = {
    "POST /v1/auth/register": (0, 0),
    "POST /v1/auth/login": (0, 0),
    "POST /v1/auth/refresh": (0, 0),
    # Whoever changes something is asked whether his session still counts: one read, beside the others where nothing
    # outside of Firestore is changed.
    "POST /v1/auth/logout": (2, 3),
    "POST /v1/auth/password-reset": (0, 0),
    "POST /v1/auth/verify-email": (1, 1),
    "POST /v1/auth/email": (1, 1),
    # To change an account is a read and two round trips more than what is changed: its lease.
    "POST /v1/auth/password": (3, 5),
    "GET /v1/users/me": (1, 2),  # at the very first call the profile is made
    "PATCH /v1/users/me": (2, 2),
    "DELETE /v1/users/me": (4, 6),
    "GET /v1/users/me/export": (11, 11),  # one for each kind of data, at least
    "GET /v1/users/{user_id}": (1, 1),
    "GET /v1/users/me/notification-preferences": (1, 1),
    "PATCH /v1/users/me/notification-preferences": (2, 2),
    "GET /v1/users/me/devices": (1, 1),
    "PUT /v1/users/me/devices/{device_id}": (4, 3),
    "DELETE /v1/users/me/devices/{device_id}": (2, 2),
    "GET /v1/users/me/topics": (1, 1),
    "PUT /v1/users/me/topics/{topic}": (3, 4),
    "DELETE /v1/users/me/topics/{topic}": (2, 3),
    "GET /v1/products": (1, 1),
    "GET /v1/products/{product_id}": (1, 1),
    "GET /v1/admin/products": (1, 1),
    "POST /v1/admin/products": (0, 2),
    "PATCH /v1/admin/products/{product_id}": (1, 2),
    "POST /v1/orders": (2, 2),
    "GET /v1/orders": (1, 1),
    "GET /v1/orders/{order_id}": (1, 1),
    "PATCH /v1/orders/{order_id}": (2, 2),
    "DELETE /v1/orders/{order_id}": (2, 2),
    "POST /v1/orders/{order_id}/cancel": (3, 3),
    "GET /v1/orders/{order_id}/events": (2, 1),
    "GET /v1/admin/users": (1, 1),
    "GET /v1/admin/users/{user_id}": (1, 1),
    "PUT /v1/admin/users/{user_id}/role": (4, 8),
    "POST /v1/admin/users/{user_id}/disable": (4, 8),
    "POST /v1/admin/users/{user_id}/enable": (4, 6),
    "GET /v1/admin/users/{user_id}/notifications": (1, 1),
    "GET /v1/admin/users/{user_id}/notifications/{notification_id}": (4, 4),
    "GET /v1/admin/audit-log": (1, 1),
    "GET /v1/admin/orders": (1, 1),
    "GET /v1/admin/orders/{order_id}": (1, 1),
    "POST /v1/admin/orders/{order_id}/status": (1, 2),
    "POST /v1/admin/push": (0, 2),
    "POST /v1/admin/push/preview": (2, 2),
    "POST /v1/admin/push/dry-run": (2, 2),
    "GET /v1/admin/push/{broadcast_id}": (20, 3),  # a count for each state and each code of its deliveries
    "POST /v1/admin/push/{broadcast_id}/cancel": (1, 2),
    "GET /v1/notifications": (1, 1),
    "GET /v1/notifications/unread-count": (1, 1),
    "POST /v1/notifications/read-all": (2, 3),
    "POST /v1/notifications/{notification_id}/read": (2, 2),
    "GET /v1/screens/home": (3, 2),  # as GET /v1/users/me
    "POST /v1/batch": (2, 2),  # as GET /v1/users/me
    "GET /v1/openapi.json": (0, 0),
    "GET /docs": (0, 0),
    "GET /health": (0, 0),
    "GET /health/ready": (1, 1),
}
"""Of the plain call of each route: reads, and round trips that follow one another."""

CASES = {
    ("GET /v1/users/me", "a profile that exists"): (1, 1),
    ("GET /v1/orders", "2 orders, page 1"): (2, 1),
    ("GET /v1/orders", "2 orders, page 5"): (2, 1),
    ("GET /v1/orders", "2 orders and their total"): (3, 1),
    ("GET /v1/orders/{order_id}", "unchanged (304)"): (1, 1),
    ("POST /v1/orders", "3 products"): (4, 2),
    ("POST /v1/orders", "with a key"): (3, 2),
    ("POST /v1/orders", "repeated with its key"): (3, 2),
    ("GET /v1/screens/home", "5 orders, a profile, unread messages"): (7, 1),
}


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
def test_a_route_costs_no_more_than_it_may(costs, route):
    assert route.name in BOUNDS, f"{route.name} has no row: say in BOUNDS what it may cost"
    for cost in costs:
        if cost.route == route.name:
            reads, waits = CASES[cost.route, cost.case] if cost.case else BOUNDS[route.name]
            assert cost.reads <= reads, cost
            assert cost.waits <= waits, cost
            assert cost.waits <= cost.calls, cost


def test_every_row_is_of_a_route(costs):
    assert set(BOUNDS) == {route.name for route in ROUTES}, "remove the rows of routes that are gone"
    assert set(CASES) == {(cost.route, cost.case) for cost in costs if cost.case}


def test_the_page_has_what_was_measured(costs):
    """What is billed, not how it was waited for: that is a measurement of time."""

    def billed(cost):
        return cost["route"], cost["case"], cost["reads"], cost["writes"], cost["deletes"], cost["identity"]

    figures, _ = costs_page.kept()
    assert [billed(asdict(cost)) for cost in costs] == [billed(row) for row in figures["ours"]], "make costs"


def test_the_simulation_is_of_these_figures():
    assert "\n".join(scale.printed()) + "\n" == scale.RESULT.read_text(encoding="utf-8"), "make costs"


def test_the_page_of_scale_quotes_the_simulation():
    page = scale.PAGE.read_text(encoding="utf-8")
    assert len(re.findall("^```text$", page, re.MULTILINE)) == 3
    assert page == scale.quoted(page, scale.RESULT.read_text(encoding="utf-8")), "make costs"
    assert scale.quoted(page.replace("1,000,000", "2,000,000"), scale.RESULT.read_text(encoding="utf-8")) == page
