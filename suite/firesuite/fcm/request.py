"""An HTTP request to the sink."""

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs
from wsgiref.types import WSGIEnvironment

from firesuite.fcm.errors import ApiError

MAX_CONTROL_BYTES = 10_000_000


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    path: str
    environ: WSGIEnvironment

    def body(self, limit_bytes: int) -> bytes:
        """At most one byte more than the limit, which tells that it is exceeded."""
        length = int(self.environ.get("CONTENT_LENGTH") or 0)
        body: bytes = self.environ["wsgi.input"].read(min(length, limit_bytes + 1))
        return body

    def json(self) -> Any:
        """The body of a request to the sink's own API. Raises ApiError (400)."""
        try:
            return json.loads(self.body(MAX_CONTROL_BYTES) or b"null")
        except ValueError as error:
            raise ApiError(400, "INVALID_ARGUMENT", f"The body must be JSON: {error}.") from error

    def query(self, *names: str) -> str | None:
        """The first value of the first of these parameters that is there."""
        parameters = parse_qs(self.environ.get("QUERY_STRING", ""))
        return next((parameters[name][0] for name in names if name in parameters), None)

    def whole_number(self, name: str, low: int, high: int) -> int | None:
        """Raises ApiError (400)."""
        text = self.query(name)
        if text is None:
            return None
        digits = text.removeprefix("-")
        if not (digits.isascii() and digits.isdigit() and len(digits) < 16 and low <= int(text) <= high):
            raise ApiError(400, "INVALID_ARGUMENT", f"{name} must be a whole number from {low} to {high}.")
        return int(text)

    def header(self, name: str) -> str | None:
        value: str | None = self.environ.get("HTTP_" + name.upper().replace("-", "_"))
        return value
