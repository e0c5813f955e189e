"""The one form of every answer."""

import json
from datetime import UTC, datetime

from wattle.errors import Code, Contention, FieldError, Internal, ValidationFailed, WattleError
from wattle.http.envelope import Envelope, Page, Reply
from wattle.http.fields import select
from wattle.schema import Resource

MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ENVELOPE = Envelope(lambda: MOMENT)


class Thing(Resource):
    id: str
    unit_price: int
    made_at: datetime


THING = Thing(id="t", unit_price=3, made_at=MOMENT)
SENT = {"id": "t", "unitPrice": 3, "madeAt": "2026-01-02T03:04:05Z"}


def body(response):
    assert response.content_type == "application/json; charset=utf-8"
    return json.loads(response.get_data())


def test_data_in_camel_case_with_times_in_utc():
    response = ENVELOPE.success(THING, "r-1")
    assert response.status_code == 200
    assert body(response) == {
        "success": True,
        "data": SENT,
        "timestamp": "2026-01-02T03:04:05Z",
        "requestId": "r-1",
    }


def test_a_reply_has_a_status_and_headers():
    response = ENVELOPE.success(Reply(THING, status=201, headers={"X-Y": "z"}), "r-1")
    assert (response.status_code, response.headers["X-Y"], body(response)["data"]) == (201, "z", SENT)


def test_a_tag_is_of_the_data_and_not_of_the_moment():
    later = Envelope(lambda: MOMENT.replace(year=2027))
    tag = ENVELOPE.success(THING, "r-1", tagged=True).headers["ETag"]
    assert later.success(THING, "r-2", tagged=True).headers["ETag"] == tag
    assert ENVELOPE.success(Page([THING], 1, "next", has_next=True), "r", tagged=True).headers["ETag"] != tag
    assert "ETag" not in ENVELOPE.success(THING, "r-1").headers
    assert "ETag" in ENVELOPE.success(Reply(THING, status=201), "r-1").headers


def test_a_page_says_how_it_goes_on():
    assert body(ENVELOPE.success(Page([THING], 1, "next", has_next=True, total=7), "r"))["pagination"] == {
        "limit": 1,
        "nextCursor": "next",
        "hasNext": True,
        "total": 7,
    }
    last = body(ENVELOPE.success(Page([], 20, None, has_next=False), "r"))
    assert last["data"] == []
    assert last["pagination"] == {"limit": 20, "nextCursor": None, "hasNext": False}


def test_a_selection_cuts_one_and_many():
    selection = select("unitPrice", Thing)
    assert body(ENVELOPE.success(Reply(THING), "r", selection=selection))["data"] == {"unitPrice": 3}
    assert body(ENVELOPE.success(Page([THING], 1, None, has_next=False), "r", selection=selection))["data"] == [
        {"unitPrice": 3}
    ]


def test_a_partial_resource_is_cut_without_a_warning():
    partial = Thing.partial({"unitPrice": 3, "made_at": MOMENT}, id="t")
    selection = select("id,madeAt", Thing)
    assert body(ENVELOPE.success(Reply(partial), "r", selection=selection))["data"]["id"] == "t"


def test_an_error_has_its_code_and_every_field():
    failure = ValidationFailed([FieldError("items[0]", "MISSING", "Field required.")])
    response = ENVELOPE.failure(failure, "r-1")
    assert response.status_code == 400
    assert body(response) == {
        "success": False,
        "code": "VALIDATION_FAILED",
        "message": "The request has fields that are missing or wrong.",
        "errors": [{"field": "items[0]", "code": "MISSING", "message": "Field required."}],
        "timestamp": "2026-01-02T03:04:05Z",
        "requestId": "r-1",
    }


def test_retry_after_where_it_helps():
    assert ENVELOPE.failure(Contention(), "r").headers["Retry-After"] == "1"
    assert "Retry-After" not in ENVELOPE.failure(Internal(), "r").headers


def test_internals_stay_inside():
    response = ENVELOPE.failure(Internal(), "r-1")
    assert response.status_code == 500
    assert set(body(response)) == {"success", "code", "message", "timestamp", "requestId"}


def test_every_code_has_a_status_of_http_and_a_meaning():
    for code in Code:
        assert 400 <= code.status <= 503, code
        assert code.meaning.endswith("."), code


def test_every_error_class_has_a_code_of_the_registry_and_codes_of_its_own():
    classes = _below(WattleError)
    assert all(isinstance(kind.code, Code) for kind in classes)
    assert {code for code in Code if code.status in (429, 503)} == {
        kind.code for kind in classes if kind.code.status in (429, 503)
    }
    for kind in classes:
        if kind.code.status in (429, 503):
            assert kind.retry_after, f"{kind.__name__}: trying again later helps, so say when"


def _below(kind):
    return {kind_ for below in kind.__subclasses__() for kind_ in (below, *_below(below))}
