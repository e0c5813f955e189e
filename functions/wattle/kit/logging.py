"""Structured logs: one JSON object a line, in the fields that Cloud Logging reads.

Source: Cloud Logging, "Structured logging", special JSON fields.
"""

import json
import logging
import sys
from collections.abc import Mapping
from contextvars import ContextVar
from datetime import UTC, datetime

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
            line["message"] = f"{line['message']}\n{self.formatException(record.exc_info)}"
        return json.dumps(line, ensure_ascii=False, default=str)


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
