"""Whole matrices: path x operation x caller -> verdict, in YAML or in Python; one cell is one request of one caller.

    callers:                     # a name for everybody who asks
      anonymous:
      owner: {uid: alice, claims: {email_verified: true}}
    documents:                   # what is there, written with rules off before every cell
      orders/o1: {userId: alice}
    rows:                        # who is allowed; everybody else is denied
      - get: orders/o1
        allow: [owner]
      - query: orders
        where: [[userId, ==, alice]]
        limit: 101
        allow: []

A row has one of get, list, query, count, listen, create, update, set, delete (a path or a collection), commit (a list
of writes) or transaction (`reads` and `writes`). `data` is what is written: `!now` is the time of the request,
`!deleted` takes a field away, `!ref users/u1` is a reference. A query has `where`, `any_of`, `order_by`, `limit`,
`offset` and `group`, as `queries.Query` says. `callers` narrows a row to some of them.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from firesuite.errors import SuiteError
from firesuite.rules.client import Client, Outcome
from firesuite.rules.queries import Filter, Query
from firesuite.rules.tokens import Caller
from firesuite.rules.values import DELETED, NOW, Reference
from firesuite.rules.writes import Write, create, delete, replace, update

OPERATIONS = (
    *("get", "list", "query", "count", "listen"),
    *("create", "update", "set", "delete", "commit", "transaction"),
)
_WRITES = frozenset(OPERATIONS[5:])
_WRITE_KINDS = {"create": create, "update": update, "set": replace}


class TableError(SuiteError):
    """A table that cannot be run; the text names the file and the row."""


@dataclass(frozen=True)
class Row:
    """One request, and the names of the callers to whom it is allowed. `callers` empty means every caller."""

    operation: str
    target: str = ""
    allow: tuple[str, ...] = ()
    name: str = ""
    callers: tuple[str, ...] = ()
    data: Mapping[str, Any] = field(default_factory=dict)
    where: tuple[Filter, ...] = ()
    order_by: tuple[str, ...] = ()
    limit: int | None = None
    offset: int = 0
    group: bool = False
    any_of: tuple[tuple[Filter, ...], ...] = ()
    reads: tuple[str, ...] = ()
    writes: tuple[Write, ...] = ()

    @property
    def is_write(self) -> bool:
        return self.operation in _WRITES

    def title(self) -> str:
        """What tells this row from others of its table."""
        shown = self.target or ", ".join(f"{write.kind} {write.path}" for write in self.writes)
        if self.where or self.any_of or self.order_by or self.offset:
            shown = str(self._query())
        elif self.limit is not None:
            shown += f" limit {self.limit}"
        return f"{self.operation} {shown}{' group' if self.group else ''}{f' ({self.name})' if self.name else ''}"

    def send(self, client: Client) -> Outcome:
        """Makes the request."""
        send: dict[str, Callable[[], Outcome]] = {
            "get": lambda: client.get(self.target),
            "list": lambda: client.list(self.target, self.limit),
            "query": lambda: client.query(self._query()),
            "count": lambda: client.count(self._query()),
            "listen": lambda: client.listen(self.target if self.target.count("/") % 2 else self._query()),
            "create": lambda: client.create(self.target, self.data),
            "update": lambda: client.update(self.target, self.data),
            "set": lambda: client.set(self.target, self.data),
            "delete": lambda: client.delete(self.target),
            "commit": lambda: client.commit(self.writes),
            "transaction": lambda: client.transaction(self.reads, lambda _: self.writes),
        }
        outcome = send[self.operation]()
        if self.operation == "listen" and outcome.allowed:
            outcome.value.close()
        return outcome

    def _query(self) -> Query:
        return Query(self.target, self.where, self.order_by, self.limit, self.offset, self.group, self.any_of)


@dataclass(frozen=True)
class Cell:
    """One row for one caller."""

    row: Row
    caller_name: str
    caller: Caller
    allowed: bool
    table: "Table" = field(repr=False)

    @property
    def id(self) -> str:
        """For a test's name: the request, the caller and the verdict."""
        title = re.sub(r"\s+", "_", self.row.title())
        return f"{title}-{self.caller_name}-{'allow' if self.allowed else 'deny'}"


@dataclass(frozen=True)
class Table:
    """A matrix. Raises `TableError` for a row that names a caller or an operation that is not there."""

    callers: Mapping[str, Caller]
    documents: Mapping[str, Mapping[str, Any]]
    rows: Sequence[Row]
    name: str = "table"

    def __post_init__(self) -> None:
        for number, row in enumerate(self.rows, 1):
            unknown = {*row.allow, *row.callers} - self.callers.keys()
            if unknown:
                raise TableError(f"{self.name}, row {number}: no caller is named {', '.join(sorted(unknown))}.")
            if row.callers and not set(row.allow) <= set(row.callers):
                raise TableError(f"{self.name}, row {number}: 'allow' names somebody whom 'callers' leaves out.")
            if row.operation not in OPERATIONS:
                raise TableError(f"{self.name}, row {number}: use one of {', '.join(OPERATIONS)}.")
        titles = [row.title() for row in self.rows]
        for title in titles:
            if titles.count(title) > 1:
                raise TableError(f"{self.name}: two rows are '{title}': give them a 'name'.")

    def cells(self) -> Iterator[Cell]:
        """Row by row, in each the callers in their order."""
        for row in self.rows:
            for name, caller in self.callers.items():
                if not row.callers or name in row.callers:
                    yield Cell(row, name, caller, name in row.allow, self)


def load_table(path: Path | str) -> Table:
    """Reads a YAML table. Raises `TableError` with the file and the row."""
    path = Path(path)
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), _Loader)  # noqa: S506 - a SafeLoader with three tags
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise TableError(f"{path}: {error}") from error
    if not isinstance(content, dict) or not {"callers", "rows"} <= content.keys():
        raise TableError(f"{path}: a table has 'callers', 'rows' and, where documents are needed, 'documents'.")
    callers = {name: _caller(path, name, given or {}) for name, given in content["callers"].items()}
    rows = [_row(path, number, given) for number, given in enumerate(content["rows"], 1)]
    return Table(callers, content.get("documents") or {}, rows, str(path))


def parse_row(text: str) -> Row:
    """One request on its own: `get orders/o1`, or a row of a table in one line. Raises `TableError`."""
    if not text.lstrip().startswith("{"):
        operation, _, target = text.strip().partition(" ")
        text = f"{{{operation}: {target.strip()}}}"
    try:
        given = yaml.load(text, _Loader)  # noqa: S506 - a SafeLoader with three tags
    except yaml.YAMLError as error:
        raise TableError(f"{text}: {error}") from error
    return _row(Path("request"), 1, {"allow": [], **given})


def _caller(path: Path, name: str, given: Mapping[str, Any]) -> Caller:
    if unknown := given.keys() - {"uid", "claims", "project", "token"}:
        raise TableError(f"{path}, caller {name}: unknown {', '.join(sorted(unknown))}.")
    return Caller(**{"claims": {}, **given})


def _row(path: Path, number: int, given: Mapping[str, Any]) -> Row:
    where = f"{path}, row {number}"
    if not isinstance(given, Mapping):
        raise TableError(f"{where}: a row is a mapping such as {{get: orders/o1, allow: [owner]}}.")
    operations = [operation for operation in OPERATIONS if operation in given]
    if len(operations) != 1:
        raise TableError(f"{where}: needs exactly one of {', '.join(OPERATIONS)}, has {len(operations)}.")
    [operation] = operations
    known = {operation, "allow", "name", "callers", "data", "where", "order_by", "limit", "offset", "group", "any_of"}
    if unknown := given.keys() - known:
        raise TableError(f"{where}: unknown {', '.join(sorted(map(str, unknown)))}.")
    if "allow" not in given:
        raise TableError(f"{where}: 'allow' is missing; write 'allow: []' where nobody is.")
    target = given[operation]
    writes: tuple[Write, ...] = ()
    reads: tuple[str, ...] = ()
    if operation == "commit":
        writes, target = tuple(_write(where, item) for item in target), ""
    elif operation == "transaction":
        reads, writes = tuple(target["reads"]), tuple(_write(where, item) for item in target["writes"])
        target = ""
    return Row(
        operation=operation,
        target=target,
        allow=tuple(given["allow"]),
        name=given.get("name", ""),
        callers=tuple(given.get("callers", ())),
        data=given.get("data", {}),
        where=_filters(given.get("where", ())),
        any_of=tuple(_filters(group) for group in given.get("any_of", ())),
        order_by=tuple(given.get("order_by", ())),
        limit=given.get("limit"),
        offset=given.get("offset", 0),
        group=given.get("group", False),
        reads=reads,
        writes=writes,
    )


def _filters(given: Sequence[Any]) -> tuple[Filter, ...]:
    return tuple((name, operator, value) for name, operator, value in given)


def _write(where: str, given: Mapping[str, Any]) -> Write:
    for kind, make in _WRITE_KINDS.items():
        if kind in given:
            return make(given[kind], given.get("data", {}))
    if "delete" in given:
        return delete(given["delete"])
    raise TableError(f"{where}: a write is one of create, update, set or delete with a path.")


class _Loader(yaml.SafeLoader):
    """Safe YAML, and `==` as the text it is: YAML 1.1 reads a lone `=` as a type of its own."""


_Loader.add_constructor("!now", lambda _, __: NOW)
_Loader.add_constructor("!deleted", lambda _, __: DELETED)
_Loader.add_constructor("!ref", lambda _, node: Reference(str(node.value)))
_Loader.add_constructor("tag:yaml.org,2002:value", lambda _, node: str(node.value))
