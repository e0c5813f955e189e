"""firebase-admin for Node, over HTTP/1.1 and a plain connection in the place of TLS."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("send_with_firebase_admin.mjs")
ADMIN = SCRIPT.parents[3] / "node_modules" / "firebase-admin"


@pytest.mark.skipif(
    not (shutil.which("node") and ADMIN.is_dir()),
    reason="needs node and firebase-admin in node_modules, which `make setup` installs",
)
def test_firebase_admin_for_node(sink):
    sink.script("gone", error="UNREGISTERED")
    environment = {**os.environ, "GOOGLE_CLOUD_QUOTA_PROJECT": sink.project_id}
    command = ["node", str(SCRIPT), sink.host, sink.project_id]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)
    sent = sink.messages()
    assert results["sent"] == sent[0]["name"]
    assert sent[0]["message"]["android"] == {"collapse_key": "k", "ttl": "3.500000000s"}
    assert results["dryRun"].endswith("fake_message_id")
    assert results["unregistered"]["code"] == "messaging/registration-token-not-registered"
    assert results["refused"]["code"] == "messaging/invalid-argument"
    assert (results["each"]["successCount"], results["each"]["failureCount"]) == (1, 1)
    assert (results["subscribed"]["successCount"], results["subscribed"]["failureCount"]) == (1, 1)
    assert results["topic"] == sent[2]["name"]
    assert sent[2]["deliveredTo"] == ["a"]
    assert results["unsubscribed"]["successCount"] == 1
    assert len(sent) == 3
