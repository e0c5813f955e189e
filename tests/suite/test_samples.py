"""A function of each kind, in a project without a manifest: what is delivered, and what comes of it."""

import base64
import concurrent.futures
import datetime as dt
import itertools
import json
import re
import time
import uuid

import pytest
from tests.suite.harness import ROOT, Path, eventually, http, running

from firesuite.appcheck import AppCheck
from firesuite.errors import SuiteError

SAMPLES = Path(__file__).parent / "samples"
REGION = "australia-southeast1"
BUCKET = "demo-samples.appspot.com"


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    import shutil

    directory = tmp_path_factory.mktemp("samples") / "project"
    shutil.copytree(SAMPLES, directory, ignore=shutil.ignore_patterns("__pycache__"))
    (directory / "node_modules").symlink_to(ROOT / "node_modules")
    with running(directory) as suite:
        yield suite


@pytest.fixture
def seen(samples):
    """What one function saw in this test, oldest first."""
    before = {document.id for document in samples.database.collection("seen").stream()}

    def look(function, count=1):
        def found():
            documents = [d for d in samples.database.collection("seen").stream() if d.id not in before]
            mine = [d for d in documents if d.get("function") == function]
            assert len(mine) >= count, samples.lines.text("functions")[-2000:]
            return [d.to_dict() for d in sorted(mine, key=lambda d: d.create_time)]

        return eventually(found)

    return look


def sign_up(suite, email):
    url = f"http://{suite.environment['FIREBASE_AUTH_EMULATOR_HOST']}/identitytoolkit.googleapis.com/v1/accounts"
    return http("POST", f"{url}:signUp?key=any", {"email": email, "password": "secret", "returnSecureToken": True})


def claims_of(token):
    payload = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))


class TestHttps:
    def test_request_query_secret_and_cors(self, samples):
        answer = http("GET", samples.function_url("today") + "?format=%25d.%25m.", headers={"Origin": "https://a.b"})
        assert answer.text == "28.02.|s3cret"
        assert answer.headers["Access-Control-Allow-Origin"] == "https://a.b"

    def test_a_status_of_its_own(self, samples):
        assert http("PUT", samples.function_url("today")).status == 403


class TestCallable:
    def test_signed_in(self, samples, seen):
        token = sign_up(samples, f"{uuid.uuid4().hex}@acme.com").json()["idToken"]
        headers = {"Authorization": f"Bearer {token}"}
        answer = http("POST", samples.function_url("addtext"), {"data": {"text": "damn good"}}, headers)
        assert answer.json() == {"result": {"text": "**** good"}}
        assert seen("addtext")[0]["uid"] == claims_of(token)["sub"]

    def test_refused_with_code_and_details(self, samples):
        answer = http("POST", samples.function_url("addtext"), {"data": {"text": "x"}})
        assert (answer.status, answer.json()["error"]["status"]) == (400, "FAILED_PRECONDITION")
        token = sign_up(samples, f"{uuid.uuid4().hex}@acme.com").json()["idToken"]
        headers = {"Authorization": f"Bearer {token}"}
        error = http("POST", samples.function_url("addtext"), {"data": {}}, headers).json()["error"]
        assert error == {"status": "INVALID_ARGUMENT", "message": "text is empty", "details": {"field": "text"}}

    def test_a_mistake_is_internal_for_the_caller_and_a_traceback_with_its_request_for_the_developer(self, samples):
        answer = http("POST", samples.function_url("broken"), {"data": {"n": 5}})
        assert (answer.status, answer.json()["error"]["status"]) == (500, "INTERNAL")
        text = eventually(lambda: re.search(r"broken POST / 500 \d+ ms\n(?:  .*\n)*", samples.lines.text("functions")))[
            0
        ]
        assert "  request: POST /\n" in text
        assert '    body: {"data": {"n": 5}}\n' in text
        assert 'raise KeyError("a mistake in the code")' in text
        assert "site-packages/flask" not in text

    def test_app_check(self, samples):
        def call(token):
            headers = {"X-Firebase-AppCheck": token} if token else {}
            return http("POST", samples.function_url("guarded"), {"data": None}, headers)

        assert call(samples.app_check.token("1:2:web:3")).json() == {"result": {"app": "1:2:web:3"}}
        for refused in (
            None,
            "nonsense",
            samples.app_check.token("1:2:web:3", seconds=-60),
            AppCheck("demo-samples").token("1:2:web:3"),  # of another key
        ):
            assert call(refused).status == 401


class TestFirestore:
    def test_created_updated_deleted(self, samples, seen):
        message = samples.database.document(f"messages/{uuid.uuid4().hex}")
        message.set({"original": "hello"})
        eventually(lambda: message.get().to_dict().get("uppercase") == "HELLO!")
        [updated] = seen("onupdated")
        assert (updated["before"], updated["after"]["uppercase"]) == ({"original": "hello"}, "HELLO!")
        assert updated["params"] == {"pushId": message.id}
        message.delete()
        [deleted] = seen("ondeleted")
        assert deleted["data"] == {"original": "hello", "uppercase": "HELLO!"}
        assert deleted["project"] == "demo-samples"

    def test_with_auth_context_of_a_user_and_of_the_admin_sdk(self, samples, seen):
        token = sign_up(samples, f"{uuid.uuid4().hex}@acme.com").json()["idToken"]
        documents = f"{samples.services()['Firestore']}/v1/projects/demo-samples/databases/(default)/documents"
        body, headers = {"fields": {}}, {"Authorization": f"Bearer {token}"}
        assert http("POST", f"{documents}/posts?documentId=byuser", body, headers).status == 200
        samples.database.document("posts/byadmin").set({})
        by = {post["post"]: (post["auth_type"], post["auth_id"]) for post in seen("onpost", 2)}
        assert by["byuser"] == ("app_user", claims_of(token)["sub"])
        assert by["byadmin"][0] == "service_account"

    def test_of_another_database(self, samples, seen):
        documents = f"{samples.services()['Firestore']}/v1/projects/demo-samples/databases/archive/documents"
        body = {"fields": {"year": {"integerValue": "1999"}}}
        assert http("POST", f"{documents}/messages", body, {"Authorization": "Bearer owner"}).status == 200
        [archived] = seen("onarchived")
        assert archived["database"] == "archive"
        assert archived["data"] == {"year": 1999}


class TestSchedule:
    def test_app_engine_syntax_on_the_clock(self, samples, seen):
        samples.control.advance_clock(86_400)
        [run] = seen("accountcleanup")
        assert (run["time"].hour, run["time"].minute) == (0, 0)
        assert run["job"] == f"firebase-schedule-accountcleanup-{REGION}"


class TestTaskQueue:
    def enqueue(self, samples, **query):
        pairs = "&".join(f"{name}={value}" for name, value in query.items())
        answer = http("POST", f"{samples.function_url('enqueuebackup')}?{pairs}")
        assert answer.status == 200
        return answer.text

    def test_enqueued_by_firebase_admin_in_a_function_and_retried_after_its_back_off(self, samples, seen):
        name = self.enqueue(samples, day="monday", failures=2)
        attempts = seen("backup", 3)
        assert [attempt["retry"] for attempt in attempts] == [0, 1, 2]
        assert {attempt["name"] for attempt in attempts} == {name}
        gaps = [(later["at"] - earlier["at"]).total_seconds() for earlier, later in itertools.pairwise(attempts)]
        assert gaps[0] >= 0.9
        assert gaps[1] >= 1.9

    def test_given_up_after_max_attempts(self, samples, seen):
        self.enqueue(samples, day="never", failures=9)
        assert len(seen("backup", 3)) == 3
        assert samples.control.await_idle()
        assert len(seen("backup", 3)) == 3

    def test_put_off(self, samples, seen):
        before = time.time()
        self.enqueue(samples, day="later", delay=2)
        [task] = seen("backup")
        assert task["at"].timestamp() - before >= 1.5

    def test_put_off_for_long_it_runs_when_the_clock_is_moved_and_can_be_deleted(self, samples, seen):
        queue = f"projects/demo-samples/locations/{REGION}/queues/backup/tasks"
        url = f"http://{samples.environment['CLOUD_TASKS_EMULATOR_HOST']}/{queue}"
        body = base64.b64encode(b'{"data": {"day": "tomorrow", "failures": 0}}').decode()
        later = (dt.datetime.now(dt.UTC) + dt.timedelta(hours=20)).isoformat()
        request = {
            "httpRequest": {"body": body, "headers": {"Content-Type": "application/json"}},
            "scheduleTime": later,
        }
        for name in ("kept", "dropped"):
            assert http("POST", url, {"task": {**request, "name": f"{queue}/{name}"}}).status == 200
        again = http("POST", url, {"task": {**request, "name": f"{queue}/kept"}})
        assert again.status == 409
        assert http("DELETE", f"{url}/dropped").status == 200
        samples.control.advance_clock(3600)
        samples.control.advance_clock(20 * 3600)
        assert [task["name"] for task in seen("backup")] == ["kept"]


class TestBlocking:
    def test_a_sign_up_is_refused_with_the_functions_words(self, samples):
        answer = sign_up(samples, f"{uuid.uuid4().hex}@example.com")
        assert answer.status == 400
        assert answer.json()["error"]["message"].startswith("BLOCKING_FUNCTION_ERROR_RESPONSE")
        assert "Unauthorized email" in answer.json()["error"]["message"]

    def test_a_user_is_changed_and_his_token_has_the_claims(self, samples, seen):
        answer = sign_up(samples, f"{uuid.uuid4().hex}@acme.com").json()
        assert answer["displayName"] == "New Hire"
        claims = claims_of(answer["idToken"])
        assert claims["staff"] is True
        assert claims["shift"] == "night"
        assert seen("signedinuser")[0]["email"] == answer["email"]

    def test_a_refused_sign_in(self, samples):
        answer = sign_up(samples, "left@acme.com")
        assert answer.status == 400
        assert "has left" in answer.json()["error"]["message"]

    def test_a_refusal_is_no_mistake_in_what_delivers_it(self, samples):
        sign_up(samples, f"{uuid.uuid4().hex}@example.com")
        eventually(lambda: "error createduser: Unauthorized email" in samples.lines.text("fireemu"))
        assert "index.js" not in samples.lines.text("fireemu")


class TestPubSub:
    def test_a_published_message(self, samples, seen):
        topic = f"http://{samples.environment['PUBSUB_EMULATOR_HOST']}/v1/projects/demo-samples/topics/topic-name"
        data = base64.b64encode(b'{"name": "Alice"}').decode()
        answer = http("POST", f"{topic}:publish", {"messages": [{"data": data, "attributes": {"kind": "greeting"}}]})
        [event] = seen("hellopubsub")
        assert event["json"] == {"name": "Alice"}
        assert event["attributes"] == {"kind": "greeting"}
        assert event["id"] == answer.json()["messageIds"][0]
        assert event["source"] == "//pubsub.googleapis.com/projects/demo-samples/topics/topic-name"
        assert event["type"] == "google.cloud.pubsub.topic.v1.messagePublished"

    def test_one_that_is_sent_by_hand(self, samples, seen):
        samples.send_event("hellopubsub", {"name": "Bob"}, kind="by hand")
        [event] = seen("hellopubsub")
        assert (event["json"], event["attributes"]) == ({"name": "Bob"}, {"kind": "by hand"})
        assert event["source"] == "//pubsub.googleapis.com/projects/demo-samples/topics/topic-name"


class TestStorage:
    def test_finalized_metadata_deleted(self, samples, seen):
        from google.auth.credentials import AnonymousCredentials
        from google.cloud import storage

        options = {"api_endpoint": samples.environment["STORAGE_EMULATOR_HOST"]}
        client = storage.Client("demo-samples", credentials=AnonymousCredentials(), client_options=options)
        try:
            blob = client.bucket(BUCKET).blob("pics/a.png")
            blob.upload_from_string(b"12345", content_type="image/png")
            [made] = seen("generatethumbnail")
            assert (made["bucket"], made["name"], made["type"], made["size"]) == (BUCKET, "pics/a.png", "image/png", 5)
            assert made["subject"] == "objects/pics/a.png"
            assert made["source"] == f"//storage.googleapis.com/projects/_/buckets/{BUCKET}"
            # Not by blob.patch(): neither fireemu nor Google's emulator changes an object by that route (501).
            url = f"http://{samples.environment['FIREBASE_STORAGE_EMULATOR_HOST']}/v0/b/{BUCKET}/o/pics%2Fa.png"
            http("PATCH", url, {"metadata": {"colour": "red"}}, {"Authorization": "Bearer owner"})
            assert seen("onmetadata")[0]["metadata"] == {"colour": "red"}
            blob.delete()
            assert seen("ondeletedobject") == [{"function": "ondeletedobject", "name": "pics/a.png"}]
        finally:
            client.close()


class TestEventarc:
    def event(self, **attributes):
        return {
            "@type": "type.googleapis.com/io.cloudevents.v1.CloudEvent",
            "id": uuid.uuid4().hex,
            "source": "//resizer",
            "specVersion": "1.0",
            "type": "com.example.image.resized",
            "attributes": {
                "subject": {"ceString": "pics/a.png"},
                "datacontenttype": {"ceString": "application/json"},
                "time": {"ceTimestamp": "2026-11-01T00:00:00.123Z"},
                **{name: {"ceString": value} for name, value in attributes.items()},
            },
            "textData": '{"width": 64}',
        }

    def test_a_custom_event_that_passes_the_filter(self, samples, seen):
        channel = "projects/demo-samples/locations/us-central1/channels/firebase"
        url = f"{samples.environment['CLOUD_EVENTARC_EMULATOR_HOST']}/{channel}:publishEvents"
        assert http("POST", url, {"events": [self.event(size="large"), self.event(size="small")]}).status == 200
        assert samples.control.await_idle()
        [event] = seen("onimageresized")
        assert event["data"] == {"width": 64}
        assert event["subject"] == "pics/a.png"
        assert event["source"] == "//resizer"

    def test_an_alert(self, samples, seen):
        issue = {"id": "i1", "title": "Crash in main", "subtitle": "", "appVersion": "2.0"}
        moment = "2026-11-01T00:00:00.123Z"
        alert = {
            "specversion": "1.0",
            "type": "google.firebase.firebasealerts.alerts.v1.published",
            "source": "//firebasealerts.googleapis.com/projects/123",
            "id": "a1",
            "time": moment,
            "alerttype": "crashlytics.newFatalIssue",
            "appid": "1:2:ios:3",
            "datacontenttype": "application/json",
            "data": {"createTime": moment, "endTime": moment, "payload": {"@type": "any", "issue": issue}},
        }
        url = f"{samples.environment['CLOUD_EVENTARC_EMULATOR_HOST']}/google/publishEvents"
        assert http("POST", url, {"events": [alert]}).status == 200
        [event] = seen("onfatal")
        assert (event["title"], event["app"], event["alert"]) == (
            "Crash in main",
            "1:2:ios:3",
            "crashlytics.newFatalIssue",
        )


class TestWhatNothingHereSends:
    """Functions of products that fireemu does not have: their events are sent by hand."""

    def test_realtime_database(self, samples, seen):
        data = {"data": {"text": "a"}, "delta": {"text": "b"}}
        samples.send_event("onwritten", data, ref="messages/m1/original")
        [event] = seen("onwritten")
        assert (event["before"], event["after"]) == ({"text": "a"}, {"text": "b"})
        assert (event["params"], event["instance"]) == ({"pushId": "m1"}, "demo-samples-default-rtdb")

    def test_what_its_pattern_leaves_open_has_to_be_said(self, samples):
        with pytest.raises(SuiteError, match=r"onwritten waits for ref messages/\{pushId\}/original: say which"):
            samples.send_event("onwritten", {"data": None, "delta": "b"})

    def test_remote_config(self, samples, seen):
        user = {"name": "Alice", "email": "alice@example.com", "imageUrl": ""}
        samples.send_event(
            "onconfig",
            {
                "versionNumber": 7,
                "updateTime": "2026-11-01T00:00:00.123Z",
                "updateUser": user,
                "description": "",
                "updateOrigin": "CONSOLE",
                "updateType": "INCREMENTAL_UPDATE",
            },
        )
        assert seen("onconfig") == [{"function": "onconfig", "version": 7, "by": "alice@example.com"}]

    @pytest.mark.parametrize("state", ["FINISHED", "ERROR"])
    def test_test_lab_and_a_failure_is_told(self, samples, seen, state):
        matrix = {
            "createTime": "2026-11-01T00:00:00.123Z",
            "state": state,
            "outcomeSummary": "SUCCESS",
            "resultStorage": {"toolResultsHistory": "h", "resultsUri": "u", "gcsPath": "p"},
            "clientInfo": {"client": "gcloud"},
            "testMatrixId": "m1",
        }
        if state == "ERROR":
            with pytest.raises(SuiteError, match="onmatrix answered HTTP 500"):
                samples.send_event("onmatrix", matrix)
        else:
            samples.send_event("onmatrix", matrix)
            assert seen("onmatrix")[0]["matrix"] == "m1"

    def test_what_starts_otherwise_is_refused(self, samples):
        with pytest.raises(SuiteError, match="makeuppercase is started by a write: write the document"):
            samples.send_event("makeuppercase", {})
        with pytest.raises(SuiteError, match="today is not started by events: it is of kind https"):
            samples.send_event("today", {})


def test_the_line_of_an_invocation_has_its_cost(samples, seen):
    token = sign_up(samples, f"{uuid.uuid4().hex}@acme.com").json()["idToken"]
    http("POST", samples.function_url("addtext"), {"data": {"text": "x"}}, {"Authorization": f"Bearer {token}"})
    eventually(lambda: re.search(r"addtext POST / 200 \d+ ms, 1 write$", samples.lines.text("functions"), re.MULTILINE))


def test_max_concurrent_dispatches_is_kept(samples, seen):
    """Two at a time, of ten that are enqueued at once."""
    with concurrent.futures.ThreadPoolExecutor(5) as pool:
        urls = [f"{samples.function_url('enqueuebackup')}?day=d{n}&seconds=0.1" for n in range(10)]
        assert {answer.status for answer in pool.map(lambda url: http("POST", url), urls)} == {200}
    spans = [(task["at"], task["until"]) for task in seen("backup", 10)]
    assert max(sum(start <= at < end for start, end in spans) for at, _ in spans) == 2
