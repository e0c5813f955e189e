"""What the code asks of Firestore and writes to it, and from which lines its queries come."""

import ast
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

from wattle.adapters.firestore import Query

CODE = Path(__file__).resolve().parents[2] / "functions" / "wattle"


class Recording:
    """A plan for the calls to Firestore by which none fails: it keeps the queries and the written documents."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.queries = []
        self.writes = []

    def __call__(self, call) -> None:
        with self._lock:
            if call.method == "RunQuery":
                self.queries.append(call.request.structured_query)
            elif call.method == "RunAggregationQuery":
                self.queries.append(call.request.structured_aggregation_query.structured_query)
            elif call.method == "Commit":
                self.writes.extend(call.request.writes)


class Sites:
    """Where in the code queries are made: `places` are (file, first line, last line), `reached` those that were."""

    def __init__(self) -> None:
        self.places = [
            (path, call.lineno, call.end_lineno)
            for path in sorted(CODE.rglob("*.py"))
            for call in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "Query"
        ]
        self.reached = set()

    @property
    def missing(self) -> list[str]:
        return [
            f"{path.relative_to(CODE)}:{first}"
            for path, first, last in self.places
            if (path, first) not in self.reached
        ]

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Notes each place at which a Query is made inside the block."""
        make = Query.__init__

        def noting(query, *values, **named):
            frame = sys._getframe(1)
            path, line = Path(frame.f_code.co_filename), frame.f_lineno
            self.reached |= {
                (place, first) for place, first, last in self.places if place == path and first <= line <= last
            }
            make(query, *values, **named)

        with mock.patch.object(Query, "__init__", noting):
            yield
