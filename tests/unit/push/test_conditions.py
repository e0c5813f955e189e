"""Conditions over topics, compared with the FCM sink's own reading of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firesuite.fcm.condition import TOPIC_NAME, InvalidConditionError, parse_condition
from wattle.broadcasts.conditions import parse

TOPICS = ("a", "b-c", "offers")
atoms = st.sampled_from([f"'{topic}' in topics" for topic in TOPICS])
conditions = st.recursive(
    atoms,
    lambda inner: st.one_of(
        inner.map(lambda text: f"!({text})"),
        inner.map(lambda text: f"({text})"),
        st.tuples(inner, st.sampled_from(["&&", "||"]), inner).map(lambda parts: f"{parts[0]} {parts[1]}{parts[2]}"),
    ),
    max_leaves=5,
)


@given(conditions, st.sets(st.sampled_from(TOPICS)))
def test_they_mean_what_fcm_says(text, subscribed):
    ours, theirs = parse(text), parse_condition(text)
    assert ours.topics == theirs.topics
    assert ours.holds(subscribed) == theirs.holds(subscribed)


@given(st.text(alphabet="'ab!()&| intopcs", max_size=40))
def test_what_is_none_is_refused_by_both(text):
    try:
        theirs = parse_condition(text)
    except InvalidConditionError:
        theirs = None
    try:
        ours = parse(text)
    except ValueError:
        ours = None
    if ours is None:
        assert theirs is None
    elif all(TOPIC_NAME.fullmatch(topic) for topic in ours.topics):
        # (Other names are not on the allowlist, which is asked after this.)
        assert theirs is not None
        assert ours.topics == theirs.topics


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "it ends too early"),
        ("'a' in topics &&", "it ends too early"),
        ("'a' in topics 'b' in topics", "\"'b' in topics\" is too much"),
        ("a in topics", "'a in topics' is no part of a condition"),
        ("('a' in topics", "it ends too early"),
        ("'a' topics", "'in' is missing before 'topics'"),
        ("!" * 2000 + "'a' in topics", "it is nested deeper than 20 levels"),
        ("(" * 2000 + "'a' in topics", "it is nested deeper than 20 levels"),
        (" || ".join(f"'t{n}' in topics" for n in range(6)), "it names more than 5 topics"),
        ("'a'\u0085in topics", "'\\x85in topics' is no part of a condition"),
        ("'a' in topics\x1c", "'\\x1c' is too much"),
        ("'a' in topics\n&& 'b' in topics", "\"\\n&& 'b' in topics\" is too much"),
    ],
)
def test_the_reason_is_said(text, reason):
    with pytest.raises(ValueError) as refused:  # noqa: PT011 (the reason is compared as a whole)
        parse(text)
    assert str(refused.value) == reason
