"""A `host` in firebase.json: the service is reachable there, for a phone or a container, and on the loopback interface.

127.0.0.2 stands for the address in the network: Linux has all of 127.0.0.0/8, so that nothing here leaves the machine.
"""

import json
import sys

import pytest
from google.auth.credentials import AnonymousCredentials
from google.cloud import firestore
from tests.suite.harness import copy_of_sample, http, running

from firesuite.errors import SuiteError
from firesuite.ports import Ports, hosts_beyond_loopback, listened_on
from firesuite.project import Project

OTHER = "127.0.0.2"


def test_only_other_hosts_than_loopback_are_named():
    emulators = {
        "auth": {"host": "127.0.0.1"},
        "hub": {"host": "localhost"},
        "firestore": {"host": "0.0.0.0"},
        "ui": {},
    }
    assert hosts_beyond_loopback(emulators) == {"firestore": "0.0.0.0"}
    assert listened_on("0.0.0.0") == ("0.0.0.0",)
    assert listened_on("192.168.1.5") == ("192.168.1.5", "127.0.0.1")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has 127.0.0.2 without being told")
def test_every_service_answers_at_its_host_and_on_loopback(tmp_path, monkeypatch):
    directory = copy_of_sample(tmp_path / "project")
    document = json.loads((directory / "firebase.json").read_text())
    served = ("auth", "firestore", "functions", "hub", "tasks", "ui", "fcm")
    document["emulators"] = {name: {"host": OTHER} for name in served}
    (directory / "firebase.json").write_text(json.dumps(document))
    with running(directory) as suite:
        ports = suite.ports
        for host in (OTHER, "127.0.0.1"):
            url = f"http://{host}:{ports.functions}/demo-sample/australia-southeast1/web"
            assert http("GET", url).json()["method"] == "GET"
            account = f"http://{host}:{ports.auth}/identitytoolkit.googleapis.com/v1/accounts:signUp?key=any"
            user = http("POST", account, {"returnSecureToken": True}).json()
            add = f"http://{host}:{ports.functions}/demo-sample/australia-southeast1/add"
            headers = {"Authorization": f"Bearer {user['idToken']}"}
            assert http("POST", add, {"data": {"a": 1, "b": 2}}, headers).json()["result"]["uid"] == user["localId"]
            assert http("GET", f"http://{host}:{ports.hub}/emulators").status == 200
            assert http("GET", f"http://{host}:{ports.fcm}/v1/projects/demo-sample/messages").json() == {"messages": []}
            documents = f"http://{host}:{ports.firestore}/v1/projects/demo-sample/databases/(default)/documents"
            assert http("GET", f"{documents}/secrets/a").status == 403
        monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", f"{OTHER}:{ports.firestore}")
        database = firestore.Client("demo-sample", credentials=AnonymousCredentials())
        database.document("orders/far").set({"n": 1})
        database.close()
        assert suite.control.await_idle()
        assert [seen.get("after") for seen in suite.database.collection("seen").stream()] == [{"n": 1}]


def test_a_host_that_is_not_this_machines_is_one_sentence(tmp_path):
    directory = copy_of_sample(tmp_path / "project")
    document = json.loads((directory / "firebase.json").read_text())
    document["emulators"] = {"firestore": {"host": "192.0.2.1"}}  # of no network: RFC 5737
    (directory / "firebase.json").write_text(json.dumps(document))
    ports = Ports.free()
    with pytest.raises(SuiteError) as caught, running(directory, ports=ports):
        pass
    assert (
        str(caught.value) == f"Firestore cannot listen on 192.0.2.1:{ports.firestore}: Cannot assign requested address."
    )


def test_a_host_that_is_no_text_is_one_sentence(tmp_path):
    directory = copy_of_sample(tmp_path / "project")
    (directory / "firebase.json").write_text('{"emulators": {"auth": {"host": 7}}}')
    with pytest.raises(
        SuiteError, match=r"firebase\.json: emulators\.auth\.host must be a host or an address, not 7\."
    ):
        Project.load(directory)
