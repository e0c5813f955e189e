"""When a push waits, and until when: by the clock on the wall of the person's time zone."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from wattle.users.preferences import (
    DoNotPush,
    Kind,
    NotificationPreferences,
    PushLater,
    PushNow,
    QuietHours,
    Recipient,
    quiet_until,
)

SYDNEY = ZoneInfo("Australia/Sydney")


def utc(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("hours", "zone", "now", "due"),
    [
        # Over midnight, in winter: Sydney is UTC+10.
        ("22:00-07:00", "Australia/Sydney", "2026-06-01 11:59:59", None),
        ("22:00-07:00", "Australia/Sydney", "2026-06-01 12:00:00", "2026-06-01 21:00:00"),
        ("22:00-07:00", "Australia/Sydney", "2026-06-01 20:59:59", "2026-06-01 21:00:00"),
        ("22:00-07:00", "Australia/Sydney", "2026-06-01 21:00:00", None),
        # In the day.
        ("13:00-14:30", "Australia/Sydney", "2026-06-01 03:00:00", "2026-06-01 04:30:00"),
        ("13:00-14:30", "Australia/Sydney", "2026-06-01 04:30:00", None),
        # An offset of half an hour, and one of 13 hours in summer.
        ("22:00-07:00", "Australia/Adelaide", "2026-06-01 12:30:00", "2026-06-01 21:30:00"),
        ("22:00-07:00", "Pacific/Auckland", "2026-01-01 09:00:00", "2026-01-01 18:00:00"),
        # The night of 4 October 2026: at 02:00 it becomes 03:00, and 07:00 comes an hour earlier in UTC.
        ("22:00-07:00", "Australia/Sydney", "2026-10-03 15:30:00", "2026-10-03 20:00:00"),
        # An end that the clocks skip, 02:30: by the old time.
        ("22:00-02:30", "Australia/Sydney", "2026-10-03 15:30:00", "2026-10-03 16:30:00"),
        # The night of 5 April 2026: 02:00 to 03:00 comes twice, 07:00 an hour later in UTC.
        ("22:00-07:00", "Australia/Sydney", "2026-04-04 13:00:00", "2026-04-04 21:00:00"),
        # An end that comes twice: first the first, then the second.
        ("22:00-02:30", "Australia/Sydney", "2026-04-04 15:00:00", "2026-04-04 15:30:00"),
        ("22:00-02:30", "Australia/Sydney", "2026-04-04 16:10:00", "2026-04-04 16:30:00"),
    ],
)
def test_the_end_of_the_quiet_hours(hours, zone, now, due):
    start, end = hours.split("-")
    found = quiet_until(QuietHours(start=start, end=end), ZoneInfo(zone), utc(now))
    assert found == (due and utc(due))


def test_the_end_is_always_ahead_and_never_a_day_away():
    """Every half hour of a year, in a zone whose clocks change."""
    hours = QuietHours(start="21:15", end="02:30")
    moment = utc("2026-01-01 00:00:00").timestamp()
    for step in range(2 * 24 * 366):
        now = datetime.fromtimestamp(moment + step * 1800, UTC)
        due = quiet_until(hours, SYDNEY, now)
        local = now.astimezone(SYDNEY).strftime("%H:%M")
        assert (due is not None) == (local >= "21:15" or local < "02:30")
        assert due is None or 0 < (due - now).total_seconds() <= 6.5 * 3600


NIGHT = utc("2026-06-01 13:00:00")  # 23:00 in Sydney
DAY = utc("2026-06-01 03:00:00")
QUIET = QuietHours(start="22:00", end="07:00")


def verdict(kind, now, timezone=None, **preferences):
    who = Recipient("u", NotificationPreferences(**preferences), None, timezone, known=True, deleted=False)
    return who.verdict(kind, now, frozenset({Kind.ACCOUNT}))


@pytest.mark.parametrize(
    ("kind", "now", "preferences", "expected"),
    [
        (Kind.ORDERS, DAY, {}, PushNow()),
        (Kind.PROMOTIONS, DAY, {}, DoNotPush("KIND_OFF")),
        (Kind.PROMOTIONS, DAY, {"promotions": True}, PushNow()),
        (Kind.ORDERS, DAY, {"orders": False}, DoNotPush("KIND_OFF")),
        (Kind.ACCOUNT, DAY, {"muted": True}, DoNotPush("MUTED")),
        (Kind.ORDERS, NIGHT, {"quiet_hours": QUIET}, PushLater(utc("2026-06-01 21:00:00"))),
        (Kind.ORDERS, DAY, {"quiet_hours": QUIET}, PushNow()),
        # What the setting exempts is pushed at night, unless the person does not want it at all.
        (Kind.ACCOUNT, NIGHT, {"quiet_hours": QUIET}, PushNow()),
        (Kind.ACCOUNT, NIGHT, {"quiet_hours": QUIET, "account": False}, DoNotPush("KIND_OFF")),
        (Kind.ORDERS, NIGHT, {"quiet_hours": QUIET, "muted": True}, DoNotPush("MUTED")),
    ],
)
def test_what_may_be_pushed(kind, now, preferences, expected):
    assert verdict(kind, now, **preferences) == expected


def test_quiet_hours_go_by_the_time_zone_of_the_person():
    assert isinstance(verdict(Kind.ORDERS, NIGHT, quiet_hours=QUIET), PushLater)
    assert isinstance(verdict(Kind.ORDERS, NIGHT, "Europe/Berlin", quiet_hours=QUIET), PushNow)
