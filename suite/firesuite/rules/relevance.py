"""Which requests could come out differently under changed rules.

A verdict depends on the allow statements that are for the request's method and path, and on the functions they reach,
and on nothing else of the file. Requests for which all of these are the same need not be made again.
"""

from functools import cache

from firesuite.rules.explain import matches
from firesuite.rules.syntax import Allow, Call, Expr, Function, Name, Ruleset, Scope, scopes
from firesuite.rules.tables import Row

Check = tuple[str, str]
"""A method and the path of a document; `*` stands for the document of a list."""


def checks(row: Row) -> list[Check] | None:
    """The checks that the rules make for a row; None where its path is not known, as of a collection group."""
    if row.group:
        return None
    if row.operation in ("list", "query", "count") or (row.operation == "listen" and row.target.count("/") % 2 == 0):
        # An equality on the document's name is judged on that document's path.
        return None if any(name == "__name__" for name, _, _ in row.where) else [("list", f"{row.target}/*")]
    if row.operation in ("get", "listen"):
        return [("get", row.target)]
    if row.operation in ("create", "update", "delete"):
        return [(row.operation, row.target)]
    if row.operation == "set":
        return [("create", row.target), ("update", row.target)]
    kinds = {"create": ("create",), "update": ("update",), "delete": ("delete",), "set": ("create", "update")}
    found = [("get", path) for path in row.reads]
    found += [(kind, write.path) for write in row.writes for kind in kinds[write.kind]]
    return found


class Relevance:
    """Compares one ruleset with changed ones."""

    def __init__(self, ruleset: Ruleset) -> None:
        self._decisive = cache(Decisive(ruleset))

    def differs(self, other: "Relevance", row: Row) -> bool:
        """Whether a row's verdict may differ between the two."""
        found = checks(row)
        if found is None:
            return True
        return any(self._decisive(check) != other._decisive(check) for check in found)  # noqa: SLF001 - of its own class


class Decisive:
    """What decides a check under one ruleset, in a form that can be compared."""

    def __init__(self, ruleset: Ruleset) -> None:
        self._scopes = list(scopes(ruleset))

    def __call__(self, check: Check) -> list[tuple[object, ...]]:
        method, path = check
        names = ["databases", "(default)", "documents", *path.split("/")]
        return [
            (scope.segments, allow.condition, reachable(allow, scope))
            for scope in self._scopes
            if matches(scope.segments, names)
            for allow in scope.match.allows
            if method in allow.kinds()
        ]


def reachable(allow: Allow, scope: Scope) -> list[Function]:
    """The functions that a condition may call, by name as its block sees them, in the order they are met."""
    found: dict[str, Function] = {}
    todo: list[Expr] = [allow.condition] if allow.condition else []
    while todo:
        for node in todo.pop().walk():
            if isinstance(node, Call) and isinstance(node.callee, Name):
                function = scope.functions.get(node.callee.name)
                if function and function.name not in found:
                    found[function.name] = function
                    todo.extend(function.expressions())
    return list(found.values())
