"""Structured logs: one JSON object a line, in the fields that Cloud Logging reads.

Lines carry no personal data. What we write ourselves names nobody; what an exception says is not ours, so its text is
cut: see `redacted`.

Source: Cloud Logging, "Structured logging", special JSON fields.
"""

import json
import logging
import re
import sys
import traceback
from collections.abc import Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Final

from pydantic_core import PydanticSerializationError, to_json

log_fields: ContextVar[Mapping[str, object]] = ContextVar("log_fields", default={})  # noqa: B039 (a Mapping: never written to)
"""Fields that every line of the present request carries, such as `requestId` and the trace."""

_SEVERITY = {logging.DEBUG: "DEBUG", logging.INFO: "INFO", logging.WARNING: "WARNING", logging.ERROR: "ERROR"}


class JsonFormatter(logging.Formatter):
    """Writes a record with its `extra={"fields": {...}}` and the request's `log_fields`."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "severity": _SEVERITY.get(record.levelno, "CRITICAL"),
            "message": record.getMessage(),
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "logger": record.name,
            **log_fields.get(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            # Error Reporting groups by a stack trace found at the end of `message`.
            line["message"] = f"{line['message']}\n{_trace(record.exc_info[1])}"
        try:
            return to_json(line, fallback=str).decode()
        except PydanticSerializationError:  # half of a surrogate pair, or bytes, that are no UTF-8: no line is lost
            return json.dumps(line, default=str)


# What people and things are called in the messages of libraries, and what stands in its place.
_PERSONAL: Final = (
    # Also the beginning of one: the claims stand before the signature.
    (re.compile(r"eyJ[\w-]{8,}(?:\.[\w-]*)*"), "<token>"),
    (re.compile(r"[^\s@\"'<>()\[\]]+@[^\s@\"'<>()\[\],;]+"), "<address>"),
    # Firestore's own messages name documents: projects/p/databases/(default)/documents/users/u1.
    # Ids of users may have blanks and quotes in them, so nothing tells where a path ends.
    (re.compile(r"documents/.+"), "documents/<path>"),
    # Values that an exception quotes: KeyError('alice'), input_value='Alice'.
    (re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\""), "<value>"),
    # Telephone numbers, card numbers, whatever has so many digits.
    (re.compile(r"\+?\d[\d -]{5,}\d"), "<number>"),
)
_MESSAGE_LENGTH: Final = 500
# What is looked for takes the square of the length: 180 kB of a service's answer took 70 s, this takes 20 ms at most.
_LOOKED_AT: Final = 2000


def redacted(message: str) -> str:
    """The message of an exception without addresses, tokens, paths of documents, quoted values and long numbers."""
    if len(message) > _LOOKED_AT:
        # A value that is cut has lost its closing quote, and would not be known as one.
        message = f"{message[:_LOOKED_AT]}'\""
    for pattern, instead in _PERSONAL:
        message = pattern.sub(instead, message)
    return message[:_MESSAGE_LENGTH]


def _trace(error: BaseException | None) -> str:
    """The stack trace as Python prints it, causes first, with its messages redacted."""
    parts: list[str] = []
    while error is not None:
        lines = traceback.format_tb(error.__traceback__)
        said = f"{type(error).__module__}.{type(error).__qualname__}: {redacted(str(error))}"
        parts.append(f"Traceback (most recent call last):\n{''.join(lines)}{said}")
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return _BECAUSE.join(reversed(parts))


_BECAUSE: Final = "\n\nThe above exception was the direct cause of the following exception:\n\n"


def configure(level: str) -> None:
    """Send the `wattle` loggers to standard output as JSON. Calling it again changes the level only."""
    root = logging.getLogger("wattle")
    root.setLevel(level)
    if root.handlers:
        return
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonFormatter())
    root.addHandler(handler)
    root.propagate = False
