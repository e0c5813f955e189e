"""`make dev`: the whole backend on this machine, with data, until Ctrl-C."""

import json
import os
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from firesuite import cli
from firesuite.errors import SuiteError
from firesuite.google import EXECUTABLE_VARIABLE, WITHOUT_JAVA
from firesuite.ports import Ports
from firesuite.project import Project
from firesuite.suite import Suite
from tools.demo import PASSWORD, USERS

ROOT: Final = Path(__file__).resolve().parent.parent
# One file a user with the header line that signs curl in; renewed while the suite runs, for an ID token lives an hour.
_SIGNED_IN: Final = ROOT / ".wattle"
_RENEW_EVERY: Final = 45 * 60.0


def run(*, free_ports: bool, google: bool) -> int:
    """Start the suite, seed it, say what is where, and stay until Ctrl-C. The exit code.

    With `google`, Auth and Functions are Google's own emulators, out of tools/firebase-tools.
    """
    if google:
        os.environ.setdefault(EXECUTABLE_VARIABLE, str(ROOT / "tools/firebase-tools/node_modules/.bin/firebase"))
    try:
        suite = Suite(
            Project.load(ROOT),
            ports=Ports.free() if free_ports else None,
            watch=True,
            google=WITHOUT_JAVA if google else frozenset(),
            log=cli.Console(sys.stdout),
        )
    except SuiteError as error:
        print(f"make dev: {error}", file=sys.stderr)
        return 1
    print("Starting Firestore, Auth, the functions and the FCM sink ...", flush=True)
    return cli.run(suite, _ready, lambda suite: give_passwords(suite.services()["Auth"], suite.project.project_id))


def _ready(suite: Suite) -> None:
    print("Loading the seed ...", flush=True)
    command = [sys.executable, "-m", "tools", "seed"]
    with _without_events(suite):
        seeded = subprocess.run(command, cwd=ROOT, env={**os.environ, **suite.environment}, check=False)  # noqa: S603 (our own command)
    if seeded.returncode != 0:
        raise SuiteError("The seed was not loaded; its output above says why.")
    token = _sign_in(suite)
    threading.Thread(target=_renew, args=(suite,), daemon=True).start()
    print(_welcome(suite, token), flush=True)


def give_passwords(auth: str, project: str) -> None:
    """Users outlive a new start of fireemu, which a trigger that was added makes necessary; their passwords do not."""
    url = f"{auth}/identitytoolkit.googleapis.com/v1/projects/{project}/accounts:update"
    headers = {"Content-Type": "application/json", "Authorization": "Bearer owner"}
    for name, _, _ in USERS:
        body = json.dumps({"localId": name, "password": PASSWORD}).encode()
        request = urllib.request.Request(url, body, headers)  # noqa: S310 (loopback)
        urllib.request.urlopen(request, timeout=10).close()  # noqa: S310 (loopback)


@contextmanager
def _without_events(suite: Suite) -> Iterator[None]:
    """Seeded orders are no news: nobody is to be told of them."""
    hub = suite.services()["Hub"]
    _put(f"{hub}/functions/disableBackgroundTriggers")
    try:
        yield
    finally:
        _put(f"{hub}/functions/enableBackgroundTriggers")


def _put(url: str) -> None:
    request = urllib.request.Request(url, method="PUT")  # noqa: S310 (loopback)
    urllib.request.urlopen(request, timeout=10).close()  # noqa: S310 (loopback)


def _sign_in(suite: Suite) -> str:
    """Sign the demo users in and write their header files. Alice's ID token."""
    _SIGNED_IN.mkdir(mode=0o700, exist_ok=True)
    tokens = {name: _id_token(suite, name) for name in ("alice", "admin")}
    for name, token in tokens.items():
        (_SIGNED_IN / name).write_text(f"Authorization: Bearer {token}\n", encoding="ascii")
    return tokens["alice"]


def _renew(suite: Suite) -> None:
    pause = threading.Event()
    while not pause.wait(_RENEW_EVERY):
        try:
            _sign_in(suite)
        except OSError as error:
            print(f"make dev: the demo users could not be signed in again: {error}", file=sys.stderr)


def _id_token(suite: Suite, name: str) -> str:
    body = json.dumps({"email": f"{name}@example.com", "password": PASSWORD}).encode()
    url = f"{suite.function_url('api')}/v1/auth/login"
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})  # noqa: S310 (loopback)
    with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310 (loopback)
        token: str = json.load(response)["data"]["idToken"]
    return token


def _welcome(suite: Suite, token: str) -> str:
    api, alice = suite.function_url("api"), _SIGNED_IN / "alice"
    order = json.dumps({"items": [{"productId": "flat-white", "quantity": 2}]})
    messages = f"{suite.services()['FCM']}/v1/projects/{suite.project.project_id}/messages"
    table = cli.table(suite)
    return f"""
{table}
{"  messages":<{table.index("http")}}{messages}

Users        alice@example.com, bob@example.com, admin@example.com (role admin); password {PASSWORD}
ID token of alice (one hour; the commands below read a fresh one from {_SIGNED_IN.name}/):
{token}

Alice's profile, her orders, and a new order:
curl -s -H @{alice} {api}/v1/users/me
curl -s -H @{alice} '{api}/v1/orders?limit=5'
curl -s -H @{alice} {api}/v1/orders -H 'Content-Type: application/json' -d '{order}'

Ready. README.md goes on from here. Saving a file in functions/ reloads it. Ctrl-C stops everything."""
