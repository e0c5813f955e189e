"""What a person lets us push."""

import pytest

PATH = "/v1/users/me/notification-preferences"
DEFAULTS = {
    "orders": True,
    "promotions": False,
    "account": True,
    "muted": False,
    "quietHours": None,
    "promotionsConsent": None,
}


def code(response):
    return response.status_code, response.json()["code"]


def consents(backend, user):
    from wattle.adapters.firestore import Query
    from wattle.kit.retry import Deadline

    return [d.data for d in backend.firestore.query(Query(f"users/{user.uid}/consents"), Deadline.after(60))]


def test_nobody_reads_or_changes_them_without_signing_in(backend):
    assert code(backend.http.get(PATH)) == (401, "TOKEN_MISSING")
    assert code(backend.http.patch(PATH, json={"muted": True})) == (401, "TOKEN_MISSING")


def test_one_who_said_nothing_has_the_defaults_for_one_read(user):
    response = user.get(PATH)
    assert response.json()["data"] == DEFAULTS
    assert response.headers["X-Firestore-Reads"] == "1"


def test_what_is_not_sent_stays(user, stranger):
    quiet = {"start": "22:00", "end": "07:00"}
    assert user.patch(PATH, {"orders": False, "quietHours": quiet}).status_code == 200
    changed = user.patch(PATH, {"muted": True}).json()["data"]
    assert changed == DEFAULTS | {"orders": False, "muted": True, "quietHours": quiet}
    assert user.get(PATH).json()["data"] == changed
    assert user.get("/v1/users/me").json()["data"]["notificationPreferences"] == changed
    assert user.patch(PATH, {"quietHours": None}).json()["data"]["quietHours"] is None
    assert stranger.get(PATH).json()["data"] == DEFAULTS


def test_an_empty_change_changes_nothing(user):
    assert user.patch(PATH, {}).json()["data"] == DEFAULTS


class TestConsent:
    def test_promotions_need_to_know_where_the_person_agreed(self, backend, user):
        assert code(user.patch(PATH, {"promotions": True})) == (400, "VALIDATION_FAILED")
        assert user.get(PATH).json()["data"] == DEFAULTS
        assert consents(backend, user) == []

    def test_it_is_recorded_with_time_and_source_each_time_it_changes(self, backend, user):
        granted = user.patch(PATH, {"promotions": True, "consentSource": "sign-up"}).json()["data"]
        assert granted["promotions"] is True
        assert granted["promotionsConsent"]["source"] == "sign-up"
        user.patch(PATH, {"promotions": True, "consentSource": "settings"})
        withdrawn = user.patch(PATH, {"promotions": False}).json()["data"]
        assert withdrawn["promotionsConsent"]["granted"] is False
        records = sorted(consents(backend, user), key=lambda record: record["at"])
        assert [(r["granted"], r["source"], r["purpose"]) for r in records] == [
            (True, "sign-up", "promotions"),
            (False, None, "promotions"),
        ]
        assert all(record["requestId"] for record in records)

    def test_the_profile_cannot_be_used_to_get_around_it(self, user):
        response = user.patch("/v1/users/me", {"notificationPreferences": {"promotions": True}})
        assert code(response) == (400, "VALIDATION_FAILED")
        assert user.get(PATH).json()["data"] == DEFAULTS


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"orders": "yes"}, "orders"),
        ({"surveys": True}, "surveys"),
        ({"quietHours": {"start": "22:00"}}, "quietHours.end"),
        ({"quietHours": {"start": "24:00", "end": "07:00"}}, "quietHours.start"),
        ({"quietHours": {"start": "7:00", "end": "08:00"}}, "quietHours.start"),
        ({"quietHours": {"start": "07:00", "end": "07:00"}}, "quietHours"),
        ({"promotions": True, "consentSource": ""}, "consentSource"),
    ],
)
def test_what_is_wrong_is_named(user, body, field):
    response = user.patch(PATH, body)
    assert code(response) == (400, "VALIDATION_FAILED")
    assert field in {error["field"] for error in response.json()["errors"]}
