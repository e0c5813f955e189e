"""What the Firebase CLI makes of our files, asked without a network: `make test-google` runs it, which installs it."""

import json
import subprocess

import pytest
import yaml
from tests.conftest import ROOT
from tools.doctor import settings, upload

from firesuite import dotenv

LIBRARY = ROOT / "tools/firebase-tools/node_modules/firebase-tools"
PROJECT = "wattle-staging-1234"


@pytest.fixture(scope="module")
def firebase(request):
    if not request.config.getoption("--google"):
        pytest.skip("needs the Firebase CLI, 220 MB: make test-google")
    command = ["node", ROOT / "tests/deploy/firebase_tools.mjs", ROOT, PROJECT, "staging"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def endpoints():
    return yaml.safe_load((ROOT / "functions/functions.yaml").read_text())["endpoints"]


def account_of(endpoint):
    return endpoint["serviceAccountEmail"].replace("{{ params.PROJECT_ID }}", PROJECT)


def test_each_function_is_deployed_as_its_account_in_sydney(firebase, endpoints):
    assert set(firebase["deployed"]) == set(endpoints)
    for name, sent in firebase["deployed"].items():
        assert (sent["account"], sent["region"]) == (account_of(endpoints[name]), "australia-southeast1"), name
        assert sent["secrets"] == ["SIGNING_SECRET"]


def test_the_api_and_each_callable_may_grow_as_far_as_the_settings_say(firebase, endpoints):
    bounded = {name for name, one in endpoints.items() if one.get("maxInstances") == "{{ params.MAX_INSTANCES }}"}
    assert "api" in bounded
    assert {firebase["deployed"][name]["maxInstances"] for name in bounded} == {10}


def test_events_and_schedules_come_as_that_account(firebase, endpoints):
    """With the short form `name@`, Cloud Scheduler would be told an address that is none."""
    for name, endpoint in endpoints.items():
        sent = firebase["deployed"][name]
        if "eventTrigger" in endpoint:
            assert (sent["eventAccount"], sent["retry"]) == (account_of(endpoint), "RETRY_POLICY_RETRY"), name
        if "scheduleTrigger" in endpoint:
            assert sent["scheduledAs"] == account_of(endpoint), name


def test_the_secret_is_read_by_those_accounts(firebase, endpoints):
    """So too here: Secret Manager would refuse the short form."""
    assert set(firebase["secretReaders"]["SIGNING_SECRET"]) == {account_of(one) for one in endpoints.values()}


def test_who_may_enqueue(firebase):
    invokers = firebase["deployed"]["sendBroadcastChunk"]["invoker"]
    assert f"fn-on-broadcast-written@{PROJECT}.iam.gserviceaccount.com" in invokers
    assert all(one.endswith(f"@{PROJECT}.iam.gserviceaccount.com") for one in invokers)


def test_it_uploads_the_files_that_the_preflight_looks_at(firebase):
    assert sorted(firebase["files"]) == sorted(str(path) for path in upload.files(ROOT))


def test_it_reads_the_settings_of_the_alias(firebase):
    functions = ROOT / "functions"
    assert firebase["environment"] == dotenv.read(functions / ".env") | dotenv.read(functions / ".env.staging")


def test_it_keeps_the_names_for_itself_that_the_preflight_refuses(firebase):
    """Read out of its source: it exports none of them."""
    source = (LIBRARY / "lib/functions/env.js").read_text()
    for name in settings._RESERVED | set(settings._RESERVED_PREFIXES):
        assert f'"{name}"' in source


def test_firebase_json_is_as_its_schema_says(firebase):
    import jsonschema

    schema = json.loads((LIBRARY / "schema/firebase-config.json").read_text())
    jsonschema.validate(json.loads((ROOT / "firebase.json").read_text()), schema)
