"""The web page, in a real browser driven by the WebDriver protocol."""

import shutil
import socket
import subprocess
import time

import pytest
import requests

TITLE = "FCM sink"
XSS = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"


def test_the_page_allows_no_other_script_and_no_foreign_style(sink):
    response = requests.get(f"{sink.root}/", timeout=10)
    policy = response.headers["Content-Security-Policy"]
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in response.text, "nothing comes from elsewhere"
    assert "innerHTML" not in requests.get(f"{sink.root}/page.js", timeout=10).text


class Browser:
    """A session of the WebDriver protocol (W3C), as far as these tests need it."""

    def __init__(self, driver, user_data):
        arguments = ["--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={user_data}"]
        wanted = {"browserName": "chrome", "goog:chromeOptions": {"args": arguments}}
        answer = requests.post(f"{driver}/session", json={"capabilities": {"alwaysMatch": wanted}}, timeout=60).json()
        self.session = f"{driver}/session/{answer['value']['sessionId']}"

    def open(self, url):
        assert requests.post(f"{self.session}/url", json={"url": url}, timeout=60).ok

    def run(self, script, *arguments):
        body = {"script": script, "args": list(arguments)}
        answer = requests.post(f"{self.session}/execute/sync", json=body, timeout=60)
        assert answer.ok, answer.text
        return answer.json()["value"]

    def texts(self, selector):
        return self.run("return [...document.querySelectorAll(arguments[0])].map((node) => node.innerText)", selector)

    def wait_for(self, selector, expected):
        deadline = time.monotonic() + 15
        while (seen := self.texts(selector)) != expected:
            assert time.monotonic() < deadline, f"{selector} shows {seen}, not {expected}"
            time.sleep(0.05)

    def close(self):
        requests.delete(self.session, timeout=60)


@pytest.fixture
def browser(tmp_path):
    if not (shutil.which("chromium") and shutil.which("chromedriver")):
        pytest.skip("needs a browser: apt-get install chromium chromium-driver")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    log = (tmp_path / "chromedriver.log").open("w")
    with log, subprocess.Popen(["chromedriver", f"--port={port}"], stdout=log, stderr=log) as driver:
        try:
            url = f"http://127.0.0.1:{port}"
            wait_until_ready(url)
            browser = Browser(url, tmp_path / "profile")
            try:
                yield browser
            finally:
                browser.close()
        finally:
            driver.terminate()


def wait_until_ready(url):
    deadline = time.monotonic() + 20
    while True:
        try:
            if requests.get(f"{url}/status", timeout=5).json()["value"]["ready"]:
                return
        except requests.exceptions.ConnectionError:
            assert time.monotonic() < deadline, "chromedriver does not answer"
        time.sleep(0.05)


def test_the_page_shows_messages_as_they_come(lone_sink, browser):
    sink = lone_sink
    browser.open(f"{sink.root}/")
    browser.wait_for("#feed .empty", ["Nothing was sent yet."])

    sink.send(fid="alice", notification={"title": "Confirmed", "body": "1"}, android={"notification": {"tag": "o"}})
    browser.wait_for("#feed .title", ["Confirmed"])
    sink.send(
        fid="alice",
        notification={"title": "Shipped", "body": "2"},
        data={"orderId": "o-1"},
        android={"collapse_key": "orders", "notification": {"tag": "o"}},
    )
    sink.send(topic="news", notification={"title": XSS, "body": XSS}, data={XSS: XSS})
    browser.wait_for("#feed .title", [XSS, "Shipped", "Confirmed"])
    assert browser.texts("#feed .target") == ["news", "alice", "alice"]
    assert browser.texts("#feed .collapse") == ["collapse_key: orders", "tag: o", "tag: o"]
    assert "o-1" in browser.texts("#feed td")
    browser.wait_for("#screen .shade b", [XSS, "Shipped", "Confirmed"])

    browser.run("document.querySelector('#feed button.target').click()")
    browser.wait_for("#screen .shade b", ["Shipped"])
    assert browser.run("return document.title") == TITLE, "markup in a message is shown, not obeyed"
    assert browser.run("return document.querySelectorAll('#feed script, #screen script, #feed img').length") == 0

    browser.run("document.querySelector('#clear').click()")
    browser.wait_for("#feed .empty", ["Nothing was sent yet."])
    sink.send(fid="alice", notification={"title": "After"})
    browser.wait_for("#feed .title", ["After"])
    requests.delete(f"{sink.base}/messages", timeout=10)
    sink.send(fid="alice", notification={"title": "After a clear elsewhere"})
    browser.wait_for("#feed .title", ["After a clear elsewhere"])
