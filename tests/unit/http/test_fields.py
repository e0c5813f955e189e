"""Field selection."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import to_json

from wattle.errors import ValidationFailed
from wattle.http.fields import select
from wattle.schema import Resource


class Part(Resource):
    unit_price: int
    name: str


class Place(Resource):
    city: str
    post_code: str


class Thing(Resource):
    id: str
    made_at: datetime
    parts: list[Part]
    place: Place | None
    label: str | None = None


DATA = {
    "id": "t1",
    "madeAt": datetime(2026, 1, 1, tzinfo=UTC),
    "parts": [{"unitPrice": 1, "name": "a"}, {"unitPrice": 2, "name": "b"}],
    "place": {"city": "Sydney", "postCode": "2000"},
    "label": None,
}
NAMES = ["id", "madeAt", "parts", "parts.unitPrice", "parts.name", "place", "place.city", "place.postCode", "label"]


def test_no_parameter_selects_nothing_in_particular():
    assert select(None, Thing) is None


@pytest.mark.parametrize(
    ("text", "projection", "cut"),
    [
        ("id", (), {"id": "t1"}),
        ("label,id", ("label",), {"label": None, "id": "t1"}),
        ("parts.name", ("parts",), {"parts": [{"name": "a"}, {"name": "b"}]}),
        ("parts.name, parts.unitPrice", ("parts",), {"parts": DATA["parts"]}),
        ("place.city", ("place.city",), {"place": {"city": "Sydney"}}),
        ("place,place.city", ("place",), {"place": DATA["place"]}),
        ("place.city,place", ("place",), {"place": DATA["place"]}),
        ("id,id", (), {"id": "t1"}),
    ],
)
def test_what_is_read_and_what_is_sent(text, projection, cut):
    selection = select(text, Thing)
    assert selection.projection == projection
    assert selection.cut(DATA) == cut


def test_what_a_document_lacks_is_null():
    selection = select("place.city,label", Thing)
    assert selection.cut({"place": None}) == {"place": None, "label": None}


@pytest.mark.parametrize(
    ("text", "unknown"),
    [
        ("", [""]),
        ("id,", [""]),
        ("nope,id,place.nope", ["nope", "place.nope"]),
        ("made_at", ["made_at"]),
        ("id.x", ["id.x"]),
        ("place.city.x", ["place.city.x"]),
        ("parts..name", ["parts..name"]),
        ("parts.", ["parts."]),
        ("id.", ["id."]),
    ],
)
def test_unknown_names_are_refused_and_named(text, unknown):
    with pytest.raises(ValidationFailed) as caught:
        select(text, Thing)
    assert [error.message for error in caught.value.errors] == [f"There is no field {name!r} here." for name in unknown]


def test_there_are_at_most_fifty_names():
    assert select(",".join(["id"] * 50), Thing)
    with pytest.raises(ValidationFailed, match="missing or wrong"):
        select(",".join(["id"] * 51), Thing)


@given(st.lists(st.sampled_from(NAMES), min_size=1, max_size=9))
def test_a_projection_never_holds_a_path_below_another(names):
    """Firestore refuses such a mask."""
    projection = select(",".join(names), Thing).projection
    assert len(set(projection)) == len(projection)
    assert not [(a, b) for a in projection for b in projection if a != b and b.startswith(f"{a}.")]


@given(st.lists(st.sampled_from(NAMES), min_size=1, max_size=9))
def test_exactly_the_outermost_names_are_sent(names):
    assert set(select(",".join(names), Thing).cut(DATA)) == {name.partition(".")[0] for name in names}


@given(st.lists(st.sampled_from(NAMES), min_size=1, max_size=9))
def test_a_projected_document_is_answered_as_the_whole_one_is(names):
    """One is built without validation, the other with it."""
    selection = select(",".join(names), Thing)
    stored = {name: value for name, value in DATA.items() if name in {path.partition(".")[0] for path in names}}
    partial, whole = Thing.partial(stored), Thing.stored(DATA)
    assert partial.model_fields_set == Thing.model_construct(**stored).model_fields_set
    dumped = whole.model_dump(by_alias=True)
    answers = [to_json(selection.cut(made), by_alias=True) for made in (partial, whole, dumped)]
    assert answers[0] == answers[1] == answers[2]
