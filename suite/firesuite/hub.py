"""The emulator hub, where tools find the suite: fireemu's own, with the truth about the Python functions put in.

fireemu's hub lists its private port, on which the twins are, as `functions`, and knows nothing of Hosting. This one
passes every request on to it and sets that right.
"""

import contextlib
import dataclasses
import json
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from firesuite import inspection
from firesuite.ports import HOST, Ports
from firesuite.proxy import Answer, forward

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


class Hub:
    """The WSGI application."""

    def __init__(
        self, ports: Ports, private_port: int, private_locator: Path, own: inspection.Inspection, *, hosting: bool
    ) -> None:
        """`private_port` is fireemu's hub, `private_locator` the file in which it leaves its control token. `own`
        answers what only this suite's hub has. `hosting`: whether there is one, which fireemu knows nothing of."""
        self._moved = {"hub": ports.hub, "functions": ports.functions, "auth": ports.auth, "tasks": ports.tasks}
        self._added = {"hosting": ports.hosting} if hosting else {}
        self._inspection = own
        self._private_port = private_port
        self._private_locator = private_locator

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path.startswith(inspection.PREFIX):
            return self._inspection(environ, start_response)
        try:
            answer = forward(environ, self._private_port, headers=self._headers(environ))
        except OSError:
            return Answer.text(503, "fireemu is not ready.").send(start_response)
        if answer.status == 200 and path in {"/", "/emulators"}:
            corrected = json.dumps(self._corrected(json.loads(answer.body)), indent=2)
            answer = dataclasses.replace(answer, body=corrected.encode())
        kept = tuple(
            (name, value)
            for name, value in answer.headers
            if name.lower().startswith("access-control-") or name.lower() in {"content-type", "vary"}
        )
        return dataclasses.replace(answer, headers=kept).send(start_response)

    def _headers(self, environ: "WSGIEnvironment") -> dict[str, str]:
        wanted = (("Content-Type", "CONTENT_TYPE"), ("Origin", "HTTP_ORIGIN"))
        headers = {name: environ[key] for name, key in wanted if environ.get(key)}
        if environ["REQUEST_METHOD"] in {"PUT", "POST"} and "Origin" not in headers:
            # Google's hub asks for no token, and so its clients have none; a browser always says its origin here.
            token = json.loads(self._private_locator.read_text(encoding="utf-8"))["fireemuControlToken"]
            headers["Authorization"] = f"Bearer {token}"
        return headers

    def _corrected(self, answer: dict[str, Any]) -> dict[str, Any]:
        if "origins" in answer:
            return {**answer, "origins": [f"http://{HOST}:{self._moved['hub']}"], "port": self._moved["hub"]}
        for name, port in self._moved.items():
            if name in answer:
                answer[name] |= {"port": port, "pid": os.getpid()}
                for listen in answer[name].get("listen", []):
                    listen["port"] = port
        return answer | {name: _listed(name, port) for name, port in self._added.items()}


def _listed(name: str, port: int) -> dict[str, Any]:
    listen = [{"address": HOST, "family": "IPv4", "port": port}]
    return {"name": name, "host": HOST, "port": port, "pid": os.getpid(), "listen": listen}


def locator_path(project_id: str) -> Path:
    return Path(tempfile.gettempdir()) / f"hub-{project_id}.json"


class Locator:
    """The file by which tools find the hub of a running suite: `hub-PROJECT.json` in the temporary directory."""

    def __init__(self, project_id: str, hub_port: int) -> None:
        self.path = locator_path(project_id)
        self._hub = f"{HOST}:{hub_port}"
        self._content = {"version": "firesuite", "origins": [f"http://{self._hub}"], "pid": os.getpid()}

    def write(self) -> str | None:
        """Leaves the file of another live suite of the same project alone; what to tell of that."""
        owner = self._owner()
        if owner is None:
            self.path.write_text(json.dumps(self._content), encoding="utf-8")
            return None
        return (
            f"`firesuite call`, `run` and `logs` go to the suite of this project that runs already (process {owner})."
            f" To reach this one, set FIREBASE_EMULATOR_HUB={self._hub} for them."
        )

    def remove(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            if json.loads(self.path.read_text(encoding="utf-8")) == self._content:
                self.path.unlink()

    def _owner(self) -> int | None:
        """The process that the file names, if it is alive."""
        try:
            pid = int(json.loads(self.path.read_text(encoding="utf-8"))["pid"])
            os.kill(pid, 0)
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return pid
