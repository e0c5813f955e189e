"""The description as it is served: to programs at /v1/openapi.json, to people at /docs."""

import base64
import hashlib
import json
import os
import re
import subprocess

import pytest
from tests.api.orders import placed
from tests.backend import eventually
from tests.described import description


class TestOpenApi:
    def test_anyone_may_read_it(self, backend):
        response = backend.http.get("/v1/openapi.json")
        assert response.status_code == 200
        assert response.json() == json.loads(json.dumps(description().document))
        assert response.headers["Cache-Control"] == "private, max-age=60"
        assert response.headers["X-Firestore-Reads"] == "0"

    def test_it_is_not_sent_again(self, backend):
        tag = backend.http.get("/v1/openapi.json").headers["ETag"]
        again = backend.http.get("/v1/openapi.json", headers={"If-None-Match": tag})
        assert (again.status_code, again.content) == (304, b"")

    def test_it_is_small_on_the_wire(self, backend):
        with backend.http.stream("GET", "/v1/openapi.json", headers={"Accept-Encoding": "gzip"}) as response:
            assert response.headers["Content-Encoding"] == "gzip"
            sent = sum(len(part) for part in response.iter_raw())
        assert sent < 60_000, f"{sent} bytes"

    def test_it_is_no_part_of_a_batch(self, backend, user):
        answer = user.post("/v1/batch", {"requests": [{"path": "/v1/openapi.json"}]}).json()["data"][0]
        assert (answer["status"], answer["body"]["errors"][0]["code"]) == (400, "NOT_IN_BATCH")


class TestDocs:
    def test_the_policy_allows_the_pages_own_script_and_style_and_nothing_else(self, backend):
        response = backend.http.get("/docs")
        assert response.headers["Content-Type"] == "text/html; charset=utf-8"
        policy = dict(part.split(" ", 1) for part in response.headers["Content-Security-Policy"].split("; "))
        assert policy["default-src"] == policy["frame-ancestors"] == "'none'"
        for kind in ("script", "style"):
            (text,) = re.findall(rf"<{kind}>(.*?)</{kind}>", response.text, re.DOTALL)
            digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
            assert policy[f"{kind}-src"] == f"'sha256-{digest}'"

    def test_nothing_comes_from_elsewhere_and_nothing_becomes_markup(self, backend):
        page = backend.http.get("/docs").text
        assert not re.search(r"https?:|src=|url\(|@import", page)
        assert "innerHTML" not in page

    def test_a_person_reads_it(self, backend, browser):
        browser.open(f"{backend.api}/docs")
        paths = [path for path, methods in description().document["paths"].items() for _ in methods]
        tags = [tag["name"] for tag in description().document["tags"]]
        browser.wait_for("main h2", tags)
        assert sorted(browser.texts("main .path")) == sorted(paths)
        assert browser.run("return document.title") == "Wattle API 1.0.0"

        browser.run("document.querySelector('#ordersCreateOrder summary').click()")
        browser.wait_for("#ordersCreateOrder .about", ["ordersCreateOrder, needs an ID token"])
        shown = browser.texts("#ordersCreateOrder")[0]
        for word in ("Idempotency-Key (header)", "items *", "shippingAddress", "Answer 201", "OUT_OF_STOCK"):
            assert word in shown

        browser.run(
            "const search = document.querySelector('#search'); search.value = 'out_of_stock';"
            "search.dispatchEvent(new Event('input'))"
        )
        found = browser.run("return [...document.querySelectorAll('details:not([hidden])')].map((one) => one.id)")
        assert "ordersCreateOrder" in found
        assert "usersReadMe" not in found

    def test_a_request_is_sent_from_the_page(self, backend, browser, user):
        order = placed(user, (backend.product(), 1))
        browser.open(f"{backend.api}/docs")
        browser.wait_for("main h2", [tag["name"] for tag in description().document["tags"]])
        sent = browser.run(
            "const [token, id, note] = arguments; document.querySelector('#token').value = token;"
            "const one = document.querySelector('#ordersAmendOrder'); one.querySelector('summary').click();"
            "return new Promise((done) => setTimeout(() => {"
            "  const form = one.querySelector('form'); form.querySelector('input').value = id;"
            "  form.querySelector('textarea').value = JSON.stringify({note});"
            "  new MutationObserver(() => { const text = one.querySelector('.result').textContent;"
            "    if (text.includes('in ')) done(text); }).observe(one.querySelector('.result'), {childList: true});"
            "  form.querySelector('button').click(); }));",
            user.token,
            order["id"],
            "ring twice",
        )
        assert sent.startswith("200 in ")
        assert '"note": "ring twice"' in sent
        assert backend.document(f"orders/{order['id']}")["note"] == "ring twice"

    @pytest.mark.parametrize(("operation", "body"), [("usersReadMe", None), ("ordersCreateOrder", "productId")])
    def test_the_command_that_it_shows_works(self, backend, browser, user, operation, body):
        browser.open(f"{backend.api}/docs#{operation}")
        browser.wait_for("main h2", [tag["name"] for tag in description().document["tags"]])
        (command,) = eventually(lambda: browser.texts(f"#{operation} > div > .code pre"))
        if body:
            command = re.sub(rf'("{body}": ")[^"]+', rf"\1{backend.product()}", command, count=1)
        environment = {"PATH": os.environ["PATH"], "TOKEN": user.token}
        ran = subprocess.run(
            command.replace("curl", "curl -s", 1),
            shell=True,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        assert json.loads(ran.stdout)["success"] is True, ran.stdout

    def test_every_operation_can_be_opened(self, backend, browser):
        browser.open(f"{backend.api}/docs")
        browser.wait_for("main h2", [tag["name"] for tag in description().document["tags"]])
        browser.run("for (const one of document.querySelectorAll('details')) one.open = true")
        count = sum(len(methods) for methods in description().document["paths"].values())
        opened = "return [...document.querySelectorAll('details .about')].map((node) => node.innerText)"
        for _ in range(200):
            if len(browser.run(opened)) == count:
                break
        assert len(browser.run(opened)) == count
