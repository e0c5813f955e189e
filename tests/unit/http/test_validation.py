"""From bytes to models."""

import io
import json
from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request

from wattle.errors import ValidationFailed
from wattle.http.idempotency import idempotent_call
from wattle.http.validation import (
    BODY_MOST,
    BodyTooLarge,
    InvalidJson,
    UnsupportedMediaType,
    parse_body,
    parse_query,
    read_body,
)
from wattle.schema import Body, PageParameters

JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(),
    lambda part: st.lists(part) | st.dictionaries(st.text(), part),
)


class Inner(Body):
    unit_price: Annotated[int, Field(ge=1)]


class Wanted(Body):
    items: list[Inner] = Field(default_factory=list)
    name: str | None = None


def request(**options):
    return Request(EnvironBuilder(method="POST", **options).get_environ())


def failures(call, *arguments):
    with pytest.raises(ValidationFailed) as caught:
        call(*arguments)
    return {error.field: error.code for error in caught.value.errors}


class TestRead:
    def test_json_is_read_with_any_parameters_of_its_type(self):
        for content_type in ("application/json", "application/json; charset=utf-8", "APPLICATION/JSON"):
            assert read_body(request(data=b"{}", content_type=content_type)) == b"{}"

    @pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "", "application/xml"])
    def test_nothing_else_is(self, content_type):
        with pytest.raises(UnsupportedMediaType):
            read_body(request(data=b"{}", content_type=content_type))

    def test_a_length_that_is_too_much_is_not_read(self):
        large = request(data=b"", content_type="application/json", headers={"Content-Length": str(BODY_MOST + 1)})
        large.environ["CONTENT_LENGTH"] = str(BODY_MOST + 1)
        with pytest.raises(BodyTooLarge):
            read_body(large)

    def test_a_chunked_body_is_read_up_to_the_limit(self):
        stream = io.BytesIO(b" " * (BODY_MOST + 10))
        chunked = request(content_type="application/json")
        chunked.environ |= {"wsgi.input": stream, "wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}
        chunked.environ.pop("CONTENT_LENGTH", None)
        with pytest.raises(BodyTooLarge):
            read_body(Request(chunked.environ))

    def test_a_connection_that_ends_early_is_the_clients_fault(self):
        cut = request(data=b'{"name": "a"}', content_type="application/json")
        cut.environ["CONTENT_LENGTH"] = "100"
        with pytest.raises(InvalidJson):
            read_body(Request(cut.environ))

    def test_a_body_of_exactly_the_limit_is_read(self):
        data = b'"' + b"x" * (BODY_MOST - 2) + b'"'
        assert len(read_body(request(data=data, content_type="application/json"))) == BODY_MOST


class TestBody:
    @pytest.mark.parametrize("data", [b"", b"{", b"nul", b"{'a': 1}", b"\xff", b'{"a": NaN1}', b"{} {}"])
    def test_what_is_no_json(self, data):
        with pytest.raises(InvalidJson):
            parse_body(data, Wanted)

    def test_depth_has_a_limit(self):
        def nested(levels):
            return json.dumps({"name": json.loads("[" * (levels - 1) + "]" * (levels - 1))}).encode()

        assert failures(parse_body, nested(32), Wanted) == {"name": "STRING_TYPE"}
        with pytest.raises(InvalidJson, match="deeper"):
            parse_body(b'{"name": ' + b"[" * 32 + b"1" + b"]" * 32 + b"}", Wanted)
        with pytest.raises(InvalidJson):
            parse_body(b"[" * 100_000, Wanted)

    def test_every_field_is_named_where_it_stands(self):
        body = {"items": [{"unitPrice": 0}, {"unitPrice": "3", "more": 1}, 7], "name": 5, "nope": None}
        assert set(failures(parse_body, json.dumps(body).encode(), Wanted)) == {
            "items[0].unitPrice",
            "items[1].unitPrice",
            "items[1].more",
            "items[2]",
            "name",
            "nope",
        }

    def test_outside_names_are_camel_case_only(self):
        assert set(failures(parse_body, b'{"items": [{"unit_price": 3}]}', Wanted)) == {
            "items[0].unitPrice",
            "items[0].unit_price",
        }

    @pytest.mark.parametrize("data", [b"[]", b"3", b'"x"', b"null"])
    def test_a_body_that_is_no_object(self, data):
        assert set(failures(parse_body, data, Wanted)) == {"body"}

    def test_there_is_an_end_to_the_list_of_errors(self):
        body = json.dumps({"items": [{}] * 500}).encode()
        assert len(failures(parse_body, body, Wanted)) == 50

    def test_the_last_of_two_equal_names_counts(self):
        """RFC 8259 section 4 leaves it open; what matters is that the checks and the model agree."""
        assert parse_body(b'{"name": "a", "name": "b"}', Wanted).name == "b"

    @given(JSON)
    def test_nothing_but_our_errors_comes_of_any_json(self, value):
        try:
            parse_body(json.dumps(value).encode(), Wanted)
        except (InvalidJson, ValidationFailed):
            return
        assert isinstance(value, dict)

    @given(st.binary())
    def test_nothing_but_our_errors_comes_of_any_bytes(self, data):
        with pytest.raises((InvalidJson, ValidationFailed)):
            parse_body(b"x" + data, Wanted)


class TestQuery:
    def parse(self, query):
        return parse_query(request(query_string=query), PageParameters)

    def test_texts_become_what_they_mean(self):
        query = self.parse("limit=5&includeTotal=true&cursor=abc")
        assert (query.limit, query.include_total, query.cursor, query.size) == (5, True, "abc", 5)

    def test_a_limit_above_the_most_is_the_most(self):
        assert self.parse("limit=5000").size == 100

    @pytest.mark.parametrize(
        ("query", "named"),
        [
            ("limit=0", {"limit"}),
            ("limit=&cursor=a", {"limit"}),
            ("limit=1&limit=2", {"limit"}),
            ("nope=1&limit=x", {"nope", "limit"}),
            ("include_total=true", {"include_total"}),
            ("cursor=" + "x" * 2001, {"cursor"}),
            ("includeTotal=perhaps", {"includeTotal"}),
            ("limit=99999999999999999999999", set()),
        ],
    )
    def test_every_parameter_that_is_wrong_is_named(self, query, named):
        if named:
            assert set(failures(self.parse, query)) == named
        else:
            assert self.parse(query).size == 100


class TestIdempotencyKey:
    def test_it_belongs_to_its_caller_and_its_route(self):
        keys = {
            idempotent_call("k", uid, route, b"{}").key for uid in ("a", "b") for route in ("POST /x", "POST /y")
        } | {idempotent_call("j", "a", "POST /x", b"{}").key}
        assert len(keys) == 5

    def test_it_tells_bodies_apart(self):
        one, same, other = (idempotent_call("k", "a", "r", body) for body in (b"1", b"1", b"2"))
        assert one == same
        assert (one.key, one.fingerprint != other.fingerprint) == (other.key, True)

    def test_none_is_none(self):
        assert idempotent_call(None, "a", "r", b"") is None

    @pytest.mark.parametrize("key", ["", " ", "a b", "é", "x" * 256, "a\n"])
    def test_it_has_a_form(self, key):
        assert failures(idempotent_call, key, "a", "r", b"") == {"Idempotency-Key": "INVALID_KEY"}
