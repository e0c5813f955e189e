"""The web page, in a real browser driven by the WebDriver protocol."""

import requests

TITLE = "FCM sink"
XSS = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"


def test_the_page_allows_no_other_script_and_no_foreign_style(sink):
    response = requests.get(f"{sink.root}/", timeout=60)
    policy = response.headers["Content-Security-Policy"]
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in response.text, "nothing comes from elsewhere"
    assert "innerHTML" not in requests.get(f"{sink.root}/page.js", timeout=60).text


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
    requests.delete(f"{sink.base}/messages", timeout=60)
    sink.send(fid="alice", notification={"title": "After a clear elsewhere"})
    browser.wait_for("#feed .title", ["After a clear elsewhere"])
