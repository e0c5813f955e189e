"""One function as Cloud Run starts it: functions-framework, production settings, a process of its own."""

import json
import os
import secrets
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from firesuite.manifest import Endpoint, Kind
from firesuite.ports import free_ports
from tools.environments import Environment

_START_SECONDS: Final = 60
_ANSWER_SECONDS: Final = 20
_LAST: Final = 12
# What each kind is asked, and what it answers when it is there. Nothing of it needs Google: an HTTP function says that
# it is alive, a callable refuses who is not signed in, an event that is none is refused. A schedule runs whatever it is
# asked; so it is asked for what functions-framework answers in its place, once main.py has been loaded.
_QUESTIONS: Final[Mapping[Kind, tuple[str, str, bytes | None, int]]] = {
    Kind.HTTPS: ("GET", "/health", None, 200),
    Kind.CALLABLE: ("POST", "/", b'{"data": {}}', 401),
    Kind.EVENT: ("POST", "/", b"{}", 400),
    Kind.SCHEDULE: ("GET", "/robots.txt", None, 404),
    Kind.TASK_QUEUE: ("GET", "/robots.txt", None, 404),
}


def settings(environment: Environment, folder: Path) -> dict[str, str]:
    """The variables that a deployed process has. Credentials and secrets are made up: no call leaves this machine."""
    key_file = folder / "key.json"
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    account = f"made-up@{environment.project_id}.iam.gserviceaccount.com"
    document = {
        "type": "service_account",
        "project_id": environment.project_id,
        "private_key": key.private_bytes(*form).decode(),
        "client_email": account,
        "token_uri": "https://oauth2.googleapis.com/token",
    }
    key_file.write_text(json.dumps(document), encoding="utf-8")
    project = {"projectId": environment.project_id}
    return {
        # Google's names, as https://cloud.google.com/run/docs/container-contract#env-vars and firebase-tools have them.
        "K_REVISION": "preflight-00001-abc",
        "GCLOUD_PROJECT": environment.project_id,
        "GOOGLE_CLOUD_PROJECT": environment.project_id,
        "FIREBASE_CONFIG": json.dumps(project),
        "GOOGLE_APPLICATION_CREDENTIALS": str(key_file),
        "PATH": os.defpath,
        "HOME": str(folder),
        "SIGNING_SECRET": secrets.token_hex(32),
        **environment.settings,
        # A setting that is missing is said elsewhere.
        "WEB_API_KEY": environment.settings.get("WEB_API_KEY") or "made-up",
    }


def answer(python: Path, source: Path, endpoint: Endpoint, variables: Mapping[str, str]) -> str | None:
    """What went wrong, None where the function started and answered as it should."""
    (port,) = free_ports(1)
    own = {
        "K_SERVICE": endpoint.name.lower(),
        "K_CONFIGURATION": endpoint.name.lower(),
        "FUNCTION_TARGET": endpoint.entry_point,
        "FUNCTION_SIGNATURE_TYPE": "cloudevent" if endpoint.kind is Kind.EVENT else "http",
        "PORT": str(port),
    }
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(  # noqa: S603 (the functions' own interpreter)
            [python, "-m", "functions_framework"],
            cwd=source,
            env={**variables, **own},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            return _asked(process, endpoint.kind, port, output.fileno())
        finally:
            # gunicorn's worker is in the group; both may have ended by themselves.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _asked(process: subprocess.Popen[bytes], kind: Kind, port: int, output: int) -> str | None:
    method, path, body, wanted = _QUESTIONS[kind]
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}{path}", body, {"Content-Type": "application/json"}, method=method
    )
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(request, timeout=_ANSWER_SECONDS) as response:  # noqa: S310 (loopback)
                status = response.status
        except urllib.error.HTTPError as error:
            status = error.code
        except OSError:  # not listening yet, or its worker has just died
            time.sleep(0.1)
            continue
        if status == wanted:
            return None
        return f"it answers {method} {path} with {status}, not {wanted}\n{_end_of(output)}"
    return _end_of(output) or "it ended without a word"


def _end_of(output: int) -> str:
    said = os.pread(output, 1_000_000, 0).decode(errors="replace").strip()
    return "\n".join(said.splitlines()[-_LAST:])
