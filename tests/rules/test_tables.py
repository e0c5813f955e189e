"""Tables: one cell for each request and caller, and a message for what cannot be run."""

import pytest

from firesuite.rules.plugin import check, table
from firesuite.rules.tables import Row, Table, TableError, load_table, parse_row
from firesuite.rules.tokens import Caller
from firesuite.rules.values import DELETED, NOW, Reference
from firesuite.rules.writes import create, delete

CALLERS = {"owner": Caller("alice"), "other": Caller("bob")}
IN_PYTHON = Table(
    callers=CALLERS,
    documents={"orders/o1": {"userId": "alice"}, "users/alice/notifications/n1": {"readAt": None, "title": "x"}},
    rows=[
        Row("get", "orders/o1", allow=("owner",)),
        Row("delete", "orders/o1"),
        Row("update", "users/alice/notifications/n1", allow=("owner",), data={"readAt": NOW}, callers=("owner",)),
    ],
)


@table(IN_PYTHON)
def test_a_table_in_python(rules, cell):
    check(rules, cell)


def test_one_id_for_each_cell():
    assert [cell.id for cell in IN_PYTHON.cells()] == [
        "get_orders/o1-owner-allow",
        "get_orders/o1-other-deny",
        "delete_orders/o1-owner-deny",
        "delete_orders/o1-other-deny",
        "update_users/alice/notifications/n1-owner-allow",
    ]


def write(tmp_path, text):
    path = tmp_path / "table.yaml"
    path.write_text(text)
    return path


def test_everything_a_row_may_say(tmp_path):
    path = write(
        tmp_path,
        """
        callers:
          anonymous:
          owner: {uid: alice, claims: {role: x}}
          foreign: {uid: a, project: demo-b}
          raw: {token: t}
        documents: {a/1: {n: 1, at: 2026-01-01T00:00:00Z}}
        rows:
          - {get: a/1, allow: [owner]}
          - {get: a/1, name: again, allow: [], callers: [anonymous]}
          - query: a
            where: [[n, ==, 1], [o, array-contains, =]]
            any_of: [[[p, <, 1]]]
            order_by: [-n]
            limit: 5
            offset: 1
            allow: []
          - {update: a/1, data: {n: !deleted , at: !now , who: !ref users/u1 }, allow: []}
          - {commit: [{create: a/2, data: {n: 2}}, {delete: a/1}], allow: []}
          - {transaction: {reads: [a/1], writes: [{set: a/1, data: {}}]}, allow: []}
        """,
    )
    loaded = load_table(path)
    assert loaded.callers["foreign"] == Caller("a", project="demo-b")
    assert loaded.callers["raw"].token == "t"
    query, changed, commit, transaction = loaded.rows[2:]
    assert query.where == (("n", "==", 1), ("o", "array-contains", "="))
    assert query.any_of == ((("p", "<", 1),),)
    assert (query.order_by, query.limit, query.offset) == (("-n",), 5, 1)
    assert changed.data == {"n": DELETED, "at": NOW, "who": Reference("users/u1")}
    assert commit.writes == (create("a/2", {"n": 2}), delete("a/1"))
    assert transaction.reads == ("a/1",)
    assert len(list(loaded.cells())) == 5 * 4 + 1


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("[{get: a/1, allow: [nobody]}]", "row 1: no caller is named nobody"),
        ("[{get: a/1, allow: [owner], callers: [other]}]", "whom 'callers' leaves out"),
        ("[{fetch: a/1, allow: []}]", "row 1: needs exactly one of get, list"),
        ("[{get: a/1, list: a, allow: []}]", "has 2"),
        ("[{get: a/1}]", "row 1: 'allow' is missing"),
        ("[{get: a/1, allow: [], limt: 3}]", "row 1: unknown limt"),
        ("[{get: a/1, allow: []}, {get: a/1, allow: []}]", "two rows are 'get a/1'"),
        ("[get]", "a row is a mapping"),
        ("[{commit: [{fetch: a/1}], allow: []}]", "a write is one of create"),
        ("{", "while parsing"),
    ],
)
def test_a_table_that_cannot_be_run_says_which_row(tmp_path, rows, message):
    path = write(tmp_path, f"callers: {{owner: {{uid: a}}, other: {{uid: b}}}}\nrows: {rows}\n")
    with pytest.raises(TableError, match=message):
        load_table(path)


def test_unknown_keys_of_a_caller_and_missing_parts(tmp_path):
    with pytest.raises(TableError, match="caller a: unknown role"):
        load_table(write(tmp_path, "callers: {a: {uid: x, role: admin}}\nrows: []\n"))
    with pytest.raises(TableError, match="a table has 'callers'"):
        load_table(write(tmp_path, "rows: []\n"))
    with pytest.raises(TableError, match="No such file"):
        load_table(tmp_path / "none.yaml")


def test_one_request_on_its_own():
    assert parse_row("get orders/o1") == Row("get", "orders/o1")
    assert parse_row("{query: orders, where: [[a, ==, 1]], limit: 3}") == Row(
        "query", "orders", where=(("a", "==", 1),), limit=3
    )
    with pytest.raises(TableError, match="needs exactly one of"):
        parse_row("read orders/o1")
