"""Why a person got a message on a phone, or did not: what an administrator is told."""

import pytest
from tests.api.orders import move, placed
from tests.api.test_push import code, ordered, phone, sent, to
from tests.backend import eventually


def path(user, notification_id=""):
    return f"/v1/admin/users/{user.uid}/notifications{notification_id and '/'}{notification_id}"


def explained(admin, user, notification_id):
    response = admin.get(path(user, notification_id))
    assert response.status_code == 200, response.text
    return response.json()["data"]


def told(admin, user):
    """The person's newest notification, when there is one."""
    return eventually(lambda: admin.get(path(user), params={"limit": 1}).json()["data"])[0]


class TestWhoMay:
    @pytest.mark.parametrize("notification_id", ["", "some"])
    def test_only_administrators(self, backend, user, stranger, notification_id):
        assert code(backend.http.get(path(user, notification_id))) == (401, "TOKEN_MISSING")
        for who in (user, stranger):
            assert code(who.get(path(user, notification_id))) == (403, "ROLE_REQUIRED")


class TestAnExplanation:
    def test_of_an_orders_news(self, backend, admin, user):
        gone = phone(user, "gone")
        phone(user, "here")
        backend.script_target(gone, "UNREGISTERED")
        order = move(admin, placed(user, (backend.product(), 1)), "confirmed")
        entry = told(admin, user)
        assert entry["id"] == f"{order['id']}-{order['version']}"
        found = eventually(
            lambda: (
                (e := explained(admin, user, entry["id"]))
                and all(d["state"] != "queued" for d in e["deliveries"])
                and e
            )
        )
        assert found["notification"] == entry
        assert (found["reason"], found["waitsUntil"], found["laterDevices"]) == (None, None, [])
        by_device = {delivery["deviceId"]: delivery for delivery in found["deliveries"]}
        here, away = by_device["here"], by_device["gone"]
        assert (here["state"], here["code"], here["retryAt"]) == ("sent", None, None)
        assert here["name"].startswith(f"projects/{backend.project_id}/messages/")
        assert (away["state"], away["code"]) == ("pruned", "UNREGISTERED")
        assert away["meaning"] == "FCM says that the app is gone from the device, which was removed."

    def test_who_muted_everything(self, admin, user):
        phone(user)
        user.patch("/v1/users/me/notification-preferences", {"muted": True})
        broadcast = ordered(admin, to(user))
        sent(admin, broadcast)
        (delivery,) = explained(admin, user, broadcast["id"])["deliveries"]
        assert (delivery["state"], delivery["code"]) == ("withheld", "MUTED")
        assert delivery["meaning"] == "The person has muted all messages."

    def test_who_had_no_device_then(self, admin, user):
        assert user.get("/v1/users/me").status_code == 200
        broadcast = ordered(admin, to(user))
        sent(admin, broadcast)
        phone(user, "bought-later")
        found = explained(admin, user, broadcast["id"])
        assert found["deliveries"] == []
        assert found["reason"].startswith("The person had no registered device when it came")
        assert found["laterDevices"] == ["bought-later"]

    def test_there_may_be_none(self, admin, user, stranger):
        broadcast = ordered(admin, to(user))
        sent(admin, broadcast)
        assert code(admin.get(path(stranger, broadcast["id"]))) == (404, "NOTIFICATION_NOT_FOUND")
        assert code(admin.get(path(user, "nosuch"))) == (404, "NOTIFICATION_NOT_FOUND")


class TestAnybodysInbox:
    def test_page_by_page_and_a_cursor_is_for_one_person(self, admin, user, stranger):
        for who in (user, stranger):
            assert who.get("/v1/users/me").status_code == 200
        ids = []
        for _ in range(3):
            broadcast = ordered(admin, to(user, stranger))
            sent(admin, broadcast)
            ids.insert(0, broadcast["id"])
        first = admin.get(path(user), params={"limit": 2, "includeTotal": "true"}).json()
        assert [entry["id"] for entry in first["data"]] == ids[:2]
        assert first["pagination"]["total"] == 3
        cursor = first["pagination"]["nextCursor"]
        rest = admin.get(path(user), params={"limit": 2, "cursor": cursor}).json()
        assert [entry["id"] for entry in rest["data"]] == ids[2:]
        assert code(admin.get(path(stranger), params={"limit": 2, "cursor": cursor})) == (400, "INVALID_CURSOR")

    def test_of_nobody(self, admin):
        assert admin.get("/v1/admin/users/nobody/notifications").json()["data"] == []
