"""docs/data.md against the security rules, the indexes, and the inventory of docs/privacy.md."""

import json
import re

from tests.conftest import ROOT

from firesuite.rules.parser import load

PAGE = (ROOT / "docs" / "data.md").read_text(encoding="utf-8")
INVENTORY = (ROOT / "docs" / "privacy.md").read_text(encoding="utf-8")
INDEXES = json.loads((ROOT / "firestore.indexes.json").read_text(encoding="utf-8"))


def collection(path):
    """Such as users/*/devices, of the path of the collection or of its documents."""
    parts = path.strip("/").split("/")
    parts = parts[: len(parts) - (len(parts) % 2 == 0)]
    return "/".join("*" if number % 2 else part for number, part in enumerate(parts))


READERS = {
    collection(path): readers
    for path, readers in re.findall(r"^\| `([A-Za-z/{}]+)` \| (.+?) \| .+ \|$", PAGE, re.MULTILINE)
}
INVENTORIED = {collection(path) for path in re.findall(r"^\| `([A-Za-z/{}]+)` \|", INVENTORY, re.MULTILINE)}


def allowing(matches, above=""):
    """(path, kinds of access) of each match in the rules that allows something."""
    for match in matches:
        path = above + "".join(f"/{segment.text}" for segment in match.segments)
        kinds = frozenset().union(*(allow.kinds() for allow in match.allows))
        if kinds:
            yield path.partition("/documents/")[2], kinds
        yield from allowing(match.matches, path)


_, RULES = load(ROOT / "rules" / "firestore.rules")
ALLOWED = {collection(path): kinds for service in RULES.services for path, kinds in allowing(service.matches)}


def test_it_has_every_collection_of_the_inventory():
    assert READERS.keys() == INVENTORIED


def test_what_is_read_directly_is_what_the_rules_allow():
    assert {path for path, readers in READERS.items() if readers != "nobody"} == ALLOWED.keys()


def test_one_thing_is_written_directly():
    changing = {"create", "update", "delete"}
    assert {path: kinds & changing for path, kinds in ALLOWED.items() if kinds & changing} == {
        "users/*/notifications": {"update"}
    }


def test_every_index_is_of_a_collection_that_there_is():
    groups = {path.rpartition("/")[2] for path in READERS}
    indexed = {entry["collectionGroup"] for entry in INDEXES["indexes"] + INDEXES["fieldOverrides"]}
    assert indexed <= groups
