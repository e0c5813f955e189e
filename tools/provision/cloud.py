"""gcloud and firebase as this project calls them: read what is there, change only what is not as it should be.

Nothing is kept between two runs: what is there is asked of Google Cloud each time. So a run that was killed is finished
by the next, and a run after a complete one changes nothing.
"""

import fcntl
import json
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from tools.environments import ROOT, Environment

FIREBASE: Final = ROOT / "tools" / "firebase-tools" / "node_modules" / ".bin" / "firebase"
# What was just made is not known everywhere yet: an account for a minute, a metric for up to ten.
_TRIES: Final = 40
_PAUSE: Final = 15.0


class CommandFailed(Exception):
    """gcloud or firebase did not do what it was told; the message is its own."""


class Pending(Exception):
    """Only looking: what comes next cannot be seen before what is missing so far is there."""


class Cloud:
    """Commands for one project. With `apply` unset nothing is changed: `changes` is what would be."""

    def __init__(
        self,
        environment: Environment,
        *,
        apply: bool,
        firebase: Path = FIREBASE,
        rest: Callable[[str, str, Callable[[], str], Any], Any] | None = None,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self.environment: Final = environment
        self.project_id: Final = environment.project_id
        self.apply: Final = apply
        self.changes: list[str] = []
        self._firebase = firebase
        self._pause = pause
        self._rest = rest or _rest

    def gcloud(self, *arguments: str) -> Any:
        """What a gcloud command that only reads says, read as JSON.

        Raises:
            CommandFailed.
        """
        return _json(self._run(self._gcloud(arguments)))

    def firebase(self, *arguments: str) -> Any:
        """What a firebase command that only reads says.

        Raises:
            CommandFailed.
        """
        command = [str(self._firebase), *arguments, f"--project={self.project_id}", "--non-interactive", "--json"]
        return _json(self._run(command))["result"]

    def get(self, url: str) -> Any:
        """What a REST call that only reads answers, None where there is nothing; for what gcloud does not know.

        Raises:
            CommandFailed.
        """
        return self._rest(url, self.project_id, self._token, None)

    def post(self, url: str, body: Any) -> Any:
        """What a REST call with a JSON body answers; for what gcloud does not know.

        Raises:
            CommandFailed.
        """
        return self._rest(url, self.project_id, self._token, body)

    def change(self, what: str, *arguments: str, given: str | None = None, until_known: str | None = None) -> None:
        """Make one change, with gcloud. `given` is its standard input.

        A failure that `until_known` matches is of what was just made and is not known yet: it is tried again.

        Raises:
            CommandFailed.
        """
        self._change(what, self._gcloud(arguments), given, until_known)

    def change_by_firebase(self, what: str, *arguments: str) -> None:
        """Make one change, with firebase, of this project. Raises as `change` does."""
        self._change(what, [str(self._firebase), *arguments, f"--project={self.project_id}", "--non-interactive"])

    def _token(self) -> str:
        return self._run(["gcloud", "auth", "print-access-token"]).strip()

    def _change(self, what: str, command: list[str], given: str | None = None, until_known: str | None = None) -> None:
        self.changes.append(what)
        print(f"+ {what}", flush=True)
        if not self.apply:
            return
        for left in reversed(range(_TRIES)):
            try:
                self._run(command, given)
            except CommandFailed as error:
                if not left or until_known is None or not re.search(until_known, str(error)):
                    raise
                print("  not known everywhere yet; trying again", file=sys.stderr, flush=True)
                self._pause(_PAUSE)
            else:
                return

    def _gcloud(self, arguments: tuple[str, ...]) -> list[str]:
        # Always told the project: which one gcloud is set to on this machine must not matter.
        return ["gcloud", *arguments, f"--project={self.project_id}", "--quiet", "--format=json"]

    def _run(self, command: list[str], given: str | None = None) -> str:
        try:
            done = subprocess.run(command, cwd=ROOT, input=given, capture_output=True, text=True, check=False)  # noqa: S603 (built here)
        except FileNotFoundError:
            raise CommandFailed(
                f"{command[0]} is not installed: see docs/deploy.md, What you need." if command[0] == "gcloud"
                else f"{command[0]} is missing: make sets it up, `tools/setup.sh --google`."
            ) from None  # fmt: skip
        if done.returncode != 0:
            shown = " ".join(command[:8])
            raise CommandFailed(f"`{shown} ...` failed:\n{(done.stderr or done.stdout).strip()}")
        return done.stdout


@contextmanager
def alone() -> Iterator[None]:
    """Two at once would mix what they do. On GitHub the workflow's `concurrency` sees to it.

    Raises:
        CommandFailed: another is at work on this machine.
    """
    path = ROOT / ".wattle" / "deploy.lock"
    path.parent.mkdir(exist_ok=True)
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise CommandFailed("Another deployment or provisioning runs already on this machine.") from None
        yield


def _rest(url: str, project_id: str, token: Callable[[], str], body: Any) -> Any:
    headers = {"Authorization": f"Bearer {token()}", "X-Goog-User-Project": project_id}
    data = None
    if body is not None:
        data, headers["Content-Type"] = json.dumps(body).encode(), "application/json"
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data, headers), timeout=30) as response:  # noqa: S310 (ours)
            return json.load(response)
    except urllib.error.HTTPError as error:
        if error.code == 404:
            return None
        raise CommandFailed(f"{url} answers {error.code}: {error.read().decode(errors='replace')}") from None
    except OSError as error:
        raise CommandFailed(f"{url} does not answer: {error}") from None


def _json(text: str) -> Any:
    # An empty list is nothing at all for some commands.
    return json.loads(text) if text.strip() else []
