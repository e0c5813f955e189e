"""The inbox over HTTP and by direct writes under the rules."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from tests.backend import eventually

from wattle.adapters.firestore import Create, Delete, Increment, Update
from wattle.kit.retry import Deadline

PATH = "/v1/notifications"
DAYS = timedelta(days=90)


def code(response):
    return response.status_code, response.json()["code"]


def put(backend, user, count, start=0):
    """Messages as they are made: with the counter, in one commit. Their ids, the oldest first."""
    ids = [f"m{n:03}" for n in range(start, start + count)]
    now = datetime.now(UTC)
    writes = []
    for n, id_ in enumerate(ids):
        at = now - timedelta(minutes=count - n)
        entry = {
            "kind": "orders",
            "title": f"Title {id_}",
            "body": "Body",
            "data": {"orderId": "o1"},
            "image": None,
            "link": "wattle://orders/o1",
            "createdAt": at,
            "readAt": None,
            "expiresAt": at + DAYS,
        }
        writes.append(Create(f"users/{user.uid}/notifications/{id_}", entry))
    writes.append(Update(f"users/{user.uid}/counters/inbox", {"unread": Increment(count)}, upsert=True))
    backend.firestore.commit(writes, Deadline.after(60))
    return ids


def unread(user):
    response = user.get(f"{PATH}/unread-count")
    assert response.status_code == 200, response.text
    return response.json()["data"]["unread"]


def read_directly(backend, user, id_):
    """What an app with a Firebase SDK writes: readAt, by the server's time, with the person's own token."""
    database = f"projects/{backend.project_id}/databases/(default)"
    write = {
        "update": {"name": f"{database}/documents/users/{user.uid}/notifications/{id_}"},
        "updateMask": {"fieldPaths": []},
        "updateTransforms": [{"fieldPath": "readAt", "setToServerValue": "REQUEST_TIME"}],
        "currentDocument": {"exists": True},
    }
    url = f"http://127.0.0.1:{backend.suite.ports.firestore}/v1/{database}/documents:commit"
    return httpx.post(url, json={"writes": [write]}, headers=user.headers)


class TestReading:
    def test_nobody_reads_without_signing_in(self, backend):
        for method, path in (
            ("GET", PATH),
            ("GET", f"{PATH}/unread-count"),
            ("POST", f"{PATH}/read-all"),
            ("POST", f"{PATH}/m000/read"),
        ):
            assert code(backend.http.request(method, path)) == (401, "TOKEN_MISSING")

    def test_the_newest_come_first_and_pages_follow(self, backend, user, stranger):
        ids = put(backend, user, 5)
        first = user.get(PATH, params={"limit": 3})
        assert [entry["id"] for entry in first.json()["data"]] == ids[:1:-1]
        assert first.headers["X-Firestore-Reads"] == "3"
        rest = user.get(PATH, params={"limit": 3, "cursor": first.json()["pagination"]["nextCursor"]})
        assert [entry["id"] for entry in rest.json()["data"]] == ids[1::-1]
        assert first.json()["data"][0]["link"] == "wattle://orders/o1"
        assert stranger.get(PATH).json()["data"] == []

    def test_the_number_of_unread_ones_costs_one_read(self, backend, user, stranger):
        assert unread(user) == 0
        put(backend, user, 30)
        response = user.get(f"{PATH}/unread-count")
        assert response.json()["data"] == {"unread": 30}
        assert response.headers["X-Firestore-Reads"] == "1"
        assert unread(stranger) == 0


class TestMarkingAsRead:
    def test_the_first_time_counts(self, backend, user):
        ids = put(backend, user, 3)
        first = user.post(f"{PATH}/{ids[0]}/read").json()["data"]
        assert first["readAt"] is not None
        again = user.post(f"{PATH}/{ids[0]}/read").json()["data"]
        assert again == first
        assert unread(user) == 2

    def test_ten_at_once_count_once(self, backend, user):
        ids = put(backend, user, 3)
        with ThreadPoolExecutor(10) as pool:
            answers = list(pool.map(lambda _: user.post(f"{PATH}/{ids[0]}/read"), range(10)))
        assert {answer.status_code for answer in answers} == {200}
        assert len({answer.json()["data"]["readAt"] for answer in answers}) == 1
        assert unread(user) == 2

    def test_a_stranger_reads_nothing_of_it(self, backend, user, stranger):
        ids = put(backend, user, 1)
        assert code(stranger.post(f"{PATH}/{ids[0]}/read")) == (404, "NOTIFICATION_NOT_FOUND")
        assert code(user.post(f"{PATH}/nosuch/read")) == (404, "NOTIFICATION_NOT_FOUND")
        assert unread(user) == 1
        assert unread(stranger) == 0

    @pytest.mark.parametrize("count", [0, 1, 450])
    def test_all_at_once(self, backend, user, count):
        if count:
            put(backend, user, count)
        assert user.post(f"{PATH}/read-all").json()["data"] == {"read": count}
        assert unread(user) == 0
        assert user.post(f"{PATH}/read-all").json()["data"] == {"read": 0}
        assert all(entry["readAt"] for entry in user.get(PATH, params={"limit": 100}).json()["data"])

    def test_all_at_once_and_one_by_one_at_the_same_time(self, backend, user):
        ids = put(backend, user, 12)
        with ThreadPoolExecutor(6) as pool:
            list(pool.map(lambda id_: user.post(f"{PATH}/{id_}/read" if id_ else f"{PATH}/read-all"), [*ids, "", ""]))
        assert unread(user) == 0


class TestWhatGoesPastTheApi:
    def test_an_app_that_reads_directly_is_counted(self, backend, user, stranger):
        ids = put(backend, user, 3)
        assert read_directly(backend, stranger, ids[0]).status_code in (403, 404)
        refused = httpx.post(
            read_directly(backend, user, ids[0]).url,
            json={
                "writes": [
                    {
                        "update": {
                            "name": f"projects/{backend.project_id}/databases/(default)/documents/users/{user.uid}"
                            "/counters/inbox",
                            "fields": {"unread": {"integerValue": "0"}},
                        }
                    }
                ]
            },
            headers=user.headers,
        )
        assert refused.status_code == 403
        eventually(lambda: unread(user) == 2)
        assert user.post(f"{PATH}/{ids[1]}/read").status_code == 200
        eventually(lambda: unread(user) == 1)

    def test_many_at_once_directly_and_by_the_api(self, backend, user):
        ids = put(backend, user, 16)
        ways = [read_directly, lambda _backend, user, id_: user.post(f"{PATH}/{id_}/read")]
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda n: ways[n % 2](backend, user, ids[n // 2]), range(24)))
        eventually(lambda: unread(user) == 4)
        assert backend.suite.control.await_idle()
        assert unread(user) == 4

    def test_an_unread_message_that_expires_is_counted_off(self, backend, user):
        ids = put(backend, user, 3)
        user.post(f"{PATH}/{ids[0]}/read")
        for id_ in ids[:2]:
            backend.firestore.commit([Delete(f"users/{user.uid}/notifications/{id_}")], Deadline.after(60))
        eventually(lambda: unread(user) == 1)
        assert backend.suite.control.await_idle()
        assert unread(user) == 1
