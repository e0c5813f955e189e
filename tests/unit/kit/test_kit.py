"""The small pieces: clock, ids, money, retry, logging."""

import json
import logging
import re
import time
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattle.kit.clock import rfc3339, utc_now
from wattle.kit.ids import document_id, order_number
from wattle.kit.logging import JsonFormatter, log_fields, redacted
from wattle.kit.money import tax_on
from wattle.kit.retry import Deadline, full_jitter


class TestClock:
    def test_now_is_aware_and_in_utc(self):
        assert utc_now().utcoffset() == timedelta(0)

    @pytest.mark.parametrize(
        ("moment", "text"),
        [
            (datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), "2026-01-02T03:04:05Z"),
            (datetime(2026, 1, 2, 3, 4, 5, 60, tzinfo=UTC), "2026-01-02T03:04:05.000060Z"),
            (datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=11))), "2026-01-01T16:04:05Z"),
        ],
    )
    def test_times_are_written_in_utc(self, moment, text):
        assert rfc3339(moment) == text


class TestIds:
    def test_document_ids_are_random_and_valid_in_a_path(self):
        ids = {document_id() for _ in range(1000)}
        assert len(ids) == 1000
        assert all(re.fullmatch(r"[A-Za-z0-9]{20}", made) for made in ids)
        assert len({made[0] for made in ids}) > 40, "neighbouring keys would make a hot spot"

    def test_order_numbers_can_be_read_over_the_phone(self):
        assert all(re.fullmatch(r"W-[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}", order_number()) for _ in range(200))


class TestMoney:
    @pytest.mark.parametrize(
        ("amount", "rate", "tax"), [(0, 1000, 0), (5, 1000, 1), (4, 1000, 0), (2415, 1000, 242), (99, 0, 0)]
    )
    def test_tax_is_rounded_half_up(self, amount, rate, tax):
        assert tax_on(amount, rate) == tax

    @given(st.integers(0, 10**15), st.integers(0, 10_000))
    def test_tax_is_never_off_by_more_than_half_a_unit(self, amount, rate):
        assert abs(tax_on(amount, rate) * 10_000 - amount * rate) <= 5_000


class TestDeadline:
    def test_what_is_left_never_falls_below_zero(self):
        assert 0 < Deadline.after(5).remaining() <= 5
        assert Deadline.after(-1).remaining() == 0
        assert Deadline(at=time.monotonic() - 10).remaining() == 0

    @given(st.integers(0, 40))
    def test_pauses_grow_up_to_a_cap(self, attempt):
        pause = full_jitter(attempt, base=0.01, cap=0.8)
        assert 0 <= pause <= min(0.8, 0.01 * 2**attempt)


class TestLogging:
    def line(self, level=logging.INFO, message="hello", error=None, **extra):
        record = logging.LogRecord("wattle.x", level, __file__, 1, message, None, None)
        if error:
            record.exc_info = (type(error), error, None)
        record.fields = extra
        return json.loads(JsonFormatter().format(record))

    def test_a_line_is_json_in_the_fields_of_cloud_logging(self):
        token = log_fields.set({"requestId": "r-1"})
        try:
            line = self.line(status=200)
        finally:
            log_fields.reset(token)
        assert (line["severity"], line["message"], line["logger"]) == ("INFO", "hello", "wattle.x")
        assert (line["requestId"], line["status"]) == ("r-1", 200)
        assert datetime.fromisoformat(line["time"]).tzinfo

    @pytest.mark.parametrize("said", ["a\nb\u2028\x00", "half of a pair \ud800"])
    def test_a_line_is_one_line_whatever_it_says(self, said):
        record = logging.LogRecord("wattle", logging.ERROR, __file__, 1, said, None, None)
        line = JsonFormatter().format(record)
        assert "\n" not in line
        assert json.loads(line.encode())["message"] == said

    def test_an_exception_is_where_error_reporting_looks(self):
        line = self.line(logging.ERROR, error=ValueError("boom"))
        assert line["severity"] == "ERROR"
        assert line["message"].startswith("hello\n")
        assert line["message"].endswith("ValueError: boom")

    def test_levels_of_others_are_critical(self):
        assert self.line(logging.CRITICAL)["severity"] == "CRITICAL"

    @pytest.mark.parametrize("part", ["a", "'\\", '"\\', "eyJ", "1 ", "@", "documents/"])
    def test_an_answer_of_any_length_is_looked_at_in_no_time(self, part):
        """By the square of its length these would take from ten minutes to hours."""
        assert len(redacted(part * 1_000_000)) <= 500

    def test_a_path_of_a_document_goes_with_whatever_is_in_it(self):
        said = redacted("Commit: NOT_FOUND: no projects/p/databases/(default)/documents/users/mia o'hara of auth0|5f7c")
        assert said == "Commit: NOT_FOUND: no projects/p/databases/(default)/documents/<path>"

    @pytest.mark.parametrize(
        ("cut", "secret"),
        [("input_value='Alice", "Alice"), ('input_value="Alice', "Alice"), (f"eyJ{'h' * 20}.claims", "claims")],
    )
    @pytest.mark.parametrize("left_of_it", [3, 6, 9])
    def test_what_is_cut_in_the_middle_of_a_value_does_not_show_it(self, cut, secret, left_of_it):
        # So that redacting what stands before it moves the end into what is shown.
        before = "'" + "x" * (1994 - len(cut)) + "' "
        shown = redacted(before + cut + "z" * left_of_it + "z" * 3000)
        assert "<value>" in shown
        assert secret not in shown
