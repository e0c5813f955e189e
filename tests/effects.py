"""What a call left behind: the documents that it wrote and the accounts that it changed, comparable between two runs.

Ids, times and whatever else is different each time are left out. What these are is learnt from two runs in which
nothing fails.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from tests.backend import Backend
from tests.people import People

# Unix seconds of this century: a time, whatever its type.
_TIME = range(10**9, 10**10)
_NOT_THE_CALLS = {
    "orders/*": {"shard"},  # 0 to 9, of the random id: two runs may agree by chance
    # Triggers and tasks go on with what was begun.
    "broadcasts/*": {"chunksDone", "outcome"},
    "broadcasts/*/chunks/*": {"done", "holder", "userIds", "userIds[0]"},
}

Leaves = dict[str, object]
"""The values of a document, by their paths in it."""


@dataclass(frozen=True)
class Effects:
    """The documents, each under the path of its kind: `orders/*/events/*`."""

    documents: tuple[tuple[str, Leaves], ...]

    def differing(self, other: "Effects") -> frozenset[tuple[str, str]]:
        """The (kind, path) of the values that are not the same in both."""
        return frozenset(
            place
            for place in self._places() | other._places()
            if _sorted(self._values(*place)) != _sorted(other._values(*place))
        )

    def without(self, places: frozenset[tuple[str, str]]) -> list[str]:
        """What can be compared, a line for each document."""
        return sorted(
            f"{kind} {json.dumps({p: _told(v) for p, v in sorted(leaves.items()) if (kind, p) not in places})}"
            for kind, leaves in self.documents
        )

    def _places(self):
        return {(kind, path) for kind, leaves in self.documents for path in leaves}

    def _values(self, kind, path):
        return [leaves.get(path, _ABSENT) for name, leaves in self.documents if name == kind]


_ABSENT = "(absent)"


def effects_of(backend: Backend, people: People, paths: Iterable[str]) -> Effects:
    """Of the documents at `paths` those that there are, and the accounts of the users among them.

    The counters of rate limits are left out: they are of the caller, not of the call.
    """
    found = []
    uids = set()
    for path in sorted(set(paths)):
        parts = path.split("/")
        if parts[0] == "rateLimits":
            continue
        if parts[0] in ("users", "revocations"):
            uids.add(parts[1])
        data = backend.document(path)
        if data is not None:
            kind = "/".join(part if number % 2 == 0 else "*" for number, part in enumerate(parts))
            leaves = dict(_leaves(data, ""))
            if leaves.get("state") == "sent":
                leaves["state"] = "sending"  # a broadcast that its task was done with before this looked
            found.append((kind, {p: v for p, v in leaves.items() if p not in _NOT_THE_CALLS.get(kind, ())}))
    for uid in sorted(uids):
        account = people.account(uid)
        if account is not None:
            claims = json.loads(account.get("customAttributes") or "{}")
            found.append(("account", {"disabled": account.get("disabled", False), "claims": json.dumps(claims)}))
    return Effects(tuple(found))


def _leaves(value, path):
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from _leaves(inner, f"{path}.{name}" if path else name)
    elif isinstance(value, list) and value:
        for number, inner in enumerate(value):
            yield from _leaves(inner, f"{path}[{number}]")
    else:
        yield path, value


def _told(value):
    if isinstance(value, datetime) or (isinstance(value, int) and value in _TIME):
        return "(a time)"
    return value if isinstance(value, str | int | bool | None) else repr(value)


def _sorted(values):
    return sorted(repr(_told(value)) for value in values)
