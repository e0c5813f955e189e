"""What fireemu's export loses and a start with it can be given back: the database of a reference.

The format has no place for it, so that each leads to `(default)` afterwards, also from one document of another database
to the next. (Nor has it one for the times of documents, which nobody can set.)
"""

import itertools
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from firesuite.files import entries
from firesuite.project import Project
from firesuite.rest import ask

_DEFAULT = "(default)"

_DATABASE = re.compile(r'("referenceValue": "projects/[^/"]+/databases/)([^/"]+)/')
# Of one batchWrite: https://firebase.google.com/docs/firestore/quotas#writes_and_transactions
_WRITES = 500


class References:
    """Those of a project to other databases than the default one: read beside the export, put back after the start."""

    def __init__(self, project: Project, export: Path, firestore_port: int) -> None:
        """Read all documents, if the project has more databases than one. Raises SuiteError."""
        self._project_id = project.project_id
        self._port = firestore_port
        manifest = json.loads((export / "firebase-export-metadata.json").read_text(encoding="utf-8"))
        used = (entry["database"] for entry in manifest.get("fireemu", {}).get("firestoreDatabases", ()))
        declared = (str(entry.get("database", _DEFAULT)) for entry in entries(project.firebase_json, "firestore"))
        databases = {_DEFAULT, *used, *declared}
        self._kept = {name: self._documents(name) for name in databases} if len(databases) > 1 else {}

    def put_back(self, hub_port: int | None) -> None:
        """Where a document is still as the import left it. Raises SuiteError.

        No function hears of it: `hub_port` is where events are switched off meanwhile, None where none are delivered.
        """
        if not any(self._kept.values()):
            return
        if hub_port is not None:
            ask("PUT", hub_port, "/functions/disableBackgroundTriggers")
        try:
            for database, documents in self._kept.items():
                for batch in _batches(self._writes(database, documents)):
                    ask("POST", self._port, f"{self._path(database)}:batchWrite", {"writes": batch})
        finally:
            if hub_port is not None:
                ask("PUT", hub_port, "/functions/enableBackgroundTriggers")

    def _documents(self, database: str) -> dict[str, Mapping[str, Any]]:
        """The fields of the documents with such references, by their names."""
        query = {"structuredQuery": {"from": [{"allDescendants": True}]}}
        answers: Any = ask("POST", self._port, f"{self._path(database)}:runQuery", query)
        found = (answer["document"] for answer in answers if "document" in answer)
        return {document["name"]: fields for document in found if _lost(fields := document.get("fields", {})) != fields}

    def _writes(self, database: str, documents: Mapping[str, Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
        names = {"documents": list(documents)}
        answers: Any = ask("POST", self._port, f"{self._path(database)}:batchGet", names)
        for document in (answer["found"] for answer in answers if "found" in answer):
            fields = documents[document["name"]]
            if document["fields"] == _lost(fields):
                precondition = {"updateTime": document["updateTime"]}
                yield {"update": {"name": document["name"], "fields": fields}, "currentDocument": precondition}

    def _path(self, database: str) -> str:
        return f"/v1/projects/{self._project_id}/databases/{database}/documents"


def _lost(fields: Mapping[str, Any]) -> Any:
    """What an export makes of them."""
    return json.loads(_DATABASE.sub(rf"\1{_DEFAULT}/", json.dumps(fields)))


def _batches(writes: Iterator[Mapping[str, Any]]) -> Iterator[list[Mapping[str, Any]]]:
    while batch := list(itertools.islice(writes, _WRITES)):
        yield batch
