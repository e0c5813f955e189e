"""The suite's FCM sink: what was sent, what a phone shows, and what fails."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from firesuite.ports import HOST
from firesuite.rest import ask


class Fcm:
    """The fixture `fcm`. Messages and scripts are as the sink's own API has them (firesuite/fcm/README.md)."""

    def __init__(self, project_id: str, port: int) -> None:
        self.host = f"{HOST}:{port}"
        self._port = port
        self._base = f"/v1/projects/{project_id}"

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The messages that were accepted, oldest first."""
        return [entry["message"] for entry in self._request("GET", "/messages")["messages"]]

    def sent_to(self, target: str) -> list[dict[str, Any]]:
        """Those that reached a token or FID, by its name or through a topic."""
        entries = self._request("GET", "/messages")["messages"]
        return [
            entry["message"]
            for entry in entries
            if target in {entry["message"].get("fid"), entry["message"].get("token"), *entry.get("deliveredTo", ())}
        ]

    def shown_on(self, target: str, platform: str = "android") -> list[dict[str, Any]]:
        """The notifications on the screen of a phone (`android`, `ios`, `web`), after one replaced another."""
        path = f"/devices/{quote(target, safe='')}?platform={platform}"
        shown: list[dict[str, Any]] = self._request("GET", path)["notifications"]
        return shown

    @property
    def topics(self) -> dict[str, list[str]]:
        """The targets of each topic that has some."""
        return {entry["topic"]: entry["targets"] for entry in self._request("GET", "/topics")["topics"]}

    def script(self, target: str, error: str | None = None, **how: Any) -> None:
        """Have sends to a target fail (`UNREGISTERED`), or be slow (`delayMs=200`); `times=1` for the first only."""
        self._request("PUT", f"/targets/{quote(target, safe='')}", {"error": error, **how})

    def fail_next(self, *scripts: Mapping[str, Any]) -> None:
        """Have the next sends fail in their order, whatever their target: `fail_next({"error": "UNAVAILABLE"})`."""
        self._request("PUT", "/faults", {"faults": list(scripts)})

    def _request(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        return ask(method, self._port, f"{self._base}{path}", body)
