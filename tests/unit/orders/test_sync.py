"""Delta sync's positions against commits that are seen late and pages that are read slowly: no test waits that long."""

import random
from datetime import UTC, datetime, timedelta

import pytest

from wattle.orders.sync import OVERLAP, SyncPosition

START = datetime(2026, 1, 1, tzinfo=UTC)
LONG_AGO = START - timedelta(days=365)


def at(seconds):
    return START + timedelta(seconds=seconds)


def read(changes, position, limit, now):
    """What the database answers at `now`: `changes` are (stamp, id, when it can be seen)."""
    after = (position.at, position.row or "\uffff")
    rows = sorted((stamp, id_) for stamp, id_, seen in changes if seen <= now and (stamp, id_) > after)
    return rows[:limit]


def test_a_time_to_start_from_is_looked_back_from():
    assert SyncPosition.since(at(60)) == SyncPosition(at(60) - OVERLAP)


def test_old_changes_are_behind_it():
    position = SyncPosition.since(LONG_AGO).advanced((at(0), "a"), more=False, read_time=at(100))
    assert position == SyncPosition(at(0), "a")
    assert position.advanced(None, more=False, read_time=at(200)) == position


def test_young_changes_are_not():
    position = SyncPosition.since(LONG_AGO).advanced((at(99), "a"), more=False, read_time=at(100))
    assert position == SyncPosition(at(100) - OVERLAP)


def test_a_slow_catch_up_starts_again_where_its_first_page_could_be_sure():
    """The second page is read a minute later: by its own horizon the first page's last row is long past."""
    first = SyncPosition.since(LONG_AGO).advanced((at(99), "a"), more=True, read_time=at(100))
    assert (first.at, first.row) == (at(99), "a")
    second = first.advanced((at(120), "b"), more=False, read_time=at(160))
    assert second == SyncPosition(at(100) - OVERLAP)


@pytest.mark.parametrize("seed", range(200))
def test_no_change_is_ever_missed(seed):
    """Commits overtake each other by up to OVERLAP; an app reads pages when it likes, and stops between them."""
    dice = random.Random(seed)
    changes = []
    for number in range(dice.randint(1, 40)):
        stamp = at(round(dice.uniform(0, 90), dice.choice((0, 3))))
        seen = stamp + dice.uniform(0, 1) * OVERLAP
        changes.append((stamp, f"{dice.randint(0, 999):03}-{number}", seen))
    position, known, now = SyncPosition.since(LONG_AGO), set(), 0.0
    limit = dice.randint(1, 5)
    while now < 200:
        now += dice.choice((0.1, 1, 5, 30))
        rows = read(changes, position, limit, at(now))
        known |= set(rows)
        position = position.advanced(rows[-1] if rows else None, more=len(rows) == limit, read_time=at(now))
    # When nothing has changed for long, it comes to an end, and then sends nothing.
    for _ in range(3 + 3 * len(changes)):
        rows = read(changes, position, limit, at(now))
        known |= set(rows)
        position = position.advanced(rows[-1] if rows else None, more=len(rows) == limit, read_time=at(now))
    assert known == {(stamp, id_) for stamp, id_, _ in changes}
    assert read(changes, position, limit, at(now)) == []
