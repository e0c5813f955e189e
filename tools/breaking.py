"""What in a new API description would break an app that was written for the old one.

An app may send whatever the old description allowed, and rely on whatever it promised: what it may send can only grow,
what it is promised can only become more. New members of an answer, new values of its enums and new error codes do not
break: the description tells apps to expect them.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

Schema = Mapping[str, Any]

# Bounds that make a schema narrower when they grow, and when they shrink.
_LOWER = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
_UPPER = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
_EXACT = ("pattern", "format", "const", "multipleOf")


def breaking_changes(old: Schema, new: Schema) -> list[str]:
    """One sentence for each change that breaks; empty when apps go on working."""
    return list(_Comparison(old, new).run())


class _Comparison:
    def __init__(self, old: Schema, new: Schema) -> None:
        self._old = old
        self._new = new

    def run(self) -> Iterator[str]:
        for path, old_methods in self._old["paths"].items():
            new_methods = self._new["paths"].get(path)
            if new_methods is None:
                yield f"{path} is gone"
                continue
            for method, old in old_methods.items():
                name = f"{method.upper()} {path}"
                if method not in new_methods:
                    yield f"{name} is gone"
                    continue
                yield from self._operation(name, old, new_methods[method])

    def _operation(self, name: str, old: Schema, new: Schema) -> Iterator[str]:
        if old["operationId"] != new["operationId"]:
            yield f"{name}: generated clients call it {old['operationId']}, now it is {new['operationId']}"
        if old.get("security") == [] and new.get("security") != []:
            yield f"{name} was for anyone and now needs a token"
        yield from self._parameters(name, old, new)
        yield from self._body(name, old, new)
        yield from self._responses(name, old["responses"], new["responses"])

    def _parameters(self, name: str, old: Schema, new: Schema) -> Iterator[str]:
        before, after = self._by_place(self._old, old), self._by_place(self._new, new)
        for place, parameter in before.items():
            where = f"{name}: the {place[0]} parameter {place[1]}"
            if place not in after:
                yield f"{where} is gone"
                continue
            if after[place].get("required") and not parameter.get("required"):
                yield f"{where} is required now"
            yield from self._sent(where, parameter["schema"], after[place]["schema"])
        for place, parameter in after.items():
            if place not in before and parameter.get("required"):
                yield f"{name}: the {place[0]} parameter {place[1]} is new and required"

    def _by_place(self, document: Schema, operation: Schema) -> dict[tuple[str, str], Schema]:
        resolved = (_resolved(document, parameter) for parameter in operation.get("parameters", ()))
        return {(parameter["in"], parameter["name"]): parameter for parameter in resolved}

    def _body(self, name: str, old: Schema, new: Schema) -> Iterator[str]:
        before, after = old.get("requestBody"), new.get("requestBody")
        if before is None and after is not None and after.get("required"):
            yield f"{name} needs a body now"
        if before is None:
            return
        if after is None:
            yield f"{name} takes no body any more"
            return
        for media, content in before["content"].items():
            if media not in after["content"]:
                yield f"{name} takes no {media} any more"
                continue
            yield from self._sent(f"{name}: the body", content["schema"], after["content"][media]["schema"])

    def _responses(self, name: str, old: Schema, new: Schema) -> Iterator[str]:
        for status, before in old.items():
            if status.startswith("2") and status not in new:
                yield f"{name} answered {status} and does not any more"
                continue
            if not status.startswith("2"):
                for code in sorted(_codes(self._old, before) - _codes(self._new, new.get(status, {}))):
                    yield f"{name}: the error {status} {code} is gone"
                continue
            after = new[status]
            for media, content in before.get("content", {}).items():
                if media not in after.get("content", {}):
                    yield f"{name} answers with no {media} any more"
                    continue
                where = f"{name}: the answer"
                yield from self._received(where, content["schema"], after["content"][media]["schema"])
            for header in before.get("headers", {}):
                if header not in after.get("headers", {}):
                    yield f"{name}: the header {header} is gone"

    def _sent(self, where: str, old: Schema, new: Schema, seen: frozenset[Any] = frozenset()) -> Iterator[str]:
        """What an app sends: all that the old schema allows must be allowed by the new one."""
        pair = (old.get("$ref"), new.get("$ref"))
        if pair in seen and pair != (None, None):
            return
        seen |= {pair}
        old, new = _resolved(self._old, old), _resolved(self._new, new)
        if _alternatives(old) or _alternatives(new):
            yield from self._alternatives(where, old, new, self._sent, seen)
            return
        yield from _narrowed(where, old, new)
        before, after = old.get("properties", {}), new.get("properties", {})
        for name in sorted(set(new.get("required", ())) - set(old.get("required", ()))):
            yield f"{where}.{name} is {'required now' if name in before else 'new and required'}"
        for name, schema in before.items():
            if name in after:
                yield from self._sent(f"{where}.{name}", schema, after[name], seen)
            elif new.get("additionalProperties") is False:
                yield f"{where}.{name} is gone"
        if "additionalProperties" not in old and new.get("additionalProperties") is False:
            yield f"{where} takes no further members now"
        if "items" in old and "items" in new:
            yield from self._sent(f"{where}[]", old["items"], new["items"], seen)

    def _received(self, where: str, old: Schema, new: Schema, seen: frozenset[Any] = frozenset()) -> Iterator[str]:
        """What an app gets: all that the new schema allows must be known from the old one, but for additions."""
        pair = (old.get("$ref"), new.get("$ref"))
        if pair in seen and pair != (None, None):
            return
        seen |= {pair}
        old, new = _resolved(self._old, old), _resolved(self._new, new)
        if _alternatives(old) or _alternatives(new):
            yield from self._alternatives(where, old, new, self._received, seen)
            return
        yield from _unpromised(where, old, new)
        before, after = old.get("properties", {}), new.get("properties", {})
        for name, schema in before.items():
            if name not in after:
                yield f"{where}.{name} is gone"
                continue
            if name in old.get("required", ()) and name not in new.get("required", ()):
                yield f"{where}.{name} may be missing now"
            yield from self._received(f"{where}.{name}", schema, after[name], seen)
        if "items" in old and "items" in new:
            yield from self._received(f"{where}[]", old["items"], new["items"], seen)

    def _alternatives(self, where: str, old: Schema, new: Schema, compare: Any, seen: frozenset[Any]) -> Iterator[str]:
        """Each alternative of the one side must be met by one of the other: of the old in what is sent, of the new in
        what is received."""
        sent = compare == self._sent
        olds, news = _alternatives(old) or [old], _alternatives(new) or [new]
        for part in olds if sent else news:
            pairs = [(part, other) for other in news] if sent else [(other, part) for other in olds]
            if not any(not list(compare(where, *pair, seen)) for pair in pairs):
                kind = part.get("$ref", "").rpartition("/")[2] or part.get("type")
                yield f"{where} {'cannot be' if sent else 'can be'} {kind} {'any more' if sent else 'now'}"


def _narrowed(where: str, old: Schema, new: Schema) -> Iterator[str]:
    gone = _types(old) - _types(new)
    if gone and _types(new):
        yield f"{where} cannot be {_listed(gone)} any more"
    if "enum" in new:
        missing = set(old["enum"]) - set(new["enum"]) if "enum" in old else {"anything else"}
        if missing:
            yield f"{where} cannot be {_listed(missing)} any more"
    for key in _LOWER:
        if key in new and (key not in old or new[key] > old[key]):
            yield f"{where}: its {key} was {old.get(key, 'none')} and is {new[key]} now"
    for key in _UPPER:
        if key in new and (key not in old or new[key] < old[key]):
            yield f"{where}: its {key} was {old.get(key, 'none')} and is {new[key]} now"
    for key in _EXACT:
        if key in new and old.get(key) != new[key]:
            yield f"{where}: its {key} was {old.get(key, 'none')} and is {new[key]} now"


def _unpromised(where: str, old: Schema, new: Schema) -> Iterator[str]:
    added = _types(new) - _types(old)
    if added and _types(old):
        yield f"{where} can be {_listed(added)} now"
    gone = set(old.get("enum", ())) - set(new.get("enum", ()))
    if gone and "enum" in new:
        yield f"{where} is never {_listed(gone)} any more"
    for key in ("format", "const"):
        if key in old and old[key] != new.get(key):
            yield f"{where} had the {key} {old[key]}, now {new.get(key, 'none')}"


def _codes(document: Schema, response: Schema) -> set[str]:
    return set(_resolved(document, response).get("x-error-codes", ()))


def _resolved(document: Schema, part: Schema) -> Schema:
    reference = part.get("$ref")
    if reference is None:
        return part
    found: Any = document
    for name in reference.removeprefix("#/").split("/"):
        found = found[name]
    return {**found, **{key: value for key, value in part.items() if key != "$ref"}}


def _alternatives(schema: Schema) -> list[Schema]:
    return [*schema.get("anyOf", ()), *schema.get("oneOf", ())]


def _types(schema: Schema) -> set[str]:
    kind = schema.get("type", ())
    types = {kind} if isinstance(kind, str) else set(kind)
    # Every integer is a number.
    return types | {"integer"} if "number" in types else types


def _listed(values: Iterable[Any]) -> str:
    return ", ".join(sorted(str(value) for value in values))
