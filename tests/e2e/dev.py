"""A running `make dev`."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import httpx

ROOT = Path(__file__).resolve().parent.parent.parent
# Google's emulators take up to 20 s to start; what takes longer than this has failed.
START_SECONDS = 120


class Dev:
    """A running `make dev` and what it printed."""

    def __init__(self, *arguments):
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tools", "dev", "--free-ports", *arguments],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.lines = []
        self._ready = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))
            if line.startswith("Ready."):
                self._ready.set()
        self._ready.set()

    def wait_until_ready(self):
        self._ready.wait(START_SECONDS)
        assert self.process.poll() is None, "\n".join(self.lines)
        assert any(line.startswith("Ready.") for line in self.lines), "\n".join(self.lines)
        return self

    def stop(self):
        """Ctrl-C; returns when it has ended."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        self.process.wait(30)
        self._reader.join(10)
        self.process.stdout.close()

    def url(self, service):
        """The URL that the table shows for a service."""
        (line,) = [line for line in self.lines if re.match(rf"\s*{service}\s+http://", line)]
        return line.split()[-1]

    @property
    def curls(self):
        return [line for line in self.lines if line.startswith("curl ")]

    def sign_in(self, name):
        """A client of the API, signed in as one of the seed's users."""
        body = {"email": f"{name}@example.com", "password": "wattle-demo"}
        answer = httpx.post(f"{self.url('api')}/v1/auth/login", json=body, timeout=60)
        token = answer.json()["data"]["idToken"]
        return httpx.Client(base_url=self.url("api"), headers={"Authorization": f"Bearer {token}"}, timeout=60)

    def node(self, script, *arguments):
        """Run a script with the real Firebase SDK against this suite; the JSON of its last line."""
        hosts = {
            "FIRESTORE_HOST": self.url("Firestore").removeprefix("http://"),
            "AUTH_URL": self.url("Auth"),
            "FUNCTIONS_HOST": self.url("Functions").removeprefix("http://"),
        }
        finished = subprocess.run(
            ["node", script, *arguments],
            cwd=Path(__file__).parent,
            env={**os.environ, **hosts},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert finished.returncode == 0, finished.stdout + finished.stderr
        return json.loads(finished.stdout.splitlines()[-1])

    @property
    def descendants(self):
        """The processes that it started, and those that they started: {pid: command}."""
        table = subprocess.run(["ps", "-eo", "pid=,ppid=,args="], capture_output=True, text=True, check=True).stdout
        rows = [line.split(None, 2) for line in table.splitlines()]
        found = {str(self.process.pid): ""}
        while more := {pid: args for pid, ppid, args in rows if ppid in found and pid not in found}:
            found |= more
        return {pid: args for pid, args in found.items() if args}

    @staticmethod
    def is_alive(pid):
        try:
            os.kill(int(pid), 0)
        except ProcessLookupError:
            return False
        return True
