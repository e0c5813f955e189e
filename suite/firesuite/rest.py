"""JSON to and from the suite's own services, as the emulators' owner."""

import json
from typing import Any

from firesuite.errors import SuiteError
from firesuite.proxy import send

_OWNER = {"authorization": "Bearer owner", "content-type": "application/json"}


def ask(method: str, port: int, path: str, body: Any = None) -> dict[str, Any]:
    """What a service answers. Raises SuiteError with its own words when it refuses or is not there."""
    try:
        answer = send(method, port, path, b"" if body is None else json.dumps(body).encode(), _OWNER)
    except OSError as error:
        raise SuiteError(f"{method} {path} on port {port}: {error}.") from None
    document: dict[str, Any] = json.loads(answer.body or b"{}")
    if answer.status >= 400:
        raise SuiteError(document["error"]["message"])
    return document
