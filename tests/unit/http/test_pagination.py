"""Cursors: opaque, signed, and bound to their list."""

import base64
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattle.context import Caller, Context
from wattle.http.pagination import CursorSigner, InvalidCursor, page, position
from wattle.kit.retry import Deadline
from wattle.kit.slices import Slice
from wattle.schema import PageParameters

SIGNER = CursorSigner("s" * 32)
MOMENTS = st.datetimes(datetime(1970, 1, 1), datetime(9999, 1, 1)).map(lambda moment: moment.replace(tzinfo=UTC))  # noqa: DTZ001 (hypothesis wants naive bounds)


class Search(PageParameters):
    status: str | None = None


def context(uid="alice"):
    return Context("r", Deadline.after(60), Caller(uid, None, 0))


def cursor_of(query, uid="alice", name="orders"):
    return page(Slice(["row"], ("end", 7)), query, context(uid), name, SIGNER).next_cursor


@given(st.lists(st.one_of(st.text(), st.integers(), st.none(), st.booleans(), MOMENTS), max_size=5))
def test_a_position_comes_back_as_it_was(values):
    cursor = SIGNER.sign(values, "alice", "orders", {"status": "pending"})
    assert SIGNER.read(cursor, "alice", "orders", {"status": "pending"}) == values


def test_it_fits_in_a_url_and_says_nothing_of_whom_it_belongs_to():
    cursor = SIGNER.sign(["2026", "id"], "alice", "orders", {})
    assert cursor.replace("-", "").replace("_", "").isalnum()
    assert b"alice" not in base64.urlsafe_b64decode(cursor + "==")


@pytest.mark.parametrize(
    ("uid", "name", "binding"),
    [
        ("bob", "orders", {"status": "pending"}),
        ("alice", "notifications", {"status": "pending"}),
        ("alice", "orders", {"status": "shipped"}),
        ("alice", "orders", {"status": "pending", "more": 1}),
        ("alice", "orders", {}),
    ],
)
def test_it_is_bound_to_its_caller_its_list_and_its_parameters(uid, name, binding):
    cursor = SIGNER.sign([1], "alice", "orders", {"status": "pending"})
    with pytest.raises(InvalidCursor):
        SIGNER.read(cursor, uid, name, binding)


def test_another_secret_makes_others():
    cursor = CursorSigner("t" * 32).sign([1], "alice", "orders", {})
    with pytest.raises(InvalidCursor):
        SIGNER.read(cursor, "alice", "orders", {})


def test_the_former_secret_is_read_and_signs_nothing():
    both = CursorSigner("t" * 32, "f" * 32)
    assert both.read(CursorSigner("f" * 32).sign([1], "alice", "orders", {}), "alice", "orders", {}) == [1]
    assert both.sign([1], "alice", "orders", {}) == CursorSigner("t" * 32).sign([1], "alice", "orders", {})


@given(st.data())
def test_no_bit_of_it_may_change(data):
    raw = bytearray(base64.urlsafe_b64decode(SIGNER.sign(["x", 12], "alice", "orders", {}) + "=="))
    index = data.draw(st.integers(0, len(raw) - 1))
    raw[index] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(InvalidCursor):
        SIGNER.read(base64.urlsafe_b64encode(raw).rstrip(b"=").decode(), "alice", "orders", {})


@given(st.text())
def test_anything_else_is_no_cursor(text):
    with pytest.raises(InvalidCursor):
        SIGNER.read(text, "alice", "orders", {})


class TestPage:
    def test_the_last_page_has_no_cursor(self):
        last = page(Slice([], None), PageParameters(limit=3), context(), "orders", SIGNER)
        assert (last.next_cursor, last.limit) == (None, 3)

    def test_the_next_page_starts_where_this_one_ended(self):
        first = PageParameters(limit=1)
        later = PageParameters(limit=50, cursor=cursor_of(first), includeTotal=True)
        assert position(first, context(), "orders", SIGNER) is None
        assert position(later, context(), "orders", SIGNER) == ["end", 7]

    def test_other_parameters_are_another_list(self):
        cursor = cursor_of(Search(status="pending"))
        assert position(Search(status="pending", cursor=cursor, limit=9), context(), "orders", SIGNER) == ["end", 7]
        for query, uid, name in (
            (Search(cursor=cursor), "alice", "orders"),
            (Search(status="pending", cursor=cursor), "bob", "orders"),
            (Search(status="pending", cursor=cursor), "alice", "products"),
        ):
            with pytest.raises(InvalidCursor):
                position(query, context(uid), name, SIGNER)
