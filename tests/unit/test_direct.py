"""A process of its own for `api`, as it is deployed, hands requests on past functions-framework's Flask app.

What is answered must be what the same function answers through it, as the local suite serves it.
"""

import json
import subprocess
import sys

from bench.imports import FUNCTIONS

# Requests that get no further than the API itself: nothing listens behind it.
REQUESTS = [
    ["GET", "/health", {}, ""],
    ["HEAD", "/health", {}, ""],
    ["GET", "/nothing/there", {"X-Request-Id": "request-1"}, ""],
    ["GET", "/v1/orders?limit=0", {"Authorization": "Bearer x"}, ""],
    ["POST", "/v1/auth/login", {"Content-Type": "application/json"}, "{"],
    ["POST", "/v1/orders", {"Content-Type": "application/json"}, "x" * 100_000],
    ["OPTIONS", "/v1/orders", {"Origin": "https://elsewhere.example", "Access-Control-Request-Method": "GET"}, ""],
    ["DELETE", "/health", {}, ""],
]
SCRIPT = """
import json, os, sys
from pathlib import Path
import functions_framework
app = functions_framework.create_app("api", str(Path("main.py").resolve()), "http")
def answers():
    for method, path, headers, body in json.loads(sys.argv[1]):
        answer = app.test_client().open(path, method=method, headers=headers, data=body)
        yield answer.status, dict(answer.headers), answer.get_data(as_text=True)
direct = list(answers())
del app.wsgi_app  # what is left is Flask's own
print(json.dumps([direct, list(answers())]))
"""
SETTINGS = {
    "FUNCTION_TARGET": "api",
    "GCLOUD_PROJECT": "demo-direct",
    "WEB_API_KEY": "k",
    "SIGNING_SECRET": "the tests' own, 32 characters at least",
    "FUNCTIONS_EMULATOR": "true",
    "FIRESTORE_EMULATOR_HOST": "127.0.0.1:1",
    "FIREBASE_AUTH_EMULATOR_HOST": "127.0.0.1:1",
    "FCM_EMULATOR_HOST": "127.0.0.1:1",
}


def test_both_ways_answer_alike():
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, json.dumps(REQUESTS)],
        cwd=FUNCTIONS,
        env=SETTINGS,
        capture_output=True,
        text=True,
        check=True,
    )
    direct, framework = json.loads(done.stdout.splitlines()[-1])
    assert [compared(*answer) for answer in direct] == [compared(*answer) for answer in framework]


def compared(status, headers, body):
    """An answer without what differs from request to request."""
    envelope = json.loads(body) if body else {}
    return (
        status,
        {name: value for name, value in headers.items() if name not in ("X-Request-Id", "RateLimit")},
        {name: value for name, value in envelope.items() if name not in ("timestamp", "requestId")},
    )
