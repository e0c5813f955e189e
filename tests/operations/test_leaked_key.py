"""The signing secret is replaced: with grace, and at once where somebody else has it."""

from tests.api.orders import code, placed

OLD, NEW = "the one that was used until today, 32", "the one that is used from now on, 32"


def test_with_grace_nobody_notices(backend, user, instance):
    before, meanwhile, after = (instance(SIGNING_SECRET=secret) for secret in (OLD, f"{NEW}\n{OLD}", NEW))
    for _ in range(3):
        placed(user, (backend.product(), 1))
    old = before.http.get("/v1/orders?limit=1", headers=user.headers).json()["pagination"]["nextCursor"]
    page = meanwhile.http.get(f"/v1/orders?limit=1&cursor={old}", headers=user.headers)
    assert page.status_code == 200
    new = page.json()["pagination"]["nextCursor"]
    assert after.http.get(f"/v1/orders?limit=1&cursor={new}", headers=user.headers).status_code == 200
    assert code(before.http.get(f"/v1/orders?limit=1&cursor={new}", headers=user.headers)) == (400, "INVALID_CURSOR")


def test_at_once_what_was_made_with_it_is_worth_nothing_and_apps_start_again(backend, user, instance):
    before, after = (instance(SIGNING_SECRET=secret) for secret in (OLD, NEW))
    order = placed(user, (backend.product(), 1))
    start = "/v1/orders?updatedAfter=1970-01-01T00:00:00Z"
    known = before.http.get(start, headers=user.headers).json()["pagination"]["nextCursor"]
    refused = after.http.get(f"/v1/orders?updatedAfter={known}", headers=user.headers)
    assert code(refused) == (400, "INVALID_CURSOR")
    again = after.http.get(start, headers=user.headers).json()
    assert [row["id"] for row in again["data"]] == [order["id"]]


def test_sessions_end_for_everybody_who_is_told_to(backend, user, people, admin):
    """A leaked service account key: whoever used it may have signed in as anybody, so the accounts concerned are closed
    for a moment and their sessions end."""
    member = people.verified()
    assert member.get("/v1/users/me").status_code == 200
    assert admin.post(f"/v1/admin/users/{member.uid}/disable", {"reason": "key leaked"}).status_code == 200
    assert admin.post(f"/v1/admin/users/{member.uid}/enable").status_code == 200
    assert code(member.post("/v1/orders", {})) == (401, "TOKEN_REVOKED")
    assert people.sign_in(member.email).get("/v1/users/me").status_code == 200
    entries = admin.get(f"/v1/admin/audit-log?target=users/{member.uid}").json()["data"]
    assert [entry["action"] for entry in entries] == ["user.enable", "user.disable"]
