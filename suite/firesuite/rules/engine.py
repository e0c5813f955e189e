"""The Firestore that decides: fireemu, started here, or an emulator that already runs.

Both speak the same protocol (`PUT ...:securityRules`, `GET ...:ruleCoverage`, `DELETE .../documents`). What only
fireemu can tell, the expressions evaluated for each request, is absent elsewhere: `decisions` is then None.
"""

import contextlib
import http.client
import json
import os
import tempfile
import time
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote

import grpc

from firesuite.control import ControlApi
from firesuite.errors import SuiteError
from firesuite.fireemu import Configuration, environment, find_binary
from firesuite.ports import HOST, Ports
from firesuite.processes import Child, Processes
from firesuite.project import Project
from firesuite.rules.source import Source
from firesuite.rules.trace import Decision, Dialect

START_SECONDS = 30.0
_DENY_ALL = "service cloud.firestore { match /databases/{database}/documents { } }\n"


class RulesRefusedError(SuiteError):
    """The engine did not install the rules; the text is its own message."""


class Engine:
    """An emulator at `address` (`host:port` of its Firestore), used under one project.

    This class knows what Google's emulator answers too. fireemu keeps one set of rules for the whole process,
    Google's emulator one for each project; a test run uses one project, so that both behave alike.
    """

    def __init__(self, address: str, project: str) -> None:
        self.address = address
        self.project = project
        self.documents = f"projects/{project}/databases/(default)/documents"
        self.channel = grpc.insecure_channel(address)
        # Commits that went through from here: who seeded documents knows by it whether they are still as he left them.
        self.commits = 0

    def close(self) -> None:
        self.channel.close()

    @cached_property
    def dialect(self) -> Dialect:
        """How it names places in the rules: fireemu answers at `/` in JSON, Google's emulator with a word."""
        _, answer = self._http("GET", "/")
        return Dialect.FIREEMU if isinstance(answer, dict) and "emulator" in answer else Dialect.GOOGLE

    def load(self, source: Source) -> None:
        """Installs rules; coverage starts anew. Raises `RulesRefusedError` with the engine's message."""
        body = {"rules": {"files": [{"name": "firestore.rules", "content": source.text}]}}
        status, answer = self._http("PUT", f"/emulator/v1/projects/{self.project}:securityRules", body)
        if status != http.client.OK:
            message = answer.get("error", {}).get("message", answer) if isinstance(answer, dict) else answer
            raise RulesRefusedError(f"{self.address} refused {source.name}: {message}")

    def clear(self) -> None:
        """Deletes every document of the project."""
        self._http("DELETE", f"/emulator/v1/projects/{self.project}/databases/{quote('(default)')}/documents")

    def coverage(self) -> list[dict[str, Any]]:
        """The trees of `:ruleCoverage` since the last `load`."""
        status, answer = self._http("GET", f"/emulator/v1/projects/{self.project}:ruleCoverage")
        if status != http.client.OK or not isinstance(answer, dict):
            raise SuiteError(f"{self.address} has no rule coverage (HTTP {status}): is it a Firestore emulator?")
        report: list[dict[str, Any]] = answer.get("report", [])
        return report

    def decisions(self) -> list[Decision] | None:
        """The last requests that rules decided, newest first; None where the engine does not tell."""
        return None

    def _http(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        return _request(self.address, method, path, body)


class Fireemu(Engine):
    """A fireemu with its control API on `control_port`."""

    def __init__(self, address: str, project: str, control_port: int) -> None:
        super().__init__(address, project)
        self.control_port = control_port
        self.control = ControlApi(control_port)

    def load(self, source: Source) -> None:
        super().load(source)
        # fireemu keeps request traces of a set of rules only from the first time that somebody asks for them.
        self.decisions()

    def decisions(self) -> list[Decision]:
        return [Decision.of(entry) for entry in self.control.rules_requests()]


def _request(address: str, method: str, path: str, body: Any) -> tuple[int, Any]:
    connection = http.client.HTTPConnection(address, timeout=30)
    try:
        content = None if body is None else json.dumps(body).encode()
        connection.request(method, path, content, {"content-type": "application/json"})
        answer = connection.getresponse()
        text = answer.read()
    except OSError as error:
        raise SuiteError(f"No emulator answers at {address}: {error}. Start one, or name the right port.") from error
    finally:
        connection.close()
    try:
        return answer.status, json.loads(text or b"{}")
    except ValueError:
        return answer.status, text.decode(errors="replace")


@contextlib.contextmanager
def started(project: str = "demo-rules", *, profile: str = "emulator") -> Iterator[Fireemu]:
    """A fireemu of one's own with Firestore and Auth on free ports, denying all; stopped at the end.

    Profile `emulator` takes mock tokens as Google's emulator does; `strict` takes only tokens of users that its Auth
    knows. Its executable is looked for in a `node_modules` here or above. Raises SuiteError when it does not start.
    """
    ports = Ports.free()
    output: list[str] = []
    with tempfile.TemporaryDirectory(prefix="firesuite-rules-") as name:
        directory = Path(name)
        (directory / "firestore.rules").write_text(_DENY_ALL)
        firebase_json = {"firestore": {"rules": "firestore.rules"}, "emulators": {"ui": {"enabled": False}}}
        configuration = Configuration(
            project=Project(directory, project, None, firebase_json, (), ports),
            ports=ports,
            profile=profile,
            twins=None,
            private_functions=ports.functions,
            private_hub=ports.hub,
            private_tasks=ports.tasks,
            services=frozenset(("auth", "firestore")),
        )
        processes = Processes(directory, lambda _, line: output.append(line))
        try:
            command: list[str | Path] = [find_binary(Path.cwd()), *configuration.write(directory)]
            child = processes.start(
                "fireemu", command, directory=directory, environment=environment(os.environ, directory)
            )
            engine = Fireemu(f"{HOST}:{ports.firestore}", project, ports.auth)
            _wait(engine, child, output)
            try:
                yield engine
            finally:
                engine.close()
        finally:
            processes.stop()


def _wait(engine: Fireemu, child: Child, output: list[str]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        with contextlib.suppress(SuiteError, OSError):
            if engine.control.is_live():
                # Firestore's own port answers too.
                engine.coverage()
                return
        if child.exit_code() is not None or time.monotonic() > deadline:
            raise SuiteError("fireemu did not start:\n" + "\n".join(output[-20:]))
        time.sleep(0.01)
