"""The OpenAPI 3.1 description of a route table: from the same models and signatures that requests are checked with.

An endpoint's docstring is its description: its first paragraph the summary, the section `Raises:` the names of the
error classes that its service raises. Its return type says what it answers: `Order`, `Page[Order]`, `Created[Order]`,
`Reply[None]`, or `Annotated[Response, "text/html"]` for what is in no envelope. Imported at the first request for the
description, never at start.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import import_module
from inspect import cleandoc
from itertools import groupby
from types import NoneType, UnionType
from typing import Annotated, Any, Final, NamedTuple, get_args, get_origin

from pydantic import TypeAdapter
from pydantic.alias_generators import to_camel
from werkzeug.wrappers import Response

from wattle.errors import Code
from wattle.http.envelope import Page, Reply
from wattle.http.openapi import parts
from wattle.http.openapi.codes import codes_of
from wattle.http.openapi.examples import example_of
from wattle.http.openapi.schemas import described, schemas_of
from wattle.http.routing import Access, BoundRoute, Caching

API_VERSION: Final = "1.0.0"
_JSON: Final = "application/json"
_STATUS_TEXT: Final = {200: "Done.", 201: "Made.", 202: "Accepted: it will be done."}
_WAITED_FOR: Final = frozenset({429, 503})

Schemas = Mapping[tuple[str, str], Any]
"""By the route's name and the part of its request or answer."""


class Answer(NamedTuple):
    """What a route answers with when all goes well, read from its endpoint's return type."""

    status: int
    data: Any
    """A type: the resource, a list of them, None."""
    paged: bool = False
    media: str | None = None
    """The media type of an answer without the envelope."""


def answer_of(bound: BoundRoute) -> Answer:
    """The endpoint's return type, taken apart.

    Raises:
        TypeError: it says nothing of the answer.
    """
    origin, arguments = get_origin(bound.answer) or bound.answer, get_args(bound.answer)
    if origin is Annotated and arguments[0] is Response:
        return Answer(200, None, media=arguments[1])
    if origin is Page:
        return Answer(200, list[arguments[0]], paged=True)  # type: ignore[valid-type]  # (made at run time)
    if isinstance(origin, type) and issubclass(origin, Reply):
        return Answer(origin(data=None).status, arguments[0])
    if origin is Response:
        raise TypeError(f'{bound.route.name}: annotate the return type, as in Annotated[Response, "text/html"]')
    return Answer(200, bound.answer)


def operation_id(bound: BoundRoute) -> str:
    """Such as `ordersCreateOrder`: the area and the endpoint's name, so that it is stable and unique."""
    return to_camel(f"{_area(bound)}_{bound.route.endpoint.__name__}")


def document(routes: Sequence[BoundRoute]) -> dict[str, Any]:
    """The description of all routes."""
    schemas = schemas_of(_models(routes))
    components = {**parts.SCHEMAS, **schemas.components}
    paths: dict[str, Any] = {}
    for bound in routes:
        operation = _operation(bound, schemas.by_key, components)
        paths.setdefault(_path(bound.route.path), {})[bound.route.method.lower()] = operation
    _check_ids(paths)
    failures = {codes for bound in routes for codes in _by_status(bound).values()}
    areas = {_area(bound): bound for bound in routes}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Wattle",
            "version": API_VERSION,
            "summary": "Orders, profiles and notifications for mobile apps.",
            "description": described(parts.TEXT),
        },
        "servers": [{"url": "/", "description": "The host that served this description."}],
        "security": [{"firebase": []}],
        "tags": [{"name": area, "description": _area_text(bound)} for area, bound in areas.items()],
        "paths": paths,
        "components": {
            "securitySchemes": parts.SECURITY,
            "schemas": dict(sorted(components.items())),
            "responses": {_failure_name(codes): _failure(codes) for codes in sorted(failures, key=_failure_name)},
            "headers": parts.HEADERS,
            "parameters": parts.PARAMETERS,
            "examples": {code.name: parts.error_example(code) for code in Code},
        },
    }


def _models(routes: Iterable[BoundRoute]) -> Iterator[tuple[tuple[str, str], bool, Any]]:
    """((route, part), whether it is sent to us, its adapter) of all that needs a schema."""
    for bound in routes:
        name = bound.route.name
        if bound.body is not None:
            yield (name, "body"), True, TypeAdapter(bound.body)
        if bound.query is not None:
            yield (name, "query"), True, TypeAdapter(bound.query)
        for parameter, adapter in bound.path.items():
            yield (name, f"path:{parameter}"), True, adapter
        answer = answer_of(bound)
        if answer.media is None:
            yield (name, "data"), False, TypeAdapter(answer.data)


def _operation(bound: BoundRoute, by_key: Schemas, components: dict[str, Any]) -> dict[str, Any]:
    route = bound.route
    summary, text = _docstring(bound)
    operation: dict[str, Any] = {"operationId": operation_id(bound), "tags": [_area(bound)], "summary": summary}
    if text:
        operation["description"] = text
    if route.access is Access.PUBLIC:
        operation["security"] = []
    operation["parameters"] = [
        *_path_parameters(bound, by_key),
        *_query_parameters(bound, by_key, components),
        *({"$ref": f"#/components/parameters/{name}"} for name in _header_parameters(bound)),
    ]
    if bound.body is not None:
        schema = by_key[route.name, "body"]
        content = {"schema": schema, "example": example_of(schema, components)}
        operation["requestBody"] = {"required": True, "content": {_JSON: content}}
    failures = {
        status: {"$ref": f"#/components/responses/{_failure_name(codes)}"}
        for status, codes in _by_status(bound).items()
    }
    operation["responses"] = {**_success(bound, by_key, components), **failures}
    return operation


def _path_parameters(bound: BoundRoute, by_key: Schemas) -> Iterator[dict[str, Any]]:
    for name in re.findall(r"{(\w+)}", bound.route.path):
        schema = by_key[bound.route.name, f"path:{name}"]
        yield {"name": to_camel(name), "in": "path", "required": True, "schema": schema}


def _query_parameters(bound: BoundRoute, by_key: Schemas, components: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    if bound.query is None:
        return
    model = components[by_key[bound.route.name, "query"]["$ref"].rpartition("/")[2]]
    for name, schema in model.get("properties", {}).items():
        parameter = {"name": name, "in": "query", "required": name in model.get("required", ())}
        without_null = _without_null(schema)
        if "description" in without_null:
            parameter["description"] = without_null.pop("description")
        yield {**parameter, "schema": without_null}


def _header_parameters(bound: BoundRoute) -> Iterator[str]:
    if bound.route.idempotent:
        yield "IdempotencyKey"
    if bound.route.conditional:
        yield "IfMatch"
    if _kept(bound):
        yield "IfNoneMatch"
    if bound.route.gated:
        yield from ("AppVersion", "AppCheck")
    yield "RequestId"


def _kept(bound: BoundRoute) -> bool:
    """Whether an answer may be kept and asked for again with its ETag."""
    return bound.route.method == "GET" and bound.route.caching is not Caching.NONE


def _without_null(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A parameter is absent, never null."""
    if "anyOf" in schema:
        kinds = [part for part in schema["anyOf"] if part.get("type") != "null"]
        rest = {key: value for key, value in schema.items() if key != "anyOf"}
        return {**kinds[0], **rest} if len(kinds) == 1 else {**rest, "anyOf": kinds}
    kind = schema.get("type")
    if isinstance(kind, list):
        (kind,) = (name for name in kind if name != "null")
    return {**schema, "type": kind} if kind else dict(schema)


def _success(bound: BoundRoute, by_key: Schemas, components: dict[str, Any]) -> dict[str, dict[str, Any]]:
    answer = answer_of(bound)
    headers = _headers("X-Request-Id", "RateLimit")
    if bound.route.idempotent:
        headers |= _headers("Idempotency-Replayed")
    if _kept(bound) or bound.route.conditional:
        headers |= _headers("ETag")
    response = {"description": _STATUS_TEXT[answer.status], "headers": headers}
    if answer.media is None:
        name, schema = _envelope(answer, by_key[bound.route.name, "data"])
        components[name] = schema
        reference = {"$ref": f"#/components/schemas/{name}"}
        response["content"] = {_JSON: {"schema": reference, "example": example_of(reference, components)}}
    else:
        schema = {"type": "object"} if answer.media == _JSON else {"type": "string"}
        response["content"] = {answer.media: {"schema": schema}}
    responses = {str(answer.status): response}
    if _kept(bound):
        responses["304"] = {"description": "What you have is still right.", "headers": _headers("X-Request-Id", "ETag")}
    return responses


def _envelope(answer: Answer, data: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The name and the schema of the envelope around `data`."""
    properties: dict[str, Any] = {"success": {"type": "boolean", "const": True}, "data": data}
    if answer.paged:
        properties["pagination"] = {"$ref": "#/components/schemas/Pagination"}
    properties |= parts.FRAME
    schema = {"type": "object", "properties": properties, "required": list(properties)}
    return _envelope_name(answer), schema


def _envelope_name(answer: Answer) -> str:
    if answer.data in (None, type(None)):
        return "EmptyAnswer"
    if get_origin(answer.data) is list:
        return f"{get_args(answer.data)[0].__name__}{'Page' if answer.paged else 'ListAnswer'}"
    if get_origin(answer.data) is UnionType:
        (kind,) = (part for part in get_args(answer.data) if part is not NoneType)
        return f"Optional{kind.__name__}Answer"
    return f"{answer.data.__name__}Answer"


def _by_status(bound: BoundRoute) -> dict[str, tuple[Code, ...]]:
    codes = sorted(codes_of(bound), key=lambda code: code.status)
    return {str(status): tuple(some) for status, some in groupby(codes, key=lambda code: code.status)}


def _failure_name(codes: Sequence[Code]) -> str:
    """The same for the same codes, whatever routes there are: many routes share what they refuse with."""
    if len(codes) == 1:
        return codes[0].name
    digest = hashlib.blake2b(" ".join(code.name for code in codes).encode(), digest_size=3).hexdigest()
    return f"ERROR_{codes[0].status}_{digest}"


def _failure(codes: Sequence[Code]) -> dict[str, Any]:
    headers = _headers("X-Request-Id", *(["Retry-After"] if codes[0].status in _WAITED_FOR else []))
    return {
        "description": "\n".join(f"- `{code.name}`: {code.meaning}" for code in codes),
        "headers": headers,
        # Not an enum of the schema: that would make a class of each error of each operation in generated clients, and
        # one that cannot be decoded of each code that is added later.
        "x-error-codes": [code.name for code in codes],
        "content": {
            _JSON: {
                "schema": {"$ref": "#/components/schemas/Error"},
                "examples": {code.name: {"$ref": f"#/components/examples/{code.name}"} for code in codes},
            }
        },
    }


def _headers(*names: str) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name.removeprefix('X-').replace('-', '')}"} for name in names}


def _docstring(bound: BoundRoute) -> tuple[str, str]:
    text, _, _ = cleandoc(bound.route.endpoint.__doc__ or "").partition("\nRaises:\n")
    if not text:
        raise TypeError(f"{bound.route.name}: give its endpoint a docstring; it becomes the API description")
    summary, _, rest = text.partition("\n\n")
    return described(summary), described(rest.strip())


def _area(bound: BoundRoute) -> str:
    """The feature's package; for what `http` itself offers, the module."""
    _, package, module = f"{bound.route.endpoint.__module__}..".split(".")[:3]
    return module if package == "http" else package


def _area_text(bound: BoundRoute) -> str:
    package = bound.route.endpoint.__module__.rpartition(".")[0]
    source = bound.route.endpoint.__module__ if package == "wattle.http" else package
    return described(cleandoc(import_module(source).__doc__ or "").partition("\n\n")[0])


def _path(path: str) -> str:
    return re.sub(r"{(\w+)}", lambda found: f"{{{to_camel(found[1])}}}", path)


def _check_ids(paths: Mapping[str, Mapping[str, Any]]) -> None:
    ids = [operation["operationId"] for methods in paths.values() for operation in methods.values()]
    twice = {name for name in ids if ids.count(name) > 1}
    if twice:
        raise TypeError(f"two routes would have the operationId {', '.join(sorted(twice))}: rename an endpoint")
