"""A real browser, driven by the WebDriver protocol."""

import contextlib
import json
import shutil
import socket
import subprocess
import time

import pytest
import requests


class Browser:
    """A session of the WebDriver protocol (W3C), as far as these tests need it."""

    def __init__(self, driver, user_data):
        arguments = ["--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={user_data}"]
        wanted = {"browserName": "chrome", "goog:chromeOptions": {"args": arguments}}
        wanted["goog:loggingPrefs"] = {"performance": "ALL"}
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
        deadline = time.monotonic() + 60
        while (seen := self.texts(selector)) != expected:
            assert time.monotonic() < deadline, f"{selector} shows {seen}, not {expected}"
            time.sleep(0.05)

    def requested(self):
        """The URLs that were asked for since this was last called."""
        entries = requests.post(f"{self.session}/se/log", json={"type": "performance"}, timeout=60).json()["value"]
        messages = [json.loads(entry["message"])["message"] for entry in entries]
        return [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]

    def close(self):
        requests.delete(self.session, timeout=60)


def wait_until_ready(url):
    deadline = time.monotonic() + 60
    while True:
        try:
            if requests.get(f"{url}/status", timeout=60).json()["value"]["ready"]:
                return
        except requests.exceptions.ConnectionError:
            assert time.monotonic() < deadline, "chromedriver does not answer"
        time.sleep(0.05)


@contextlib.contextmanager
def open_browser(directory):
    """A browser whose profile and log are in `directory`. Skips the test where none is installed."""
    if not (shutil.which("chromium") and shutil.which("chromedriver")):
        pytest.skip("needs a browser: apt-get install chromium chromium-driver")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    log = (directory / "chromedriver.log").open("w")
    with log, subprocess.Popen(["chromedriver", f"--port={port}"], stdout=log, stderr=log) as driver:
        try:
            url = f"http://127.0.0.1:{port}"
            wait_until_ready(url)
            browser = Browser(url, directory / "profile")
            try:
                yield browser
            finally:
                browser.close()
        finally:
            driver.terminate()
