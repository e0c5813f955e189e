"""A suite that runs in another process, found as every tool finds it: by its hub."""

import base64
import http.client
import json
import os
import time
from collections.abc import Iterator, Mapping
from typing import Any, Self
from urllib.parse import quote, urlsplit

from firesuite.control import ControlApi
from firesuite.errors import SuiteError
from firesuite.history import Line
from firesuite.hub import locator_path
from firesuite.inspection import APP_CHECK_TOKEN_PATH, EVENTS_PATH, LOGS_PATH, STATUS_PATH
from firesuite.manifest import Kind
from firesuite.proxy import Answer

# As long as Cloud Run lets a function work.
_SECONDS = 3600.0
# For what a function said to arrive in the log after its answer.
_LOG_SECONDS = 0.3
# https://firebase.google.com/docs/auth/admin/create-custom-tokens
_AUDIENCE = "https://identitytoolkit.googleapis.com/google.identity.identitytoolkit.v1.IdentityToolkit"


class RunningSuite:
    """What `firesuite call`, `run` and `logs` need of it."""

    def __init__(self, hub: str, status: Mapping[str, Any]) -> None:
        self._hub = hub
        self.project_id: str = status["project"]
        self.environment: Mapping[str, str] = status["environment"]
        self._functions: list[Mapping[str, Any]] = status["functions"]
        self.control = ControlApi(status["controlPort"])

    @classmethod
    def of(cls, project_id: str) -> Self:
        """The one whose hub FIREBASE_EMULATOR_HUB names, as in `exec`, else the one that the locator leads to. Raises
        SuiteError when no suite of this project runs there."""
        named = os.environ.get("FIREBASE_EMULATOR_HUB")
        try:
            hub = f"http://{named}" if named else _located(project_id)
            answer = _request("GET", f"{hub}{STATUS_PATH}")
        except (OSError, ValueError, KeyError, IndexError):
            where = f" at FIREBASE_EMULATOR_HUB={named}" if named else ""
            raise SuiteError(
                f"No suite of {project_id} runs{where}: start one with `firesuite up` in another terminal."
            ) from None
        if answer.status != 200:
            raise SuiteError(f"What runs for {project_id} at {hub} is not firesuite.")
        status = json.loads(answer.body)
        if status["project"] != project_id:
            raise SuiteError(f"At FIREBASE_EMULATOR_HUB={named} runs {status['project']}, not {project_id}.")
        return cls(hub, status)

    def function(self, name: str) -> Mapping[str, Any]:
        """Raises SuiteError, with the names there are, for a name that is not exported."""
        for function in self._functions:
            if function["name"] == name:
                return function
        names = ", ".join(function["name"] for function in self._functions) or "none"
        raise SuiteError(f"There is no function {name!r}; there are: {names}.")

    def request(self, name: str, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> Answer:
        """Call an HTTPS function. Raises SuiteError when it cannot be reached."""
        url = self.function(name)["url"] + (path if path.startswith("/") or not path else f"/{path}")
        try:
            return _request(method, url, body, headers)
        except OSError as error:
            raise SuiteError(f"{name} cannot be reached at {url}: {error}.") from None

    def call(self, name: str, data: Any, headers: Mapping[str, str]) -> Answer:
        """Call a callable function as the Firebase SDKs do: its answer is `{"result": ...}` or `{"error": ...}`."""
        body = json.dumps({"data": data}).encode()
        return self.request(name, "POST", "", body, {"content-type": "application/json", **headers})

    def enqueue(self, name: str, data: Any) -> str:
        """Put a task into a function's queue; the name of the task."""
        function = self.function(name)
        queue = f"/projects/{self.project_id}/locations/{function['regions'][0]}/queues/{name}/tasks"
        encoded = base64.b64encode(json.dumps({"data": data}).encode()).decode()
        task = {"httpRequest": {"headers": {"Content-Type": "application/json"}, "body": encoded}}
        url = f"http://{self.environment['CLOUD_TASKS_EMULATOR_HOST']}{queue}"
        headers = {"content-type": "application/json"}
        answer = _request("POST", url, json.dumps({"task": task}).encode(), headers)
        if answer.status != 200:
            raise SuiteError(f"The task was not taken: {answer.body.decode(errors='replace')}")
        return str(json.loads(answer.body)["task"]["name"]).lstrip("/")

    def send_event(self, name: str, data: Any, attributes: Mapping[str, str]) -> Answer:
        """Hand a function an event of its type with this data; its answer. Raises SuiteError for one that cannot be."""
        body = json.dumps({"data": data, "attributes": attributes}).encode()
        url = f"{self._hub}{EVENTS_PATH}{name}"
        try:
            answer = _request("POST", url, body, {"content-type": "application/json"})
        except OSError as error:
            raise SuiteError(f"{name} got no event: the suite at {self._hub} broke off ({error}).") from None
        if answer.status == 400:
            raise SuiteError(answer.body.decode(errors="replace"))
        return answer

    def require_schedule(self, name: str) -> None:
        """Raises SuiteError for a function of another kind."""
        kind = Kind(self.function(name)["kind"])
        if kind is not Kind.SCHEDULE:
            raise SuiteError(f"{name} has no schedule to run ahead of: it is of kind {kind.word}.")

    def last_line(self) -> int:
        """The number of the latest line of the log."""
        return max((line.number for line in self.lines(follow=False)), default=0)

    def said_since(self, number: int) -> list[str]:
        """What the functions said after that line."""
        time.sleep(_LOG_SECONDS)
        others = {"firesuite", "fireemu"}
        return [line.text for line in self.lines(follow=False) if line.number > number and line.service not in others]

    def id_token(self, uid: str) -> str:
        """An ID token of this user, who is made when he does not exist. Raises SuiteError."""
        now = int(time.time())
        header = {"alg": "none", "typ": "JWT"}
        payload = {"aud": _AUDIENCE, "uid": uid, "iat": now, "exp": now + 3600}
        parts = [
            base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in (header, payload)
        ]
        auth = f"http://{self.environment['FIREBASE_AUTH_EMULATOR_HOST']}/identitytoolkit.googleapis.com/v1"
        answer = _request(
            "POST",
            f"{auth}/accounts:signInWithCustomToken?key=any",
            json.dumps({"token": ".".join([*parts, ""]), "returnSecureToken": True}).encode(),
            {"content-type": "application/json"},
        )
        if answer.status != 200:
            raise SuiteError(f"{uid!r} cannot be signed in: {answer.body.decode(errors='replace')}")
        return str(json.loads(answer.body)["idToken"])

    def app_check_token(self, app_id: str) -> str:
        answer = _request("GET", f"{self._hub}{APP_CHECK_TOKEN_PATH}?app={quote(app_id)}")
        return str(json.loads(answer.body)["token"])

    def lines(self, *, follow: bool) -> Iterator[Line]:
        """What the services said, from the oldest line that is kept; with `follow` until the suite ends."""
        after = 0
        while True:
            try:
                answer = _request("GET", f"{self._hub}{LOGS_PATH}?after={after}{'&wait=1' if follow else ''}")
            except OSError:
                return
            for entry in json.loads(answer.body)["lines"]:
                line = Line(**entry)
                after = line.number
                yield line
            if not follow:
                return


def _located(project_id: str) -> str:
    hub: str = json.loads(locator_path(project_id).read_text(encoding="utf-8"))["origins"][0]
    return hub


def _request(method: str, url: str, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> Answer:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=_SECONDS)
    try:
        connection.request(method, f"{parts.path or '/'}?{parts.query}".rstrip("?"), body, dict(headers or {}))
        response = connection.getresponse()
        return Answer(response.status, tuple(response.getheaders()), response.read())
    except http.client.HTTPException as error:
        raise OSError(str(error)) from error
    finally:
        connection.close()
