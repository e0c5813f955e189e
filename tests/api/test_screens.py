"""The home screen: in one round trip of the phone, one of ours, and with a section's failure contained."""

import threading

import pytest

from firesuite.faults import mentioning


def code(response):
    return response.status_code, response.json()["code"]


@pytest.fixture
def customer(backend, user):
    product = backend.product()
    for quantity in range(1, 8):
        user.post("/v1/orders", {"items": [{"productId": product, "quantity": quantity}]})
    return user


class TestHome:
    def test_nobody_has_one_without_signing_in(self, backend):
        assert code(backend.http.get("/v1/screens/home")) == (401, "TOKEN_MISSING")

    def test_it_shows_the_callers_own(self, customer, stranger):
        home = customer.get("/v1/screens/home").json()["data"]
        assert {section["status"] for section in home.values()} == {"ok"}
        assert home["profile"]["data"]["id"] == customer.uid
        newest = [order["items"][0]["quantity"] for order in home["recentOrders"]["data"]]
        assert newest == [7, 6, 5, 4, 3]
        assert home["notifications"]["data"] == {"unread": 0}
        other = stranger.get("/v1/screens/home").json()["data"]
        assert other["profile"]["data"]["id"] == stranger.uid
        assert other["recentOrders"]["data"] == []

    def test_a_new_user_gets_a_profile_on_the_way(self, backend, user):
        assert backend.document(f"users/{user.uid}") is None
        assert user.get("/v1/screens/home").json()["data"]["profile"]["data"]["version"] == 1
        assert backend.document(f"users/{user.uid}")["version"] == 1

    def test_it_costs_what_it_shows(self, customer):
        customer.get("/v1/screens/home")
        response = customer.get("/v1/screens/home")
        assert response.headers["X-Firestore-Reads"] == "7"  # profile, five orders, the counter of unread messages
        assert response.headers["X-Firestore-Writes"] == "0"

    def test_its_sections_are_read_at_the_same_time(self, instance, customer):
        """Each call to Firestore waits until three are under way: one after the other they would wait in vain."""
        api = instance()
        api.http.get("/v1/screens/home", headers=customer.headers)
        together = threading.Barrier(3)

        def meet(_call):
            together.wait(timeout=60)

        api.faults.follow(meet)
        response = api.http.get("/v1/screens/home", headers=customer.headers)
        assert {section["status"] for section in response.json()["data"].values()} == {"ok"}

    @pytest.mark.parametrize(
        ("collection", "section"),
        [("/documents/users/", "profile"), ("orders", "recentOrders"), ("/counters/", "notifications")],
    )
    def test_a_section_that_fails_says_so_and_the_others_come(self, instance, customer, collection, section, caplog):
        api = instance()
        api.http.get("/v1/screens/home", headers=customer.headers)
        others = ("/counters/",) if section == "profile" else ()
        api.faults.follow(mentioning(collection, but_not=others))
        response = api.http.get("/v1/screens/home", headers=customer.headers)
        assert response.status_code == 200
        home = response.json()["data"]
        assert home.pop(section) == {"status": "error", "code": "UNAVAILABLE"}
        assert {other["status"] for other in home.values()} == {"ok"}
        assert [record.getMessage() for record in caplog.records].count("Firestore is unavailable") == 1

    def test_when_nothing_can_be_shown_it_says_so_as_a_whole(self, instance, user):
        api = instance()
        api.faults.follow(mentioning("documents"))
        response = api.http.get("/v1/screens/home", headers=user.headers)
        assert code(response) == (503, "UNAVAILABLE")
        assert response.headers["Retry-After"]

    def test_it_has_a_tag(self, customer):
        tag = customer.get("/v1/screens/home").headers["ETag"]
        assert customer.get("/v1/screens/home", headers={"If-None-Match": tag}).status_code == 304
