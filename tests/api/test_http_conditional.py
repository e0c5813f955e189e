"""ETag, If-None-Match and If-Match over HTTP."""

import re
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest

from firesuite.faults import Failure, nth


def code(response):
    return response.status_code, response.json()["code"]


def order(backend, user):
    body = {"items": [{"productId": backend.product(), "quantity": 1}]}
    return user.post("/v1/orders", body)


class TestTags:
    def test_a_versioned_resource_has_its_version_in_a_strong_tag(self, user):
        response = user.get("/v1/users/me")
        assert re.fullmatch(r'"1\.[A-Za-z0-9_-]{16}"', response.headers["ETag"])
        assert response.headers["Cache-Control"] == "private, no-cache"

    def test_the_same_data_has_the_same_tag_whenever_it_is_asked_for(self, user):
        first, second = user.get("/v1/users/me"), user.get("/v1/users/me")
        assert first.json()["requestId"] != second.json()["requestId"]
        assert first.headers["ETag"] == second.headers["ETag"]

    def test_a_change_changes_it(self, user):
        before = user.get("/v1/users/me").headers["ETag"]
        changed = user.patch("/v1/users/me", {"displayName": "Somebody"})
        after = user.get("/v1/users/me").headers["ETag"]
        assert before != after
        assert changed.headers["ETag"] == after
        assert after.startswith('"2.')

    def test_lists_have_one_too_and_other_fields_have_another(self, backend, user):
        order(backend, user)
        everything = user.get("/v1/orders")
        assert everything.headers["ETag"]
        assert user.get("/v1/orders?fields=id").headers["ETag"] != everything.headers["ETag"]

    def test_what_was_made_has_the_tag_that_reading_it_gives(self, backend, user):
        made = order(backend, user)
        read = user.get(f"/v1/orders/{made.json()['data']['id']}")
        assert made.status_code == 201
        assert made.headers["ETag"] == read.headers["ETag"]
        assert made.headers["Cache-Control"] == "no-store"

    def test_what_is_not_to_be_kept_has_none(self, backend, user):
        backend.account(user.uid, emailVerified=True)
        sign_in = backend.http.post("/v1/auth/login", json={"email": user.email, "password": "correct horse"})
        assert sign_in.status_code == 200
        for response in (sign_in, backend.http.get("/health"), user.get("/v1/orders/nosuch")):
            assert "ETag" not in response.headers
            assert response.headers["Cache-Control"] == "no-store"

    def test_products_may_be_kept_for_a_minute(self, user):
        assert user.get("/v1/products").headers["Cache-Control"] == "private, max-age=60"


class TestIfNoneMatch:
    @pytest.mark.parametrize("form", ["{}", "*", 'W/{}, "x"', '"a,b" , {}', '"x",{}', "{},", ", {}", '"x",, ,\t{} ,'])
    def test_what_is_known_is_not_sent_again(self, user, form):
        tag = user.get("/v1/users/me").headers["ETag"]
        response = user.get("/v1/users/me", headers={"If-None-Match": form.format(tag)})
        assert response.status_code == 304
        assert response.content == b""
        assert response.headers["ETag"] == tag
        assert response.headers["Cache-Control"] == "private, no-cache"
        assert response.headers["X-Request-Id"]
        assert "Content-Type" not in response.headers

    @pytest.mark.parametrize("given", ['"other"', "unquoted", '"half', "", ",", '"x" "y"', 'W/"1.abc"'])
    def test_what_is_not_is_sent(self, user, given):
        response = user.get("/v1/users/me", headers={"If-None-Match": given})
        assert response.status_code == 200
        assert response.json()["data"]["id"] == user.uid

    def test_it_does_not_hide_a_refusal(self, backend, stranger, user):
        path = f"/v1/orders/{order(backend, user).json()['data']['id']}"
        assert stranger.get(path, headers={"If-None-Match": "*"}).status_code == 404
        assert backend.http.get("/v1/users/me", headers={"If-None-Match": "*"}).status_code == 401

    def test_the_tag_of_the_compressed_answer_is_known_as_well(self, backend, user):
        for _ in range(4):
            order(backend, user)
        plain = user.get("/v1/orders", headers={"Accept-Encoding": "identity"})
        packed = user.get("/v1/orders", headers={"Accept-Encoding": "gzip"})
        assert packed.headers["Content-Encoding"] == "gzip"
        assert packed.headers["ETag"] == f'{plain.headers["ETag"][:-1]}-gzip"'
        assert packed.json()["data"] == plain.json()["data"]
        for tag in (plain.headers["ETag"], packed.headers["ETag"]):
            for encoding in ("identity", "gzip"):
                headers = {"If-None-Match": tag, "Accept-Encoding": encoding}
                response = user.get("/v1/orders", headers=headers)
                assert (response.status_code, response.headers["ETag"]) == (304, tag)

    def test_a_head_request_has_the_headers_and_no_body(self, user):
        seen = user.get("/v1/users/me")
        response = user.request("HEAD", "/v1/users/me")
        assert response.status_code == 200
        assert response.content == b""
        assert response.headers["ETag"] == seen.headers["ETag"]
        assert user.request("HEAD", "/v1/users/me", headers={"If-None-Match": "*"}).status_code == 304


class TestIfNoneMatchOnChanges:
    """RFC 9110 section 13.1.2: what is asked for must not be done where the condition is false."""

    @pytest.mark.parametrize(
        ("method", "path", "body"),
        [
            (
                "PUT",
                "/v1/users/me/devices/phone",
                {"fid": "c" * 22, "platform": "ios", "appVersion": "1.0.0", "locale": "en"},
            ),
            ("PATCH", "/v1/users/me", {"displayName": "New"}),
            ("DELETE", "/v1/users/me/devices/phone", None),
        ],
    )
    @pytest.mark.parametrize("given", ["*", '"1.abc"', ""])
    def test_it_is_refused_and_nothing_is_written(self, user, method, path, body, given):
        user.get("/v1/users/me")
        response = user.request(method, path, json=body, headers={"If-None-Match": given})
        assert code(response) == (400, "VALIDATION_FAILED")
        assert [(e["field"], e["code"]) for e in response.json()["errors"]] == [("If-None-Match", "NOT_SUPPORTED")]
        assert response.headers["X-Firestore-Writes"] == "0"


class TestIfMatch:
    def test_the_present_version_may_be_changed(self, user):
        tag = user.get("/v1/users/me").headers["ETag"]
        response = user.patch("/v1/users/me", {"displayName": "New"}, headers={"If-Match": tag})
        assert response.status_code == 200
        assert response.json()["data"]["version"] == 2

    @pytest.mark.parametrize("form", ["{},", ", {}", '"x",, ,\t{} ,'])
    def test_empty_members_of_a_list_are_passed_over(self, user, form):
        """RFC 9110 section 5.6.1.2: what joins several headers into one leaves them behind."""
        tag = user.get("/v1/users/me").headers["ETag"]
        changed = user.patch("/v1/users/me", {"displayName": "New"}, headers={"If-Match": form.format(tag)})
        assert changed.status_code == 200
        late = user.patch("/v1/users/me", {"displayName": "Late"}, headers={"If-Match": form.format(tag)})
        assert code(late) == (412, "PRECONDITION_FAILED")

    def test_another_version_may_not_and_nothing_is_written(self, backend, user):
        tag = user.get("/v1/users/me").headers["ETag"]
        user.patch("/v1/users/me", {"displayName": "First"})
        response = user.patch("/v1/users/me", {"displayName": "Second"}, headers={"If-Match": tag})
        assert code(response) == (412, "PRECONDITION_FAILED")
        assert response.headers["X-Firestore-Writes"] == "0"
        assert backend.document(f"users/{user.uid}")["displayName"] == "First"

    @pytest.mark.parametrize("given", ['"other"', 'W/"1.abc"', '"one.abc"', '""', '"99.x", "98.y"'])
    def test_a_tag_that_cannot_be_the_present_one(self, user, given):
        user.get("/v1/users/me")
        response = user.patch("/v1/users/me", {"displayName": "New"}, headers={"If-Match": given})
        assert code(response) == (412, "PRECONDITION_FAILED")

    @pytest.mark.parametrize("given", ["1", "unquoted", '"half', "", ",", ", ,", '"x" "y"', '"x", y'])
    def test_what_is_no_tag_is_refused(self, user, given):
        user.get("/v1/users/me")
        response = user.patch("/v1/users/me", {"displayName": "New"}, headers={"If-Match": given})
        assert code(response) == (400, "VALIDATION_FAILED")
        assert response.json()["errors"][0]["field"] == "If-Match"

    def test_a_star_is_any_version_of_what_exists(self, backend, user):
        assert code(user.patch("/v1/users/me", {"displayName": "New"}, headers={"If-Match": "*"}))[0] == 412
        assert backend.document(f"users/{user.uid}") is None
        user.get("/v1/users/me")
        assert user.patch("/v1/users/me", {"displayName": "New"}, headers={"If-Match": "*"}).status_code == 200

    def test_where_it_is_not_honoured_it_is_not_ignored_either(self, backend, user):
        body = {"items": [{"productId": backend.product(), "quantity": 1}]}
        response = user.post("/v1/orders", body, headers={"If-Match": '"1.abc"'})
        assert code(response) == (400, "VALIDATION_FAILED")
        assert response.json()["errors"][0]["code"] == "NOT_SUPPORTED"

    def test_a_commit_of_unknown_outcome_is_not_somebody_elses(self, instance, user):
        """Its answer is lost: the next attempt finds the version that it made, and says so."""
        here = instance()
        tag = here.as_user(user).get("/v1/users/me").headers["ETag"]
        here.faults.follow(nth("Commit", 1, Failure(grpc.StatusCode.UNAVAILABLE, after=True)))
        changed = here.as_user(user).patch("/v1/users/me", {"displayName": "Mia"}, headers={"If-Match": tag})
        assert changed.status_code == 200
        profile = user.get("/v1/users/me")
        assert (profile.json()["data"], profile.headers["ETag"]) == (changed.json()["data"], changed.headers["ETag"])
        assert profile.json()["data"]["version"] == 2

    def test_of_changes_at_once_none_is_lost(self, user):
        """Eight phones count in one field, four times each: read, add one, write if nobody else did."""
        user.patch("/v1/users/me", {"displayName": "0"})

        def count(_):
            for _ in range(4):
                while True:
                    seen = user.get("/v1/users/me")
                    wanted = {"displayName": str(int(seen.json()["data"]["displayName"]) + 1)}
                    tried = user.patch("/v1/users/me", wanted, headers={"If-Match": seen.headers["ETag"]})
                    if tried.status_code == 200:
                        break
                    assert tried.status_code in (412, 503), tried.text

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(count, range(8)))
        profile = user.get("/v1/users/me").json()["data"]
        assert profile["displayName"] == "32"
        assert profile["version"] == 33


class TestIfMatchWithoutVersion:
    """Preferences and devices have no number: their version is what they hold."""

    PREFERENCES = "/v1/users/me/notification-preferences"
    DEVICE = "/v1/users/me/devices/phone"

    @staticmethod
    def device(user, **changes):
        body = {"fid": f"c{user.uid[:21]}", "platform": "ios", "appVersion": "1.0.0", "locale": "en-AU"}
        return body | changes

    def test_some_fields_of_preferences_have_the_version_of_the_whole(self, user):
        some = user.get(f"{self.PREFERENCES}?fields=muted").headers["ETag"]
        assert some != user.get(f"{self.PREFERENCES}?fields=orders").headers["ETag"]
        for encoded in (some, f'{some[:-1]}-gzip"'):
            unchanged = user.patch(self.PREFERENCES, {"muted": False}, headers={"If-Match": encoded})
            assert unchanged.status_code == 200
        user.patch(self.PREFERENCES, {"orders": False})
        late = user.patch(self.PREFERENCES, {"muted": True}, headers={"If-Match": some})
        assert code(late) == (412, "PRECONDITION_FAILED")

    @pytest.mark.parametrize("form", ["{}", '"other", {}', "*"])
    def test_preferences_that_are_as_they_were_read_may_be_changed(self, user, form):
        """Also by who has no profile yet: the defaults are what he reads."""
        for change in ({"muted": True}, {"muted": False, "quietHours": {"start": "22:00", "end": "07:00"}}):
            tag = user.get(self.PREFERENCES).headers["ETag"]
            changed = user.patch(self.PREFERENCES, change, headers={"If-Match": form.format(tag)})
            assert changed.status_code == 200
            read = user.get(self.PREFERENCES)
            assert (changed.json()["data"], changed.headers["ETag"]) == (read.json()["data"], read.headers["ETag"])

    def test_preferences_that_somebody_changed_are_not_and_nothing_is_written(self, backend, user):
        tag = user.get(self.PREFERENCES).headers["ETag"]
        user.patch(self.PREFERENCES, {"muted": True})
        late = {"promotions": True, "consentSource": "settings"}
        for stale in (tag, f"W/{user.get(self.PREFERENCES).headers['ETag']}", '"1.abc"', '"other"'):
            response = user.patch(self.PREFERENCES, late, headers={"If-Match": stale})
            assert code(response) == (412, "PRECONDITION_FAILED")
            assert response.headers["X-Firestore-Writes"] == "0"
        assert backend.document(f"users/{user.uid}")["notificationPreferences"]["promotions"] is False

    def test_a_change_of_the_profile_is_none_of_the_preferences(self, user):
        tag = user.get(self.PREFERENCES).headers["ETag"]
        user.patch("/v1/users/me", {"displayName": "New"})
        assert user.patch(self.PREFERENCES, {"muted": True}, headers={"If-Match": tag}).status_code == 200

    def test_of_changes_of_preferences_at_once_one_counts(self, user):
        user.get("/v1/users/me")
        tag = user.get(self.PREFERENCES).headers["ETag"]
        hours = [{"quietHours": {"start": "22:00", "end": f"0{n}:00"}} for n in range(8)]
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda h: user.patch(self.PREFERENCES, h, headers={"If-Match": tag}), hours))
        assert {answer.status_code for answer in answers} <= {200, 412, 503}
        (won,) = (answer.json()["data"] for answer in answers if answer.status_code == 200)
        assert user.get(self.PREFERENCES).json()["data"] == won

    def test_a_device_that_is_as_it_was_made_may_be_renewed(self, user):
        tag = user.put(self.DEVICE, self.device(user)).headers["ETag"]
        for form in ("{}", '"other", {}', "*"):
            renewed = user.put(self.DEVICE, self.device(user), headers={"If-Match": form.format(tag)})
            assert renewed.status_code == 200
            tag = renewed.headers["ETag"]

    def test_a_device_that_changed_is_not_renewed_and_nothing_is_written(self, backend, user):
        tag = user.put(self.DEVICE, self.device(user)).headers["ETag"]
        user.put(self.DEVICE, self.device(user, appVersion="1.1.0"))
        response = user.put(self.DEVICE, self.device(user, appVersion="1.0.1"), headers={"If-Match": tag})
        assert code(response) == (412, "PRECONDITION_FAILED")
        assert response.headers["X-Firestore-Writes"] == "0"
        assert backend.document(f"users/{user.uid}/devices/phone")["appVersion"] == "1.1.0"

    @pytest.mark.parametrize("given", ["*", '"other"'])
    def test_a_device_that_is_not_there_is_not_made(self, backend, user, given):
        response = user.put(self.DEVICE, self.device(user), headers={"If-Match": given})
        assert code(response) == (412, "PRECONDITION_FAILED")
        assert backend.document(f"users/{user.uid}/devices/phone") is None

    def test_the_tag_of_a_compressed_answer_is_that_of_the_device(self, user):
        token = {"fid": None, "token": f"{user.uid}:{'a' * 2000}"}
        body = {name: value for name, value in self.device(user, **token).items() if value is not None}
        made = user.put(self.DEVICE, body, headers={"Accept-Encoding": "gzip"})
        assert made.headers["ETag"].endswith('-gzip"')
        renewed = user.put(self.DEVICE, body, headers={"If-Match": made.headers["ETag"]})
        assert renewed.status_code == 200

    @pytest.mark.parametrize("known", [False, True])
    def test_a_commit_of_unknown_outcome_is_not_somebody_elses(self, instance, user, known):
        """As for a profile: for what is new, and for what was there."""
        here = instance()
        caller = here.as_user(user)
        if known:
            user.patch(self.PREFERENCES, {"orders": False})
        tag = user.get(self.PREFERENCES).headers["ETag"]
        here.faults.follow(nth("Commit", 1, Failure(grpc.StatusCode.UNAVAILABLE, after=True)))
        changed = caller.patch(self.PREFERENCES, {"muted": True}, headers={"If-Match": tag})
        assert changed.status_code == 200
        assert changed.headers["ETag"] == user.get(self.PREFERENCES).headers["ETag"]

        tag = user.put(self.DEVICE, self.device(user)).headers["ETag"]
        here.faults.follow(nth("Commit", 1, Failure(grpc.StatusCode.UNAVAILABLE, after=True)))
        renewed = caller.put(self.DEVICE, self.device(user, appVersion="1.1.0"), headers={"If-Match": tag})
        assert renewed.status_code == 200
        assert (
            user.put(self.DEVICE, self.device(user), headers={"If-Match": renewed.headers["ETag"]}).status_code == 200
        )
