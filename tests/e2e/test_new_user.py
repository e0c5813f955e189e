"""What the README promises a new user, step by step, with what `make dev` printed."""

import json
import subprocess

import httpx
import pytest
from tests.backend import eventually
from tools.dev import give_passwords


def pasted(line):
    """What a printed command prints when it is pasted into a shell."""
    finished = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=60, check=True)
    return json.loads(finished.stdout)


def test_the_table_names_every_service_and_all_of_them_answer(dev):
    for service in ("Firestore", "Auth", "Functions", "Hub"):
        assert httpx.get(dev.url(service), timeout=60).status_code < 500
    for page in ("FCM", "UI"):
        assert httpx.get(dev.url(page), timeout=60).status_code == 200


def test_the_printed_lines_work_when_pasted(dev):
    profile, orders, order = (pasted(line) for line in dev.curls)
    assert profile["data"]["email"] == "alice@example.com"
    assert len(orders["data"]) == 5
    assert orders["pagination"]["hasNext"] is True
    assert order["data"]["status"] == "pending"
    assert order["data"]["total"] == 1144


def test_the_printed_token_signs_in(dev):
    (token,) = [line for line in dev.lines if line.startswith("eyJ")]
    headers = {"Authorization": f"Bearer {token}"}
    assert httpx.get(f"{dev.url('api')}/v1/users/me", headers=headers, timeout=60).json()["data"]["id"] == "alice"


def test_all_orders_page_after_page(dev):
    with dev.sign_in("bob") as bob:
        seen, parameters = [], {"limit": 7}
        while True:
            page = bob.get("/v1/orders", params=parameters).json()
            seen += [order["id"] for order in page["data"]]
            if not page["pagination"]["hasNext"]:
                break
            parameters["cursor"] = page["pagination"]["nextCursor"]
    assert len(seen) == len(set(seen)) == 20


def test_a_refused_request_says_why(dev):
    with dev.sign_in("alice") as alice:
        refused = alice.post("/v1/orders", json={"items": [{"productId": "finger-lime-tart", "quantity": 4}]})
    assert (refused.status_code, refused.json()["code"]) == (409, "OUT_OF_STOCK")


def test_a_new_status_is_pushed_and_put_into_the_inbox(dev):
    with dev.sign_in("bob") as bob, dev.sign_in("admin") as admin:
        device = {"fid": "cBobsPhone0123456789ab", "platform": "android", "appVersion": "2.0.1", "locale": "en-AU"}
        assert bob.put("/v1/users/me/devices/bobs-phone", json=device).status_code == 200
        order = bob.post("/v1/orders", json={"items": [{"productId": "keep-cup", "quantity": 1}]}).json()["data"]
        moved = admin.post(f"/v1/admin/orders/{order['id']}/status", json={"status": "confirmed"})
        assert moved.json()["data"]["status"] == "confirmed"

        def pushed():
            messages = httpx.get(dev.url("messages"), timeout=60).json()["messages"]
            return [entry for entry in messages if entry["message"].get("fid") == device["fid"]]

        (sent,) = eventually(pushed)
        assert sent["message"]["data"]["orderId"] == order["id"]
        assert sent["name"].startswith("projects/demo-wattle/messages/")
        assert sent["receivedAt"]
        inbox = eventually(lambda: bob.get("/v1/notifications").json()["data"])
        assert inbox[0]["data"] == {"orderId": order["id"], "status": "confirmed"}


def test_an_app_with_the_firebase_sdk(dev):
    token = dev.sign_in("admin").headers["Authorization"].removeprefix("Bearer ")
    seen = dev.node("web_sdk.mjs", token, dev.url("api"))
    assert seen["anonymousRead"] == "permission-denied"
    assert seen["anonymousCall"]["code"] == "functions/unauthenticated"
    assert seen["anonymousCall"]["details"]["code"] == "TOKEN_MISSING"
    assert seen["refused"]["code"] == "functions/failed-precondition"
    assert seen["refused"]["details"]["code"] == "PRODUCT_UNAVAILABLE"
    assert seen["order"]["total"] == seen["directRead"] == 990
    assert seen["profile"] == "Alice Nguyen"
    assert seen["directList"] == 5
    assert seen["unboundedList"] == seen["othersProfile"] == seen["devices"] == "permission-denied"
    assert seen["live"]["statuses"] == ["pending", "confirmed"]
    assert seen["live"]["entry"] == f"{seen['order']['id']}-2"


def test_ctrl_c_stops_everything(start):
    running = start()
    ports = [running.url(name).rsplit(":", 1)[1].split("/")[0] for name in ("Firestore", "Auth", "Functions", "FCM")]
    started = running.descendants
    assert len(started) >= 4
    running.stop()
    assert running.process.returncode == 0
    # A worker of gunicorn asks every second whether its parent is there.
    eventually(lambda: not {pid: args for pid, args in started.items() if running.is_alive(pid)})
    for port in ports:
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"http://127.0.0.1:{port}/", timeout=5)


def test_the_seeds_people_get_their_passwords_again_when_fireemu_is_started_anew(dev):
    """As it is for a trigger that was added to the functions: fireemu's exports have no passwords."""
    account = f"{dev.url('Auth')}/identitytoolkit.googleapis.com/v1"
    changed = {"localId": "bob", "password": "forgotten"}
    owner = {"Authorization": "Bearer owner"}
    httpx.post(f"{account}/projects/demo-wattle/accounts:update", json=changed, headers=owner).raise_for_status()
    give_passwords(dev.url("Auth"), "demo-wattle")
    with dev.sign_in("bob") as bob:
        assert bob.get("/v1/users/me").json()["data"]["id"] == "bob"
