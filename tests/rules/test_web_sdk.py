"""The real web SDK, through @firebase/rules-unit-testing, gets the verdicts that the table gets over gRPC."""

import json
import subprocess
from datetime import datetime
from pathlib import Path

import pytest

from firesuite.rules.tables import load_table
from firesuite.rules.values import DELETED, NOW

from .conftest import ROOT

WEB = Path(__file__).parent / "web"
CALLERS = ("anonymous", "owner", "other", "admin", "deleted")
# What the SDK can say and the table names it: a create is a set there, and its lists are queries.
OPERATIONS = ("get", "query", "count", "update", "set", "delete", "transaction")


@pytest.fixture
def node(engine):
    host, port = engine.address.split(":")
    common = {
        "project": "demo-web",
        "host": host,
        "port": int(port),
        "rules": (ROOT / "rules" / "firestore.rules").read_text(encoding="utf-8"),
    }

    def run(script, **given):
        process = subprocess.run(
            ["node", WEB / script],
            input=json.dumps(common | given, default=encoded),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert process.returncode == 0, process.stderr
        return json.loads(process.stdout)

    return run


def encoded(value):
    if isinstance(value, datetime):
        return {"$time": value.isoformat()}
    return {NOW: {"$now": True}, DELETED: {"$deleted": True}}[value]


def test_the_same_verdicts(node):
    table = load_table(Path(__file__).parent / "wattle.yaml")
    # In the sample: every read, and those writes that some caller is allowed; an SDK sends an empty update to nobody.
    rows = [
        row
        for row in table.rows
        if row.operation in OPERATIONS
        and not (row.group or row.offset or row.any_of)
        and (not row.is_write or "owner" in row.allow or "notifications" in row.target)
        and (row.operation != "update" or row.data)
    ]
    cells = [cell for cell in table.cells() if cell.row in rows and cell.caller_name in CALLERS]
    asked = [
        {
            "caller": {"uid": cell.caller.uid, "claims": cell.caller.claims},
            "row": {
                "operation": cell.row.operation,
                "target": cell.row.target,
                "where": cell.row.where,
                "order_by": cell.row.order_by,
                "limit": cell.row.limit,
                "data": cell.row.data,
                "reads": cell.row.reads,
                "writes": [{"path": write.path, "data": write.data} for write in cell.row.writes],
                "is_write": cell.row.is_write,
            },
        }
        for cell in cells
    ]
    verdicts = node("verdicts.mjs", documents=table.documents, cells=asked)
    different = {cell.id: got for cell, got in zip(cells, verdicts, strict=True) if got != cell.allowed}
    assert not different
    assert len(cells) > 200


def test_a_listener_ends_when_a_change_takes_the_document_out_of_reach(node):
    seen = node("listener.mjs")
    assert seen["document"] == [["o1:1"], ["o1:2"], "denied"]
    # A query proves what it may see: the order leaves its result, and nothing of its new state is shown.
    assert seen["query"] == [["o1:1"], ["o1:2"], []]
