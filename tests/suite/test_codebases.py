"""Several codebases, functions found without a manifest, parameters, and Hosting in front."""

import concurrent.futures
import json
import re
import shutil
import socket
import time

import pytest
from tests.suite.harness import copy_of_sample, eventually, http, needs_private_home, running

from firesuite.errors import SuiteError
from firesuite.ports import HOST
from firesuite.project import Project

DELIVERED = "Events are delivered as the functions say now"
"""What is said once a save with other triggers is in force."""

SECOND = """\
import os
import time

from firebase_functions import firestore_fn, https_fn, options, params

SIZE = params.StringParam("SIZE", default="small")
ZONE = params.StringParam("ZONE")


@https_fn.on_request(
    concurrency=SIZE.equals("large").then(20, 2), region=ZONE, timeout_sec=params.IntParam("SECONDS", default=30)
)
def shop(request: https_fn.Request) -> https_fn.Response:
    host = request.headers.get("X-Forwarded-Host")
    started = time.monotonic()
    time.sleep(float(request.args.get("seconds", 0)))
    span = (started, time.monotonic())
    return {"path": request.path, "size": SIZE.value, "host": host, "pid": os.getpid(), "span": span}


@firestore_fn.on_document_created(document="carts/{id}", region="europe-west1")
def oncart(event: firestore_fn.Event) -> None:
    event.data.reference.update({"seenBy": os.getpid()})
"""


@pytest.fixture
def project(tmp_path):
    directory = copy_of_sample(tmp_path / "project")
    shop = directory / "shop"
    shop.mkdir()
    (shop / "main.py").write_text(SECOND)
    (shop / ".env").write_text("ZONE=europe-west1\nSIZE=large\n")
    document = json.loads((directory / "firebase.json").read_text())
    document["functions"].append({"source": "shop", "codebase": "shop", "runtime": "python311"})
    document["hosting"] = {
        "public": "public",
        "cleanUrls": True,
        "redirects": [{"source": "/old", "destination": "/new", "type": 302}],
        "rewrites": [
            {"source": "/api/**", "function": "shop"},
            {"source": "/web{,/**}", "function": {"functionId": "web", "region": "australia-southeast1"}},
            {"source": "**", "destination": "/index.html"},
        ],
    }
    (directory / "firebase.json").write_text(json.dumps(document))
    (directory / "public").mkdir()
    (directory / "public" / "index.html").write_text("<h1>home</h1>")
    (directory / "public" / "about.html").write_text("<h1>about</h1>")
    return directory


def test_without_a_manifest_the_functions_are_found_and_their_parameters_resolved(project):
    shop = Project.load(project).manifest.endpoint("shop")
    assert shop.regions == ("europe-west1",)
    assert shop.concurrency == 20
    assert shop.timeout_seconds == 30


def test_a_parameter_without_a_value_that_an_endpoint_needs_is_one_sentence(project):
    (project / "shop" / ".env").unlink()
    with pytest.raises(
        SuiteError, match=r"the parameter ZONE has no value\. Add ZONE=\.\.\. to \.env\.local beside it"
    ):
        Project.load(project)


def test_a_parameter_of_the_wrong_type_is_one_sentence(project):
    (project / "shop" / ".env").write_text("ZONE=europe-west1\nSECONDS=soon\n")
    with pytest.raises(SuiteError, match=r"The parameter SECONDS is of type int, and 'soon' is not\."):
        Project.load(project)


def test_both_codebases_answer_on_one_port_get_their_events_and_are_reachable_by_hosting(project):
    with running(project) as suite:
        shop = http("GET", suite.function_url("shop") + "/a?b=1").json()
        web = http("GET", suite.function_url("web") + "/a%20b?b=1").json()
        assert shop["path"] == "/a"
        assert shop["size"] == "large"
        assert web["path"] == "/a b"
        assert web["query"] == {"b": "1"}
        assert shop["pid"] != web["pid"]
        assert http("GET", suite.function_url("shop").replace("/shop", "/none")).status == 404

        cart = suite.database.document("carts/c1")
        cart.set({})
        assert suite.control.await_idle()
        assert eventually(lambda: cart.get().to_dict().get("seenBy")) == shop["pid"]

        site = suite.services()["Hosting"]
        assert http("GET", f"{site}/api/x").json()["path"] == "/api/x"
        assert http("GET", f"{site}/api/x").json()["host"] == site.removeprefix("http://")
        assert http("GET", f"{site}/web/deep").json()["path"] == "/web/deep"
        assert http("GET", f"{site}/").text == http("GET", f"{site}/anything").text == "<h1>home</h1>"
        assert http("GET", f"{site}/about").text == "<h1>about</h1>"
        assert http("GET", f"{site}/%2e%2e/firebase.json").text == "<h1>home</h1>"


NODE = """
const { onRequest } = require('firebase-functions/v2/https');
const { onDocumentCreated } = require('firebase-functions/v2/firestore');
exports.nodeweb = onRequest({ region: 'europe-west1' }, (request, response) => response.json({ path: request.path }));
exports.nodeevent = onDocumentCreated({ document: 'fromnode/{id}', region: 'europe-west1' }, async (event) => {
  console.log(`nodeevent saw ${event.params.id}`);
});
"""


def test_a_node_codebase_runs_beside_the_python_ones(project):
    node = project / "nodejs"
    node.mkdir()
    (node / "index.js").write_text(NODE)
    package = {"main": "index.js", "engines": {"node": "20"}, "dependencies": {"firebase-functions": "*"}}
    (node / "package.json").write_text(json.dumps(package))
    document = json.loads((project / "firebase.json").read_text())
    # Without a runtime, as most Node projects have it: package.json says which.
    document["functions"] = [*document["functions"][1:], {"source": "nodejs", "codebase": "nodejs"}]
    function = {"functionId": "nodeweb", "region": "europe-west1"}
    document["hosting"]["rewrites"] = [{"source": "/node", "function": function}]
    (project / "firebase.json").write_text(json.dumps(document))
    with running(project) as suite:
        url = suite.function_url("shop")
        assert http("GET", url).json()["size"] == "large"
        assert http("GET", url.replace("/shop", "/nodeweb/a")).json() == {"path": "/a"}
        assert http("GET", f"{suite.services()['Hosting']}/node").json() == {"path": "/node"}
        assert http("GET", url.replace("/shop", "/none")).status == 404
        suite.database.document("fromnode/n1").set({})
        suite.database.document("carts/c1").set({})
        assert suite.control.await_idle()
        eventually(lambda: "nodeevent saw n1" in suite.lines.text("fireemu"))
        eventually(lambda: "seenBy" in suite.database.document("carts/c1").get().to_dict())


@pytest.fixture
def shop(project):
    """The codebase without a manifest, alone in its project."""
    document = json.loads((project / "firebase.json").read_text())
    document["functions"] = document["functions"][1:]
    document["hosting"]["rewrites"] = []
    (project / "firebase.json").write_text(json.dumps(document))
    shutil.rmtree(project / "functions")
    return project


def test_a_codebase_without_a_manifest_is_served_alone_and_reloaded(shop):
    main = shop / "shop" / "main.py"
    with running(shop, watch=True) as suite:
        assert http("GET", suite.function_url("shop")).json()["size"] == "large"
        assert "oncart and 1 more: of 80 requests at a time, 76 will wait for a thread, here as when deployed." in (
            suite.lines.text("firesuite")
        )
        with concurrent.futures.ThreadPoolExecutor(12) as pool:
            url = suite.function_url("shop") + "?seconds=0.2"
            spans = [answer.json()["span"] for answer in pool.map(lambda _: http("GET", url), range(12))]
        assert max(sum(start <= at < end for start, end in spans) for at, _ in spans) == 4
        main.write_text(main.read_text().replace('"size": SIZE.value', '"size": "new"'))
        eventually(lambda: http("GET", suite.function_url("shop")).json()["size"] == "new")


MORE = """

@firestore_fn.on_document_created(document="extras/{id}", region="europe-west1")
def onextra(event: firestore_fn.Event) -> None:
    event.data.reference.update({"seen": True})


@https_fn.on_request(region=ZONE)
def more(request: https_fn.Request) -> https_fn.Response:
    return https_fn.Response("more")
"""


@needs_private_home
def test_a_trigger_that_is_added_is_delivered_after_the_save_and_nothing_is_lost(shop):
    main = shop / "shop" / "main.py"
    text = main.read_text()
    with running(shop, watch=True) as suite:
        suite.database.document("kept/a").set({"n": 1})
        account = f"{suite.services()['Auth']}/identitytoolkit.googleapis.com/v1/accounts"
        who = {"email": "a@example.com", "password": "secret", "returnSecureToken": True}
        user = http("POST", f"{account}:signUp?key=any", who).json()

        restarts = []
        suite.on_restart = lambda: restarts.append(suite.function_url("more"))
        main.write_text(text + MORE)
        eventually(lambda: DELIVERED in suite.lines.text("firesuite"))
        assert http("GET", suite.function_url("more")).text == "more"
        eventually(lambda: restarts == [suite.function_url("more")])
        extra = suite.database.document("extras/a")
        extra.set({})
        eventually(lambda: extra.get().to_dict() == {"seen": True})
        suite.database.document("carts/a").set({})
        eventually(lambda: "seenBy" in suite.database.document("carts/a").get().to_dict())

        assert suite.database.document("kept/a").get().to_dict() == {"n": 1}
        known = http("POST", f"{account}:lookup?key=any", {"idToken": user["idToken"]}).json()
        assert [found["email"] for found in known["users"]] == ["a@example.com"]

        main.write_text(text)  # and without it there is nothing to deliver to
        eventually(lambda: suite.lines.text("firesuite").count(DELIVERED) == 2)
        assert set(suite.control.functions().functions) == {"oncart"}
        suite.check()


@needs_private_home
def test_a_first_trigger_that_lacks_what_delivers_it_costs_nothing_and_the_next_save_tries_again(shop):
    """fireemu was stopped before it was seen that it could not be started: Firestore, Auth and the data were gone."""
    main = shop / "shop" / "main.py"
    text = main.read_text()
    main.write_text(text[: text.index("@firestore_fn")])
    modules = shop / "node_modules"
    installed = modules.readlink()
    modules.unlink()
    modules.mkdir()
    (modules / "@fireemu").symlink_to(installed / "@fireemu")
    with running(shop, watch=True) as suite:
        suite.database.document("kept/a").set({"n": 1})
        main.write_text(text)
        eventually(lambda: f"firebase-functions is not installed in {shop}" in suite.lines.text("firesuite"))
        assert suite.database.document("kept/a").get().to_dict() == {"n": 1}
        (modules / "@fireemu").unlink()
        modules.rmdir()
        modules.symlink_to(installed)
        main.write_text(f"{text}\n")
        eventually(lambda: DELIVERED in suite.lines.text("firesuite"))
        suite.database.document("carts/a").set({})
        eventually(lambda: "seenBy" in suite.database.document("carts/a").get().to_dict())
        assert suite.database.document("kept/a").get().to_dict() == {"n": 1}


@needs_private_home
def test_a_trigger_that_comes_while_the_rules_are_gone_waits_for_them_and_the_others_go_on(shop, monkeypatch):
    monkeypatch.setattr("firesuite.suite._EVENTS_GONE_SECONDS", 0.5)
    main, rules = shop / "shop" / "main.py", shop / "firestore.rules"
    text = main.read_text()
    with running(shop, watch=True) as suite:
        moved = rules.rename(shop / "moved.rules")
        main.write_text(text + MORE)
        eventually(lambda: f"firestore.rules names {rules}, which is not there." in suite.lines.text("firesuite"))
        # Not to wait for something: a look each second must not take what is not there yet for what has ended.
        for _ in range(5):
            time.sleep(0.5)
            suite.check()
        cart = suite.database.document("carts/a")
        cart.set({})
        eventually(lambda: "seenBy" in cart.get().to_dict())
        moved.rename(rules)
        main.write_text(f"{text}{MORE}\n")
        eventually(lambda: DELIVERED in suite.lines.text("firesuite"))
        extra = suite.database.document("extras/a")
        extra.set({})
        eventually(lambda: extra.get().to_dict() == {"seen": True})
        assert "seenBy" in cart.get().to_dict()


STORAGE = """

from firebase_functions import pubsub_fn, storage_fn


@storage_fn.on_object_finalized(region="us-central1")
def onfile(event: storage_fn.CloudEvent) -> None:
    print("saw", event.data.name, flush=True)


@pubsub_fn.on_message_published(topic="news", region="europe-west1")
def onnews(event: pubsub_fn.CloudEvent) -> None:
    print("read", event.data.message.data, flush=True)


@https_fn.on_request(region="europe-west1")
def addresses(request: https_fn.Request) -> https_fn.Response:
    return {name: value for name, value in os.environ.items() if "EMULATOR_HOST" in name}
"""
OTHER = """\
import os

from firebase_functions import https_fn


@https_fn.on_request()
def other(request: https_fn.Request) -> https_fn.Response:
    return os.environ.get("STORAGE_EMULATOR_HOST", "Google's own")
"""


@needs_private_home
@pytest.mark.parametrize("cold", [False, True])
def test_functions_find_the_services_that_a_save_has_started(project, cold):
    """They kept the addresses of the suite's start, and so wrote to Google's Storage."""
    main = project / "shop" / "main.py"
    text = main.read_text()
    (project / "functions" / "functions.yaml").unlink()
    (project / "functions" / "main.py").write_text(OTHER)
    document = json.loads((project / "firebase.json").read_text())
    del document["hosting"]
    (project / "firebase.json").write_text(json.dumps(document))
    with running(project, watch=True, cold=cold) as suite:
        assert http("GET", suite.function_url("other")).text == "Google's own"
        with socket.create_server((HOST, suite.ports.storage)):
            main.write_text(text + STORAGE)
            taken = f"Port {suite.ports.storage} for Storage is taken by another program"
            eventually(lambda: taken in suite.lines.text("firesuite"))
        suite.check()
        main.write_text(f"{text}{STORAGE}\n")
        eventually(lambda: DELIVERED in suite.lines.text("firesuite"))
        found = http("GET", suite.function_url("addresses")).json()
        assert found == {name: value for name, value in suite.environment.items() if name in found}
        assert {"STORAGE_EMULATOR_HOST", "FIREBASE_STORAGE_EMULATOR_HOST", "PUBSUB_EMULATOR_HOST"} <= found.keys()
        assert http("GET", suite.function_url("other")).text == suite.environment["STORAGE_EMULATOR_HOST"]


WRITTEN = """

@firestore_fn.on_document_written(document="kept/{id}", region="europe-west1", database="archive")
def onkept(event: firestore_fn.Event) -> None:
    pass
"""


@needs_private_home
def test_references_lead_to_their_own_database_after_such_a_save_and_nobody_hears_of_it(shop):
    document = json.loads((shop / "firebase.json").read_text())
    document["firestore"] = [
        {**document["firestore"], "database": name} for name in ("(default)", "archive", "never-used")
    ]
    (shop / "firebase.json").write_text(json.dumps(document))
    main = shop / "shop" / "main.py"
    text = main.read_text()
    main.write_text(text + WRITTEN)
    fields = {
        "plain": {"stringValue": "projects/demo-sample/databases/archive/documents/a/b"},
        **{
            name: {"referenceValue": f"projects/demo-sample/databases/{name}/documents/a/b"}
            for name in ("(default)", "archive")
        },
        "deep": {
            "arrayValue": {"values": [{"referenceValue": "projects/demo-sample/databases/archive/documents/a/b/c/d"}]}
        },
    }
    with running(shop, watch=True) as suite:
        paths = [
            f"{suite.services()['Firestore']}/v1/projects/demo-sample/databases/{name}/documents/kept/a/below/b"
            for name in ("(default)", "archive")
        ]
        paths += [path.replace("/below/b", "") for path in paths]
        owner = {"Authorization": "Bearer owner"}
        for path in paths:
            assert http("PATCH", path, {"fields": fields}, owner).status == 200
        assert suite.control.await_idle()
        main.write_text(text + WRITTEN + MORE)
        eventually(lambda: DELIVERED in suite.lines.text("firesuite"))
        assert [http("GET", path, headers=owner).json()["fields"] for path in paths] == [fields] * 4
        assert http("PATCH", paths[-1], {"fields": {}}, owner).status == 200
        assert suite.control.await_idle()
        # Which is 500: Google's Python client reads no reference to another database than its own.
        eventually(lambda: suite.lines.text("functions").count("onkept event") == 2)
        main.write_text(text[: text.index("@firestore_fn")])  # now nothing is delivered
        eventually(lambda: suite.lines.text("firesuite").count(DELIVERED) == 2)
        assert [http("GET", path, headers=owner).json()["fields"] for path in paths[:-1]] == [fields] * 3


WITHOUT_VALUE = """

NAME = params.StringParam("NAME")
TOKEN = params.SecretParam("TOKEN")
"""

PRIVATE = """

@https_fn.on_request(secrets=[TOKEN, "KEY"])
def {name}(request: https_fn.Request) -> https_fn.Response:
    return https_fn.Response("")
"""


def test_what_has_no_value_is_told_at_the_start_and_when_it_comes(shop):
    main, text = shop / "shop" / "main.py", (shop / "shop" / "main.py").read_text()

    def told(suite):
        return re.findall(r"(\w+) has no value.* add \1=\.\.\. to (.+)\.", suite.lines.text("firesuite"))

    files = {"NAME": ".env.local", "TOKEN": ".secret.local", "KEY": ".secret.local"}
    wanted = [(name, f"{shop}/shop/{file}") for name, file in files.items()]
    with running(shop, watch=True) as suite:
        assert told(suite) == []
        main.write_text(text + WITHOUT_VALUE + PRIVATE.format(name="first"))
        eventually(lambda: told(suite) == wanted)
        main.write_text(main.read_text() + PRIVATE.format(name="second"))
        second = suite.function_url("shop").replace("/europe-west1/shop", "/us-central1/second")
        eventually(lambda: http("GET", second).status == 200)
        assert told(suite) == wanted
    (shop / "shop" / ".secret.local").write_text("TOKEN=t\n")
    with running(shop) as suite:
        assert told(suite) == [wanted[0], wanted[2]]


def test_code_that_does_not_import_is_told_once_and_keeps_what_is_delivered(shop):
    main = shop / "shop" / "main.py"
    text = main.read_text()
    with running(shop, watch=True) as suite:
        main.write_text(f"{text}\nnowhere()\n")
        eventually(lambda: http("GET", suite.function_url("shop")).status == 500)
        main.write_text(text)
        eventually(lambda: http("GET", suite.function_url("shop")).status == 200)
        assert suite.lines.text().count("NameError: name 'nowhere' is not defined\nTraceback") == 1
        assert set(suite.control.functions().functions) == {"oncart"}


@needs_private_home
def test_code_that_did_not_import_at_the_start_is_served_and_delivered_to_once_it_does(project):
    main = project / "shop" / "main.py"
    text = main.read_text()
    main.write_text(f"{text}\nnowhere()\n")
    with running(project, watch=True) as suite:
        assert f"{main} has no functions until a save mends it." in suite.lines.text("firesuite")
        assert http("GET", suite.function_url("web")).status == 200  # of the other codebase
        site = suite.services()["Hosting"]
        assert http("GET", f"{site}/api/x").status == 404
        main.write_text(text)
        eventually(lambda: DELIVERED in suite.lines.text("firesuite"))
        assert http("GET", f"{site}/api/x").json()["path"] == "/api/x"
        cart = suite.database.document("carts/a")
        cart.set({})
        eventually(lambda: "seenBy" in cart.get().to_dict())


MOVING = """\
from firebase_functions import firestore_fn, https_fn, options, tasks_fn

options.set_global_options(region="us-east1")


@https_fn.on_request()
def web(request: https_fn.Request) -> https_fn.Response:
    return https_fn.Response("moved with me")


@https_fn.on_request(region="europe-west1")
def stays(request: https_fn.Request) -> https_fn.Response:
    return https_fn.Response("here")


@tasks_fn.on_task_dispatched()
def work(request: tasks_fn.CallableRequest) -> None:
    print("worked", flush=True)


@firestore_fn.on_document_created(document="carts/{id}")
def oncart(event: firestore_fn.Event) -> None:
    print("saw a cart", flush=True)
"""


@needs_private_home
def test_functions_that_are_saved_with_another_region_answer_and_are_delivered_to_there(tmp_path):
    directory = copy_of_sample(tmp_path / "project")
    (directory / "functions" / "functions.yaml").unlink()
    main = directory / "functions" / "main.py"
    main.write_text(MOVING)
    document = json.loads((directory / "firebase.json").read_text())
    document["hosting"] = {"public": "public", "rewrites": [{"source": "**", "function": "web"}]}
    (directory / "firebase.json").write_text(json.dumps(document))
    with running(directory, watch=True) as suite:
        before = {name: suite.function_url(name) for name in ("web", "stays")}
        assert "/us-east1/" in before["web"]
        main.write_text(MOVING.replace("us-east1", "asia-east1"))
        now = before["web"].replace("us-east1", "asia-east1")
        eventually(lambda: DELIVERED in suite.lines.text("firesuite"))
        assert http("GET", now).text == "moved with me"
        assert http("GET", before["web"]).status == 404
        assert http("GET", before["stays"]).text == "here"
        told = suite.lines.text("firesuite")
        assert f"web is at {now}." in told
        assert "stays is at" not in told
        assert {f["name"]: f["regions"] for f in suite.status()["functions"]}["work"] == ("asia-east1",)
        assert http("GET", f"{suite.services()['Hosting']}/anything").text == "moved with me"
        queue = f"/projects/{suite.project.project_id}/locations/asia-east1/queues/work/tasks"
        body = {"task": {"httpRequest": {"body": "eyJkYXRhIjp7fX0=", "headers": {"Content-Type": "application/json"}}}}
        tasks = f"http://{suite.environment['CLOUD_TASKS_EMULATOR_HOST']}{queue}"
        assert http("POST", tasks, body).status == 200
        assert http("POST", tasks.replace("asia-east1", "us-east1"), body).status == 404
        suite.database.document("carts/a").create({})
        eventually(lambda: {"worked", "saw a cart"} <= set(suite.lines.text("functions").splitlines()))


def test_a_manifest_with_another_region_than_the_code_is_told(tmp_path):
    directory = copy_of_sample(tmp_path / "project")
    main = directory / "functions" / "main.py"
    main.write_text(main.read_text().replace("REGION, concurrency=20", '"us-east1", concurrency=20'))
    with running(directory) as suite:
        assert "functions.yaml has web in australia-southeast1, main.py in us-east1: generate it again" in (
            suite.lines.text("functions")
        )
