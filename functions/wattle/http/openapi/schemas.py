"""JSON Schema (2020-12) of the models, in the form that OpenAPI 3.1 and its code generators like."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from pydantic import TypeAdapter
from pydantic.alias_generators import to_camel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode

Key = tuple[str, str]

_SNAKE: Final = re.compile(r"`([a-z][a-z0-9]*(?:_[a-z0-9]+)+)`")


class _Generator(GenerateJsonSchema):
    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 (titles of fields repeat their names)
        return False


class Schemas(NamedTuple):
    """Schemas by key, and the components that they refer to."""

    by_key: Mapping[Key, Any]
    components: Mapping[str, Any]


def schemas_of(models: Iterable[tuple[Key, bool, TypeAdapter[Any]]]) -> Schemas:
    """The schemas of (key, whether it is sent to us, adapter). A model that reads as it writes has one component."""
    inputs: list[tuple[Key, JsonSchemaMode, TypeAdapter[Any]]] = [
        (key, "validation" if incoming else "serialization", adapter) for key, incoming, adapter in models
    ]
    found, definitions = TypeAdapter.json_schemas(
        inputs, ref_template="#/components/schemas/{model}", schema_generator=_Generator
    )
    components = {name: _tidied(schema) for name, schema in definitions.get("$defs", {}).items()}
    return Schemas({key: _tidied(schema) for (key, _mode), schema in found.items()}, components)


def described(text: str) -> str:
    """A docstring for those who see the API from outside: names in camelCase, lines joined to paragraphs."""
    paragraphs = (" ".join(paragraph.split()) for paragraph in text.split("\n\n"))
    return _SNAKE.sub(lambda found: f"`{to_camel(found[1])}`", "\n\n".join(paragraphs))


def _tidied(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_tidied(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    tidy = {name: _tidied(part) for name, part in schema.items() if not (name == "default" and part is None)}
    if isinstance(tidy.get("properties"), dict):
        tidy["properties"] = {name: _tidied(part) for name, part in schema["properties"].items()}
        tidy.pop("title", None)
    if isinstance(tidy.get("enum"), list):
        tidy.pop("title", None)
    if isinstance(tidy.get("description"), str):
        tidy["description"] = described(tidy["description"])
    if tidy.get("type") == "integer" and "maximum" not in tidy and "enum" not in tidy:
        tidy["format"] = "int64"  # generators would take 32 bits, too few for an amount of money
    return _nullable(_closed(tidy))


def _closed(schema: dict[str, Any]) -> dict[str, Any]:
    """A map whose keys follow a pattern: no others are taken, and generators make a dictionary of it."""
    if "patternProperties" not in schema:
        return schema
    ((pattern, value),) = schema["patternProperties"].items()
    rest = {name: part for name, part in schema.items() if name != "patternProperties"}
    return {**rest, "propertyNames": {"pattern": pattern}, "additionalProperties": value}


def _nullable(schema: dict[str, Any]) -> dict[str, Any]:
    """`anyOf` of one simple type and null, as a list of types."""
    parts = schema.get("anyOf", [])
    if len(parts) != 2 or parts[1] != {"type": "null"} or not isinstance(parts[0].get("type"), str):
        return schema
    if "enum" in parts[0] or "const" in parts[0]:
        return schema  # null would have to be a value of the enum as well
    rest = {name: value for name, value in schema.items() if name != "anyOf"}
    return {**parts[0], **rest, "type": [parts[0]["type"], "null"]}
