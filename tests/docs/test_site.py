"""`make docs`: the site builds without a warning, and reads without a network."""

import functools
import http.server
import re
import threading
import time

import pytest

from tools import docs

# A tag that fetches something when the page is shown, from elsewhere.
FETCHED = re.compile(r"""<(?:script|link|img|iframe|source)\b[^>]*\b(?:src|href)=["']?(?:https?:)?//[^>]*>""")
# These tell where the page is, and fetch nothing.
HARMLESS = re.compile(r'rel="?(?:canonical|alternate|edit|next|prev)')


@pytest.fixture(scope="module")
def built():
    if not docs.MERMAID.is_file():
        pytest.fail("the site's packages are not installed: run `tools/setup.sh --test`, which `make test` does")
    assert docs.run() == 0
    return docs.HTML


@pytest.fixture(scope="module")
def served(built):
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=built)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_every_page_is_in_it_and_in_the_navigation(built):
    home = (built / "index.html").read_text(encoding="utf-8")
    for page in docs.pages():
        name = page.with_suffix(".html").as_posix().replace("README.html", "index.html")
        assert (built / name).is_file(), name
        assert f'href="{name}"' in home or f'href="./{name}"' in home or name == "index.html", name


def test_no_page_fetches_from_elsewhere(built):
    for page in built.rglob("*.html"):
        tags = [tag for tag in FETCHED.findall(page.read_text(encoding="utf-8")) if not HARMLESS.search(tag)]
        assert tags == [], page


def test_a_browser_asks_nobody_else_and_the_diagrams_are_drawn(served, browser):
    browser.requested()
    for page in ("index.html", "docs/clients/index.html", "docs/architecture.html"):
        browser.open(f"{served}/{page}")
        # A drawn diagram is no <pre> any more.
        deadline = time.monotonic() + 60
        while browser.run("return document.querySelectorAll('pre.mermaid').length") > 0:
            assert time.monotonic() < deadline, f"the diagrams of {page} are not drawn"
            time.sleep(0.05)
        heights = browser.run("return [...document.querySelectorAll('.mermaid')].map((node) => node.offsetHeight)")
        assert page != "index.html" or heights
        assert all(height > 50 for height in heights)
    elsewhere = [url for url in browser.requested() if url.startswith(("http", "ws")) and not url.startswith(served)]
    assert elsewhere == []


def test_a_link_to_nothing_is_refused(tmp_path, monkeypatch):
    (tmp_path / "README.md").write_text("[gone](gone.py)\n", encoding="utf-8")
    monkeypatch.setattr(docs, "ROOT", tmp_path)
    monkeypatch.setattr(docs, "PAGES", tmp_path / ".site/pages")
    monkeypatch.setattr(docs, "SITE", tmp_path / ".site")
    with pytest.raises(docs.BrokenLink, match=r"README\.md links gone\.py"):
        docs.stage()


def test_a_linked_source_file_comes_along(built):
    assert list(built.rglob("openapi.json"))
    shown = (built / "functions/wattle/api.py.html").read_text(encoding="utf-8")
    assert "ROUTES" in shown
