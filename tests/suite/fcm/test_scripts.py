import time

import pytest
import requests

FCM = "type.googleapis.com/google.firebase.fcm.v1.FcmError"

CODES = [
    ("UNREGISTERED", 404, "NOT_FOUND", None),
    ("SENDER_ID_MISMATCH", 403, "PERMISSION_DENIED", None),
    ("QUOTA_EXCEEDED", 429, "RESOURCE_EXHAUSTED", "1"),
    ("UNAVAILABLE", 503, "UNAVAILABLE", "1"),
    ("INTERNAL", 500, "INTERNAL", None),
    ("THIRD_PARTY_AUTH_ERROR", 401, "UNAUTHENTICATED", None),
    ("UNSPECIFIED_ERROR", 500, "UNKNOWN", None),
]


@pytest.mark.parametrize(("code", "http_status", "status", "retry_after"), CODES)
def test_a_scripted_target_fails_as_fcm_fails(sink, code, http_status, status, retry_after):
    sink.script("a", error=code)
    response = sink.post({"message": {"fid": "a"}})
    error = response.json()["error"]
    assert response.status_code == error["code"] == http_status
    assert error["status"] == status
    assert {"@type": FCM, "errorCode": code} in error["details"]
    assert response.headers.get("Retry-After") == retry_after
    assert sink.messages() == []
    sink.send(fid="b")


def test_an_exceeded_quota_says_which(sink):
    sink.script("a", error="QUOTA_EXCEEDED", retryAfter=120)
    response = sink.post({"message": {"fid": "a"}})
    failure = response.json()["error"]["details"][1]
    assert response.headers["Retry-After"] == "120"
    assert failure["@type"] == "type.googleapis.com/google.rpc.QuotaFailure"
    assert failure["violations"][0]["subject"] == f"project:{sink.project_id}"


def test_retry_after_can_be_left_out(sink):
    sink.script("a", error="UNAVAILABLE", retryAfter=None)
    assert "Retry-After" not in sink.post({"message": {"fid": "a"}}).headers


@pytest.mark.parametrize("kind", ["fid", "token"])
def test_a_targets_own_invalid_argument_blames_the_target(sink, kind):
    sink.script("a", error="INVALID_ARGUMENT")
    details = sink.post({"message": {kind: "a"}}).json()["error"]["details"]
    assert details[0] == {"@type": FCM, "errorCode": "INVALID_ARGUMENT"}
    assert details[1]["fieldViolations"][0]["field"] == f"message.{kind}"


def test_it_can_blame_the_target_in_its_message_only(sink):
    sink.script("a", error="INVALID_ARGUMENT", blame=False)
    error = sink.post({"message": {"token": "a"}}).json()["error"]
    assert error["details"] == [{"@type": FCM, "errorCode": "INVALID_ARGUMENT"}]
    assert error["message"] == "The registration token is not a valid FCM registration token"


def test_a_faults_invalid_argument_blames_no_target(sink):
    sink.faults({"error": "INVALID_ARGUMENT"})
    error = sink.post({"message": {"fid": "a"}}).json()["error"]
    assert error["details"] == [{"@type": FCM, "errorCode": "INVALID_ARGUMENT"}]


def test_a_script_holds_until_it_is_cleared(sink):
    sink.script("a:b/c", error="UNREGISTERED")
    assert [sink.post({"message": {"token": "a:b/c"}}).status_code for _ in range(3)] == [404] * 3
    assert sink.get("targets")["targets"] == [
        {
            "target": "a:b/c",
            "error": "UNREGISTERED",
            "times": None,
            "retryAfter": None,
            "delayMs": 0,
            "acceptThenError": False,
            "blame": True,
        }
    ]
    sink.script("a:b/c", error=None)
    assert sink.get("targets") == {"targets": []}
    sink.send(token="a:b/c")
    sink.script("a", error="INTERNAL")
    assert requests.delete(f"{sink.base}/targets/a", timeout=60).status_code == 200
    sink.send(fid="a")


def test_a_script_with_times_runs_out(sink):
    sink.script("a", error="UNAVAILABLE", times=2)
    assert [sink.post({"message": {"fid": "a"}}).status_code for _ in range(4)] == [503, 503, 200, 200]
    assert sink.get("targets") == {"targets": []}
    assert len(sink.messages()) == 2


def test_a_dry_run_meets_the_script_as_well(sink):
    sink.script("a", error="UNREGISTERED")
    assert sink.post({"validate_only": True, "message": {"fid": "a"}}).status_code == 404


def test_accepted_and_yet_an_error(sink):
    sink.script("a", error="INTERNAL", acceptThenError=True, times=1)
    assert sink.post({"message": {"fid": "a"}}).status_code == 500
    assert len(sink.messages()) == 1
    sink.script("a", acceptThenError=True)
    assert sink.post({"message": {"fid": "a"}}).status_code == 503
    assert len(sink.messages()) == 2


def test_a_slow_answer_comes_after_the_effect(sink):
    sink.script("a", delayMs=1500, times=1)
    with pytest.raises(requests.exceptions.ReadTimeout):
        requests.post(f"{sink.base}/messages:send", json={"message": {"fid": "a"}}, headers=sink.owner, timeout=0.3)
    assert len(sink.messages()) == 1
    sink.script("a", delayMs=200, error="UNAVAILABLE", times=1)
    started = time.monotonic()
    assert sink.post({"message": {"fid": "a"}}).status_code == 503
    assert time.monotonic() - started >= 0.2
    assert len(sink.messages()) == 1


def test_faults_meet_the_next_sends_in_their_order(sink):
    sink.script("a", error="UNREGISTERED")
    sink.faults({"error": "UNAVAILABLE", "times": 2}, {"error": None}, {"error": "QUOTA_EXCEEDED", "retryAfter": 7})
    assert sink.post({"message": {}}).status_code == 400, "what FCM refuses uses up no fault"
    seen = [
        sink.post({"message": message}).status_code
        for message in ({"fid": "b"}, {"topic": "t"}, {"fid": "a"}, {"fid": "b"}, {"fid": "a"}, {"fid": "b"})
    ]
    assert seen == [503, 503, 200, 429, 404, 200]
    assert sink.get("faults") == {"faults": []}
    sink.faults({"error": "INTERNAL", "times": 5})
    assert requests.delete(f"{sink.base}/faults", timeout=60).status_code == 200
    sink.send(fid="b")


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"error": "GONE"}, "Unknown FCM error code 'GONE'. Use one of UNSPECIFIED_ERROR, INVALID_ARGUMENT"),
        ({"error": 404}, "Unknown FCM error code 404"),
        ({"error": ["UNREGISTERED"]}, "Unknown FCM error code"),
        ({"eror": "UNREGISTERED"}, "A script is a JSON object of error, times"),
        ({}, "A script is a JSON object"),
        ([], "A script is a JSON object"),
        ({"error": "INTERNAL", "times": 0}, "times must be a whole number from 1"),
        ({"error": "INTERNAL", "times": True}, "times must be a whole number from 1"),
        ({"error": "INTERNAL", "retryAfter": -1}, "retryAfter must be a whole number from 0"),
        ({"error": None, "delayMs": 60_001}, "delayMs must be a whole number from 0 to 60000"),
        ({"error": None, "acceptThenError": "yes"}, "acceptThenError must be true or false"),
        ({"error": "INVALID_ARGUMENT", "blame": 0}, "blame must be true or false"),
    ],
)
def test_a_script_with_a_mistake_is_a_clear_400(sink, body, says):
    for path, sent in (("targets/a", body), ("faults", {"faults": [body]})):
        response = sink.put(path, sent)
        assert response.status_code == 400
        assert says in response.json()["error"]["message"]
    sink.send(fid="a")


def test_faults_are_a_list(sink):
    assert sink.put("faults", {"error": "INTERNAL"}).status_code == 400
    response = requests.put(f"{sink.base}/faults", data=b"{", timeout=60)
    assert response.status_code == 400
    assert "must be JSON" in response.json()["error"]["message"]
