"""The types in the guides for Swift, Kotlin and Dart, generated from the API's description.

A guide has them in one code block between two comments. Times stay texts: they carry microseconds, which not every
standard parser reads, and delta sync hands them back as they came. Enums are open: a new value may come at any time.
"""

import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tools.docs import ROOT
from wattle.api import ROUTES
from wattle.http.openapi import document
from wattle.http.routing import bind

_ROOTS: Final = ("CreateOrder", "RegisterDevice", "Device", "Order", "Pagination", "Error")
_BLOCK: Final = re.compile(r"(<!-- types: .*?-->\n\n```\w+\n).*?(```\n)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Field:
    """`kind` is a JSON type or the name of a schema. What may be absent or null is `optional`."""

    name: str
    kind: str
    is_list: bool
    optional: bool


@dataclass(frozen=True, slots=True)
class Type:
    """An object with fields, or an enum with values."""

    name: str
    fields: Sequence[Field]
    values: Sequence[str]


def run(*, check: bool) -> int:
    """Write the guides' types, or only compare them: 1 when a guide is not up to date."""
    found = list(types())
    outdated = False
    for language, write in _WRITERS.items():
        path = ROOT / "docs/clients" / f"{language}.md"
        present = path.read_text(encoding="utf-8")
        text = "\n".join(line for one in found for line in write(one))
        wanted = _BLOCK.sub(lambda found, text=text: f"{found[1]}{text}{found[2]}", present)  # type: ignore[misc]
        if wanted == present:
            continue
        outdated = True
        if check:
            print(f"{path.name} does not match the description: run `make reference` and commit it.", file=sys.stderr)
        else:
            path.write_text(wanted, encoding="utf-8")
            print(f"wrote {path.relative_to(ROOT)}")
    return int(check and outdated)


def types() -> Iterator[Type]:
    """What the guides need, what is used by another type after it."""
    schemas = document([bind(route) for route in ROUTES])["components"]["schemas"]
    wanted, seen = list(_ROOTS), set()
    while wanted:
        name = wanted.pop(0)
        if name in seen:
            continue
        seen.add(name)
        schema = schemas[name]
        required = schema.get("required", [])
        fields = [_field(field, part, field in required) for field, part in schema.get("properties", {}).items()]
        wanted = [field.kind for field in fields if field.kind in schemas] + wanted
        yield Type(name, fields, schema.get("enum", []))


def _field(name: str, schema: Mapping[str, Any], required: bool) -> Field:  # noqa: FBT001 (of the schema)
    options = schema.get("anyOf", [schema])
    nullable = {"type": "null"} in options or "null" in schema.get("type", "")
    (one,) = [option for option in options if option != {"type": "null"}]
    is_list = one.get("type") == "array"
    one = one["items"] if is_list else one
    kind = one["$ref"].rpartition("/")[2] if "$ref" in one else _json_type(one)
    return Field(name, kind, is_list, nullable or not required)


def _json_type(schema: Mapping[str, Any]) -> str:
    named = schema["type"]
    (kind,) = [kind for kind in ([named] if isinstance(named, str) else named) if kind != "null"]
    return str(kind)


def _swift(one: Type) -> Iterator[str]:
    kinds = {"string": "String", "integer": "Int64", "boolean": "Bool"}
    if one.values:
        yield f"struct {one.name}: RawRepresentable, Codable, Hashable {{"
        yield "    let rawValue: String"
        yield from (f'    static let {value} = {one.name}(rawValue: "{value}")' for value in one.values)
    else:
        yield f"struct {_safe(one.name)}: Codable {{"
        for field in one.fields:
            kind = kinds.get(field.kind, field.kind)
            yield f"    var {field.name}: {f'[{kind}]' if field.is_list else kind}{'?' if field.optional else ''}"
    yield "}\n"


def _kotlin(one: Type) -> Iterator[str]:
    kinds = {"string": "String", "integer": "Long", "boolean": "Boolean"}
    if one.values:
        yield f"@Serializable @JvmInline\nvalue class {one.name}(val value: String) {{"
        yield "    companion object {"
        yield from (f'        val {value.upper()} = {one.name}("{value}")' for value in one.values)
        yield "    }\n}\n"
        return
    yield f"@Serializable\ndata class {_safe(one.name)}("
    for field in one.fields:
        kind = kinds.get(field.kind, field.kind)
        kind = f"List<{kind}>" if field.is_list else kind
        yield f"    val {field.name}: {kind}{'? = null' if field.optional else ''},"
    yield ")\n"


def _dart(one: Type) -> Iterator[str]:
    if one.values:
        yield f"extension type const {one.name}(String value) {{"
        yield from (f"  static const {value} = {one.name}('{value}');" for value in one.values)
        yield "}\n"
        return
    name = _safe(one.name)
    yield f"class {name} {{"
    needed = ", ".join(f"{'' if field.optional else 'required '}this.{field.name}" for field in one.fields)
    yield f"  const {name}({{{needed}}});\n"
    yield f"  factory {name}.fromJson(Map<String, dynamic> json) => {name}("
    yield from (f"    {field.name}: {_dart_read(field)}," for field in one.fields)
    yield "  );\n"
    yield from (f"  final {_dart_kind(field)}{'?' if field.optional else ''} {field.name};" for field in one.fields)
    yield "\n  Map<String, dynamic> toJson() => {"
    for field in one.fields:
        guard = f"if ({field.name} != null) " if field.optional else ""
        yield f"    {guard}'{field.name}': {field.name},"
    yield "  };\n}\n"


_DART: Final = {"string": "String", "integer": "int", "boolean": "bool"}


def _dart_kind(field: Field) -> str:
    kind = _DART.get(field.kind, field.kind)
    return f"List<{kind}>" if field.is_list else kind


def _dart_read(field: Field) -> str:
    value, kind = f"json['{field.name}']", _DART.get(field.kind)
    if field.is_list:
        one = f"{field.kind}.fromJson(one as Map<String, dynamic>)" if kind is None else f"one as {kind}"
        items = f"[for (final one in {value} as List) {one}]"
        return f"{value} == null ? null : {items}" if field.optional else items
    if kind:
        return f"{value} as {kind}{'?' if field.optional else ''}"
    if field.kind == "Status":
        return f"Status({value} as String)"
    made = f"{field.kind}.fromJson({value} as Map<String, dynamic>)"
    return f"{value} == null ? null : {made}" if field.optional else made


def _safe(name: str) -> str:
    """A name that hides none of the language's own: `Error` is a type in all three."""
    return {"Error": "Failure"}.get(name, name)


_WRITERS: Final[Mapping[str, Callable[[Type], Iterator[str]]]] = {"swift": _swift, "kotlin": _kotlin, "dart": _dart}
