"""Hosting: which rule is for which URL, where a redirect leads, what a function behind it sees.

The globs' verdicts are those of superstatic 10, which Google's own emulator serves sites with, but for files that begin
with a dot: production's `**` has them, too.
"""

import contextlib
import http.client
import json

import pytest
from tests.suite.harness import copy_of_sample, running
from tests.suite.harness import http as ask

from firesuite.errors import SuiteError
from firesuite.hosting import Hosting
from firesuite.ports import HOST
from firesuite.server import Server


@pytest.fixture
def serve(tmp_path):
    """Serves a site with these settings and files; what asks it for a path gives its status and Location."""
    with contextlib.ExitStack() as stack:

        def serve(files=(), **settings):
            for name in files:
                (tmp_path / "public" / name).parent.mkdir(parents=True, exist_ok=True)
                (tmp_path / "public" / name).write_text(name)
            app = Hosting(settings, tmp_path, 1, lambda name, region: f"/demo-x/{region}/{name}", {})
            server = Server(app, service="Hosting")
            stack.callback(server.stop)
            server.start()
            connection = http.client.HTTPConnection(HOST, server.port, timeout=60)
            stack.callback(connection.close)

            def get(path):
                connection.request("GET", path)
                answer = connection.getresponse()
                text = answer.read().decode()
                return answer.status, answer.getheader("Location") or text

            return get

        yield serve


GLOBS = {
    "**": ("/ /a /a/b /.x", ""),
    "*": ("/a /.x", "/ /a/b"),
    "404.html": ("/404.html", "/a/404.html /404xhtml"),
    "/foo/**": ("/foo/ /foo/a/b", "/foo /foobar"),
    "/foo{,/**}": ("/foo /foo/a", "/foobar"),
    "/a/**/b": ("/a/b /a/x/b /a/x/y/b", "/a/bb /b"),
    "**/*.@(jpg|png)": ("/a.jpg /x/y/a.png", "/a.gif /a.jpgx /ajpg"),
    "!/@(js|css)/**": ("/ /jsx/a /js", "/js/a /css/a/b"),
    "!/static/**": ("/a /static", "/static/a"),
    "/!(a|b)/x": ("/c/x /ab/x", "/a/x /b/x /c/y"),
    "/!(*.js)": ("/a.css", "/a.js"),
    "/v+(1|2)": ("/v1 /v12", "/v /v3"),
    "/v?(1)": ("/v /v1", "/v2 /v11"),
    "/v*(1)": ("/v /v11", "/v2"),
    "/[a-c]?.x": ("/ab.x", "/db.x /a.x /abbx"),
    "/[!a]": ("/b", "/a"),
    "/users/:id": ("/users/:id", "/users/5"),
}


@pytest.mark.parametrize(("source", "yes", "no"), [(source, *paths) for source, paths in GLOBS.items()])
def test_a_glob_is_for_the_paths_that_firebase_documents(serve, source, yes, no):
    get = serve(rewrites=[{"source": source, "run": {"serviceId": "elsewhere"}}])
    assert {path: get(path)[0] for path in f"{yes} {no}".split()} == {
        **dict.fromkeys(yes.split(), 501),
        **dict.fromkeys(no.split(), 404),
    }


def test_a_regex_is_for_whole_paths(serve):
    get = serve(rewrites=[{"regex": "/foo(/.*)?", "run": {"serviceId": "elsewhere"}}])
    assert [get(path)[0] for path in ("/foo", "/foo/a", "/foobar", "/a/foo")] == [501, 501, 404, 404]


REDIRECTS = [
    ({"source": "/old", "destination": "/new"}, "/old", "/new"),
    ({"source": "/old", "destination": "/new"}, "/old/", "/new"),
    ({"source": "/old", "destination": "/new"}, "/old?a=b", "/new?a=b"),
    ({"source": "/old", "destination": "/new?x=y"}, "/old?a=b", "/new?x=y&a=b"),
    ({"source": "/blog/:post*", "destination": "/new/:post"}, "/blog/2026/a%20b", "/new/2026/a%20b"),
    ({"source": "/blog/:post*", "destination": "/new/:post*"}, "/blog/a", "/new/a"),
    ({"source": "/blog/:post*", "destination": "https://b.example:8080/:post"}, "/blog/a", "https://b.example:8080/a"),
    ({"source": "/users/:id/profile", "destination": "/u/:id/new"}, "/users/5/profile", "/u/5/new"),
    ({"source": "/:a/x/:b", "destination": "/?b=:b&a=:a"}, "/caf%C3%A9/x/1%3F2", "/?b=1%3F2&a=caf%C3%A9"),
    ({"regex": "/blog/(?P<post>.+)", "destination": "/new/:post"}, "/blog/a/b", "/new/a/b"),
    ({"regex": r"/users/(\d+)/profile", "destination": "/u/:1/new"}, "/users/5/profile", "/u/5/new"),
]


@pytest.mark.parametrize(("rule", "path", "location"), REDIRECTS)
def test_a_redirect_leads_to_what_it_captures(serve, rule, path, location):
    get = serve(redirects=[rule])
    assert get(path) == (301, location)
    assert get("/users/5/other")[0] == 404


def test_a_redirect_comes_before_a_file_and_has_its_own_status(serve):
    get = serve(["old.html"], redirects=[{"source": "/old.html", "destination": "/new", "type": 302}])
    assert get("/old.html") == (302, "/new")


FILES = ("index.html", "about.html", "shop/index.html", "style.css")
# What comes of each URL, by (cleanUrls, trailingSlash).
URLS = {
    (False, None): {
        "/": "index.html",
        "/about.html": "about.html",
        "/about": 404,
        "/shop": (301, "/shop/"),
        "/shop/": "shop/index.html",
        "/shop/index.html": "shop/index.html",
        "/style.css": "style.css",
    },
    (True, None): {
        "/": "index.html",
        "/about.html": (301, "/about"),
        "/about.html?a=b": (301, "/about?a=b"),
        "/about": "about.html",
        "/about/": 404,
        "/shop": "shop/index.html",
        "/shop/": "shop/index.html",
        "/shop/index.html": (301, "/shop"),
        "/shop/index": (301, "/shop"),
        "/index.html": (301, "/"),
        "/style.css": "style.css",
    },
    (True, False): {
        "/": "index.html",
        "/about.html": (301, "/about"),
        "/about/": (301, "/about"),
        "/about": "about.html",
        "/shop/": (301, "/shop"),
        "/shop": "shop/index.html",
    },
    (True, True): {
        "/": "index.html",
        "/about.html": (301, "/about/"),
        "/about": (301, "/about/"),
        "/about/": "about.html",
        "/shop": (301, "/shop/"),
        "/shop/index": (301, "/shop/"),
        "/shop/": "shop/index.html",
        "/style.css": "style.css",
    },
    (False, True): {"/about.html": "about.html", "/about": 404, "/shop": (301, "/shop/")},
    (False, False): {"/shop/": (301, "/shop"), "/shop": "shop/index.html", "/": "index.html"},
}


@pytest.mark.parametrize(("clean", "slash"), URLS)
def test_a_file_has_the_url_that_the_settings_give_it(serve, clean, slash):
    wanted = URLS[clean, slash]
    get = serve(FILES, cleanUrls=clean, **({} if slash is None else {"trailingSlash": slash}))
    found = {path: get(path) for path in wanted}
    assert {path: text if status == 200 else (status, text) for path, (status, text) in found.items()} == {
        path: (404, "Not Found") if what == 404 else what for path, what in wanted.items()
    }


def test_what_is_outside_of_the_site_is_not_there(serve, tmp_path):
    (tmp_path / "firebase.json").write_text("{}")
    get = serve(["404.html"])
    for path in ("/../firebase.json", "/%2e%2e/firebase.json", "//firebase.json", "/a%00b"):
        assert get(path) == (404, "404.html")


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"rewrites": "x"}, "hosting.rewrites must be a list of objects."),
        ({"rewrites": ["x"]}, "hosting.rewrites must be a list of objects."),
        ({"rewrites": [{"destination": "/a"}]}, "hosting.rewrites[0] needs a 'source' or a 'regex'."),
        (
            {"redirects": [{"regex": "(", "destination": "/a"}]},
            "hosting.redirects[0]: the pattern '(' is not valid: missing ), unterminated subpattern at position 0.",
        ),
        (
            {"rewrites": [{"source": "!(/a/**)", "destination": "/a"}]},
            "hosting.rewrites[0]: the pattern '!(/a/**)' has a ( where none can be: !/a/** negates without.",
        ),
        (
            {"rewrites": [{"source": "/@(a/b|c)", "destination": "/a"}]},
            "hosting.rewrites[0]: the pattern '/@(a/b|c)' has a \"/\" in a group, which is for one directory.",
        ),
        ({"redirects": [{"source": "/a"}]}, "hosting.redirects[0] needs a 'destination'."),
        (
            {"redirects": [{"source": "/a", "destination": "/b", "type": "301"}]},
            "hosting.redirects[0]: 'type' must be a status such as 301 or 302, not '301'.",
        ),
        (
            {"redirects": [{"source": "/blog/*", "destination": "/new/:post"}]},
            "hosting.redirects[0]: the destination names :post, which the source does not capture.",
        ),
    ],
)
def test_a_rule_that_is_not_understood_is_one_sentence(serve, tmp_path, settings, sentence):
    with pytest.raises(SuiteError) as caught:
        serve(**settings)
    assert str(caught.value) == f"{tmp_path}/firebase.json: {sentence}"


@pytest.fixture
def project(tmp_path):
    """The sample with Hosting; gives what sets its rewrites."""
    directory = copy_of_sample(tmp_path / "project")
    document = json.loads((directory / "firebase.json").read_text())

    def rewrite(*rules):
        document["hosting"] = {"public": "public", "rewrites": list(rules)}
        (directory / "firebase.json").write_text(json.dumps(document))
        return directory

    return rewrite


def test_of_the_cookies_a_function_gets_the_session_alone(project):
    region = "australia-southeast1"
    rules = (
        {"source": "/web", "function": "web"},
        {"source": "/run", "run": {"serviceId": "web", "region": region}},
        {"source": "/elsewhere", "run": {"serviceId": "web"}},  # of us-central1, where there is none
    )
    with running(project(*rules)) as suite:
        site = suite.services()["Hosting"]
        for path in ("/web", "/run"):
            for sent, seen in {
                "a=1; __session=x=y; b=2": "__session=x=y",
                "__session=x": "__session=x",
                "not__session=1; a=__session=2": None,
            }.items():
                answer = ask("GET", f"{site}{path}?q=1", headers={"Cookie": sent}).json()
                assert (answer["path"], answer["query"], answer["cookie"]) == (path, {"q": "1"}, seen)
        assert ask("GET", f"{site}/elsewhere").status == 404
        listed = ask("GET", f"{suite.services()['Hub']}/emulators").json()["hosting"]
        assert (listed["host"], listed["port"]) == (HOST, suite.ports.hosting)
        # Which only Hosting does.
        assert ask("GET", suite.function_url("web"), headers={"Cookie": "a=1"}).json()["cookie"] == "a=1"


def test_a_rewrite_to_a_function_that_is_not_there_names_its_place(project):
    directory = project({"source": "/a", "function": "web"}, {"source": "/b", "function": {"functionId": "nope"}})
    with pytest.raises(SuiteError) as caught, running(directory):
        pass
    assert str(caught.value).startswith(
        f"{directory}/firebase.json: hosting.rewrites[1]: There is no function 'nope'; there are: add, "
    )
