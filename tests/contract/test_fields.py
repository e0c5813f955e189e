"""Every GET of a resource selects fields: generated from the route table."""

import pytest
from tests.described import description
from tests.samples import sample

from wattle.http.routing import Access

SELECTING = [bound for bound in description().router.bound if bound.selects is not None]
OTHERS = {
    "GET /v1/users/me/export": "it is everything",
    "GET /v1/openapi.json": "a document of its own",
    "GET /docs": "a page",
    "GET /health": "for probes",
    "GET /health/ready": "for probes",
}
"""Why the others do not."""


def test_all_but_these_do():
    without = {b.route.name for b in description().router.bound if b.route.method == "GET" and b.selects is None}
    assert without == set(OTHERS)


@pytest.mark.parametrize("bound", SELECTING, ids=lambda bound: bound.route.name)
def test_what_is_named_is_sent_as_it_is_in_the_whole(world, bound):
    owner = world.backend.user()
    caller = world.admin if bound.route.access is Access.ADMIN else owner
    call = sample(world, bound.route, owner)
    whole = caller.get(call.path).json()["data"]
    first = whole[0] if isinstance(whole, list) and whole else whole
    name = next(field.alias for field in bound.selects.model_fields.values())
    asked = caller.get(call.path, params={"fields": name})
    data = asked.json()["data"]
    assert asked.status_code == 200
    if isinstance(data, list):
        assert [set(member) for member in data] == [{name}] * len(data)
        data = data[0] if data else {}
    if first:
        assert set(first) > {name} or len(bound.selects.model_fields) == 1
        assert data.keys() == {name}
    wrong = caller.get(call.path, params={"fields": f"{name},nosuch"})
    assert (wrong.status_code, wrong.json()["errors"][0]["code"]) == (400, "UNKNOWN_FIELD")
