"""One function in functions-framework as Cloud Run starts it: what its process writes is what Cloud Logging gets."""

import os
import subprocess
import sys
import threading
from datetime import datetime
from pathlib import Path

import httpx
from google.events.cloud.firestore import DocumentEventData
from tests.backend import eventually
from tests.conftest import ROOT

from firesuite.ports import Ports
from wattle.kit.clock import rfc3339, utc_now

_PROGRAM = Path(sys.executable).with_name("functions-framework")


class Deployed:
    """The process of a function; `output` is all that it wrote to stdout and stderr so far."""

    def __init__(self, backend, target: str, signature: str = "http", **settings) -> None:
        self._project = backend.project_id
        ports = backend.suite.ports
        port = Ports.free().functions
        self.url = f"http://127.0.0.1:{port}"
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": os.environ.get("HOME", "/"),
            "FUNCTION_TARGET": target,
            "K_REVISION": f"{target}-00001-abc",
            "FUNCTIONS_EMULATOR": "true",  # the emulators' tokens are unsigned
            "GCLOUD_PROJECT": self._project,
            "FIRESTORE_EMULATOR_HOST": f"127.0.0.1:{ports.firestore}",
            "FIREBASE_AUTH_EMULATOR_HOST": f"127.0.0.1:{ports.auth}",
            "FCM_EMULATOR_HOST": f"127.0.0.1:{ports.fcm}",
            "CLOUD_TASKS_EMULATOR_HOST": f"127.0.0.1:{ports.tasks}",
            "WEB_API_KEY": "k",
            "SIGNING_SECRET": "the tests' own, 32 characters at least",
            "REGISTRATION": "immediate",
            "RATE_LIMIT_SCALE": "1000",
            "LOG_LEVEL": "DEBUG",
            "THREADS": "8",
            "NO_GCE_CHECK": "true",
            **settings,
        }
        source = ROOT / "functions" / "main.py"
        command = [_PROGRAM, "--target", target, "--source", source, "--signature-type", signature]
        self._process = subprocess.Popen(
            [*command, "--host", "127.0.0.1", "--port", str(port)],
            cwd=ROOT / "functions",
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        try:
            eventually(self._answers)
        except BaseException:
            self.close()
            raise

    @property
    def output(self) -> str:
        return "".join(self._lines)

    def close(self) -> str:
        """Stop it; all that it wrote."""
        self._process.terminate()
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._process.wait()
        self._reader.join(10)
        self._process.stdout.close()
        return self.output

    def deliver(self, path: str, before: dict, after: dict, *, event_id: str, time=None) -> httpx.Response:
        """Have it handle the event of a written document, as Eventarc does. Fields are texts, numbers and times."""
        name = f"projects/{self._project}/databases/(default)/documents/{path}"
        data = DocumentEventData(
            value={"name": name, "fields": _fields(after)}, old_value={"name": name, "fields": _fields(before)}
        )
        headers = {
            "content-type": "application/protobuf",
            "ce-specversion": "1.0",
            "ce-id": event_id,
            "ce-type": "google.cloud.firestore.document.v1.written",
            "ce-source": f"//firestore.googleapis.com/projects/{self._project}/databases/(default)",
            "ce-subject": f"documents/{path}",
            "ce-time": rfc3339(time or utc_now()),
            "ce-datacontenttype": "application/protobuf",
            "ce-location": "australia-southeast1",
            "ce-project": self._project,
            "ce-database": "(default)",
            "ce-namespace": "(default)",
            "ce-document": path,
        }
        return httpx.post(self.url, content=DocumentEventData.serialize(data), headers=headers, timeout=60)

    def _read(self) -> None:
        for line in self._process.stdout:
            self._lines.append(line)

    def _answers(self) -> bool:
        assert self._process.poll() is None, self.output
        try:
            httpx.get(f"{self.url}/robots.txt", timeout=5)  # functions-framework answers it itself
        except httpx.TransportError:
            return False
        return True


def _fields(data: dict) -> dict:
    return {name: _value(value) for name, value in data.items()}


def _value(value) -> dict:
    if value is None:
        return {"null_value": 0}
    if isinstance(value, datetime):
        return {"timestamp_value": value}
    return {"integer_value": value} if isinstance(value, int) else {"string_value": value}
