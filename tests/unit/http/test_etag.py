"""Entity tags as texts: RFC 9110 section 8.8.3."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattle.context import PreconditionFailed
from wattle.errors import ValidationFailed
from wattle.http.etag import expected_version, match, tag_of

TAGS = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters='"'), max_size=20)


def test_a_tag_is_of_the_bytes_and_the_version():
    assert tag_of(b"{}", None) == tag_of(b"{}", None)
    assert tag_of(b"{}", 7) == f'"7.{tag_of(b"{}", None)[1:]}'
    assert len({tag_of(b"{}", None), tag_of(b"[]", None), tag_of(b"{}", 1), tag_of(b"{}", 2)}) == 4


@given(st.lists(TAGS, max_size=5), TAGS, st.lists(TAGS, max_size=5), st.booleans())
def test_a_tag_is_found_in_any_list(before, wanted, after, weak):
    """Also where the tags hold commas, spaces aside."""
    header = ", ".join(
        [*(f'"{tag}"' for tag in before), ("W/" if weak else "") + f'"{wanted}"', *(f'"{t}"' for t in after)]
    )
    present = f'"{wanted.removesuffix("-gzip")}"'
    assert match(header, present) in {f'"{tag}"' for tag in (*before, wanted, *after)}


@given(st.text(max_size=40))
def test_any_text_is_a_list_or_none(text):
    assert match(text, '"1.abc"') is None or "1.abc" in text or text.strip() == "*"
    named = "If-Match"
    try:
        expected_version(text)
    except ValidationFailed as failure:
        named = failure.errors[0].field
    assert named == "If-Match"


@pytest.mark.parametrize(
    ("header", "present", "holds"),
    [
        ("*", 1, True),
        (" * ", 99, True),
        ("*", None, False),
        ('"1.abc"', 1, True),
        ('"1.abc-gzip"', 1, True),
        ('"1.abc"', 2, False),
        ('"1.abc"', None, False),
        ('"1.a", "3.b"', 3, True),
        ('W/"1.abc"', 1, False),
        ('"abc"', 1, False),
        ('"11.abc"', 1, False),
        ('"1abc"', 1, False),
    ],
)
def test_a_condition_is_on_the_version(header, present, holds):
    expected = expected_version(header)
    if holds:
        expected.demand(present)
    else:
        with pytest.raises(PreconditionFailed):
            expected.demand(present)
