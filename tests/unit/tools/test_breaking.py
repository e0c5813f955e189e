"""What breaks apps, and what does not."""

import copy
import json

import pytest
from tests.described import description
from tools.breaking import breaking_changes

from tools import openapi

ITEM = {
    "type": "object",
    "properties": {
        "id": {"type": "string", "pattern": "^[a-z]+$"},
        "count": {"type": "integer", "minimum": 1, "maximum": 9},
        "note": {"type": ["string", "null"], "maxLength": 10},
        "state": {"$ref": "#/components/schemas/State"},
        "place": {"anyOf": [{"$ref": "#/components/schemas/Place"}, {"type": "null"}]},
        "tags": {"type": "array", "items": {"type": "string"}, "maxItems": 5},
    },
    "required": ["id"],
    "additionalProperties": False,
}
OLD = {
    "paths": {
        "/v1/items/{id}": {
            "put": {
                "operationId": "putItem",
                "parameters": [
                    {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}},
                    {"name": "limit", "in": "query", "required": False, "schema": {"type": "integer", "minimum": 1}},
                    {"$ref": "#/components/parameters/Key"},
                ],
                "requestBody": {
                    "required": True,
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/NewItem"}}},
                },
                "responses": {
                    "200": {
                        "headers": {"X-Request-Id": {}},
                        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Item"}}},
                    },
                    "409": {"x-error-codes": ["TAKEN", "LOST"]},
                },
            },
            "get": {"operationId": "getItem", "security": [], "responses": {"200": {}}},
        }
    },
    "components": {
        "schemas": {
            "NewItem": ITEM,
            "Item": {**copy.deepcopy(ITEM), "required": list(ITEM["properties"])},
            "State": {"type": "string", "enum": ["new", "old"]},
            "Place": {
                "type": "object",
                "properties": {
                    "city": {"type": "string"},
                    "inside": {"anyOf": [{"$ref": "#/components/schemas/Place"}, {"type": "null"}]},
                },
                "required": ["city"],
            },
        },
        "parameters": {"Key": {"name": "Key", "in": "header", "required": False, "schema": {"type": "string"}}},
    },
}
OPERATION = ("paths", "/v1/items/{id}", "put")
SENT = ("components", "schemas", "NewItem")
GOT = ("components", "schemas", "Item")
CODES = (*OPERATION, "responses", "409", "x-error-codes")
REMOVED = object()


def changed(*path, to):
    """OLD with one thing changed."""
    new = copy.deepcopy(OLD)
    part = new
    for name in path[:-1]:
        part = part[name]
    if to is REMOVED:
        del part[path[-1]]
    else:
        part[path[-1]] = to
    return new


def test_nothing_changed():
    assert breaking_changes(OLD, OLD) == []


@pytest.mark.parametrize(
    ("new", "sentence"),
    [
        (changed("paths", "/v1/items/{id}", to=REMOVED), "/v1/items/{id} is gone"),
        (changed(*OPERATION, to=REMOVED), "PUT /v1/items/{id} is gone"),
        (changed(*OPERATION, "operationId", to="setItem"), "generated clients call it putItem, now it is setItem"),
        (changed("paths", "/v1/items/{id}", "get", "security", to=[{}]), "was for anyone"),
        (changed(*OPERATION, "parameters", 1, to=REMOVED), "the query parameter limit is gone"),
        (changed(*OPERATION, "parameters", 1, "required", to=True), "the query parameter limit is required now"),
        (changed(*OPERATION, "parameters", 1, "schema", to={"type": "string"}), "cannot be integer any more"),
        (changed("components", "parameters", "Key", "name", to="Other"), "the header parameter Key is gone"),
        (changed("components", "parameters", "Key", "schema", "maxLength", to=5), "maxLength was none and is 5"),
        (changed(*OPERATION, "requestBody", to=REMOVED), "takes no body any more"),
        (changed(*SENT, "required", to=["id", "count"]), "the body.count is required now"),
        (changed(*SENT, "required", to=["id", "fresh"]), "the body.fresh is new and required"),
        (changed(*SENT, "properties", "note", to=REMOVED), "the body.note is gone"),
        (changed(*SENT, "properties", "note", "type", to="string"), "the body.note cannot be null any more"),
        (changed(*SENT, "properties", "note", "maxLength", to=9), "its maxLength was 10 and is 9 now"),
        (changed(*SENT, "properties", "count", "minimum", to=2), "its minimum was 1 and is 2 now"),
        (changed(*SENT, "properties", "id", "pattern", to="^a$"), "its pattern was ^[a-z]+$ and is ^a$ now"),
        (changed(*SENT, "properties", "tags", "items", to={"type": "integer"}), "tags[] cannot be string any more"),
        (changed(*SENT, "properties", "place", to={"type": "null"}), "the body.place cannot be Place any more"),
        (changed(*SENT, "properties", "id", "enum", to=["a"]), "the body.id cannot be anything else any more"),
        (changed("components", "schemas", "State", "enum", to=["new"]), "cannot be old any more"),
        (changed("components", "schemas", "State", "enum", to=["new"]), "is never old any more"),
        (changed(*GOT, "properties", "note", to=REMOVED), "the answer.note is gone"),
        (changed(*GOT, "required", to=["id"]), "the answer.count may be missing now"),
        (changed(*GOT, "properties", "id", "type", to=["string", "null"]), "the answer.id can be null now"),
        (changed(*GOT, "properties", "count", "type", to="number"), "the answer.count can be number now"),
        (changed(*GOT, "properties", "place", "anyOf", 1, to={"type": "string"}), "the answer.place can be string now"),
        (changed("components", "schemas", "Place", "properties", "city", to={"type": "integer"}), "can be Place now"),
        (changed(*OPERATION, "responses", "200", to=REMOVED), "answered 200 and does not any more"),
        (changed(*OPERATION, "responses", "200", "headers", to={}), "the header X-Request-Id is gone"),
        (changed(*OPERATION, "responses", "200", "content", to={}), "answers with no application/json any more"),
        (changed(*CODES, to=["TAKEN"]), "the error 409 LOST is gone"),
        (changed(*OPERATION, "responses", "409", to=REMOVED), "the error 409 TAKEN is gone"),
    ],
)
def test_what_breaks_is_told_in_a_sentence(new, sentence):
    found = breaking_changes(OLD, new)
    assert [change for change in found if sentence in change], found


@pytest.mark.parametrize(
    "new",
    [
        changed("paths", "/v1/more", to={"get": {"operationId": "more", "responses": {}}}),
        changed(*OPERATION, "parameters", 1, "schema", to={"type": ["integer", "string"]}),
        changed(*SENT, "properties", "fresh", to={"type": "string"}),
        changed(*SENT, "properties", "note", "maxLength", to=11),
        changed(*SENT, "properties", "count", "minimum", to=0),
        changed(*SENT, "properties", "count", "type", to="number"),
        changed(*SENT, "required", to=[]),
        changed(*GOT, "properties", "fresh", to={"type": "string"}),
        changed(*GOT, "properties", "note", "type", to="string"),
        changed("components", "schemas", "State", "enum", to=["new", "old", "lost"]),
        changed(*GOT, "properties", "place", to={"$ref": "#/components/schemas/Place"}),
        changed(*CODES, to=["TAKEN", "LOST", "MORE"]),
        changed(*OPERATION, "responses", "429", to={}),
        changed(*OPERATION, "summary", to="Other words."),
    ],
)
def test_what_does_not(new):
    assert breaking_changes(OLD, new) == []


def test_the_real_one_does_not_break_itself():
    document = description().document
    assert breaking_changes(document, json.loads(json.dumps(document))) == []


class TestTool:
    @pytest.fixture(autouse=True)
    def committed(self, tmp_path, monkeypatch):
        self.path = tmp_path / "docs" / "openapi.json"
        monkeypatch.setattr(openapi, "PATH", self.path)

    def test_it_writes_and_then_has_nothing_to_do(self):
        assert openapi.run(check=True, breaking=False) == 1
        assert openapi.run(check=False, breaking=False) == 0
        assert openapi.run(check=True, breaking=False) == 0
        assert json.loads(self.path.read_text())["openapi"] == "3.1.0"

    def test_what_breaks_is_not_written_by_itself(self, capsys):
        openapi.run(check=False, breaking=False)
        released = json.loads(self.path.read_text())
        released["paths"]["/v1/gone"] = {"get": {"operationId": "gone", "responses": {}}}
        self.path.write_text(json.dumps(released))
        assert openapi.run(check=True, breaking=False) == 1
        assert openapi.run(check=False, breaking=False) == 1
        assert "breaks apps: /v1/gone is gone" in capsys.readouterr().err
        assert "/v1/gone" in self.path.read_text()
        assert openapi.run(check=False, breaking=True) == 0
        assert "/v1/gone" not in self.path.read_text()
