"""Answers compared with the API's description: status, error code, and every member of the body."""

import json
from functools import cache

import httpx
from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from wattle.api import ROUTES
from wattle.http.openapi import document
from wattle.http.routing import NotAllowed, RouteNotFound, Router

_NAME = "urn:wattle"


def _named(part) -> str:
    """JSON whose references lead to the document, wherever it is used."""
    return json.dumps(part).replace('"$ref": "#', f'"$ref": "{_NAME}#')


class Description:
    """The description of the present code."""

    def __init__(self) -> None:
        self.router = Router(ROUTES)
        self.document = document(self.router.bound)
        named = json.loads(_named(self.document))
        self._registry = Registry().with_resource(_NAME, Resource(named, DRAFT202012))
        self._validators = {}
        self._by_id = {
            (method.upper(), path): operation
            for path, methods in self.document["paths"].items()
            for method, operation in methods.items()
        }
        self._operations = dict(zip(self.router.bound, self._by_id.values(), strict=True))

    def operation(self, bound):
        return self._operations[bound]

    def resolved(self, part):
        """What a reference leads to; anything else as it is."""
        if not part or "$ref" not in part:
            return part
        found = self.document
        for name in part["$ref"].removeprefix("#/").split("/"):
            found = found[name]
        return found

    def validator(self, schema) -> Draft202012Validator:
        """Of a schema whose references are those of the document."""
        key = _named(schema)
        if key not in self._validators:
            self._validators[key] = Draft202012Validator(
                json.loads(key), registry=self._registry, format_checker=Draft202012Validator.FORMAT_CHECKER
            )
        return self._validators[key]

    def check(self, response: httpx.Response, path: str) -> None:
        """Fail with what the description does not say of this answer to a request for `path`."""
        request = response.request
        try:
            bound, _ = self.router.match(request.method, path)
        except (RouteNotFound, NotAllowed):
            return
        name, status = bound.route.name, str(response.status_code)
        body = response.json() if response.content and _is_json(response) else None
        code = body.get("code", "") if isinstance(body, dict) else ""
        described = self.resolved(self.operation(bound)["responses"].get(status))
        where = f"{bound.route.endpoint.__module__}.{bound.route.endpoint.__name__}"
        assert described, (
            f"{name} answered {status} {code}, which its description does not have: name the error in the section"
            f" `Raises:` of the docstring of {where}, or give it the return type of its status (Created, Accepted)"
        )
        if request.method == "HEAD" or not described.get("content"):
            assert not response.content, f"{name} answered {status} with a body, its description has none"
            return
        media = response.headers["content-type"].partition(";")[0]
        assert media in described["content"], f"{name} answered {media}, described is {list(described['content'])}"
        if not _is_json(response):
            return
        schema = described["content"][media]["schema"]
        if code:
            codes = described["x-error-codes"]
            assert code in codes, (
                f"{name} answered {status} {code}, its description of {status} has only {', '.join(codes)}: name the"
                f" error in the section `Raises:` of the docstring of {where}"
            )
        partial = "fields" in request.url.params and response.is_success
        problems = [
            f"{error.json_path}: {error.message}"
            for error in self.validator(schema).iter_errors(body)
            # The selected fields only were sent: the others are not missing.
            if not (partial and error.validator == "required" and error.json_path.startswith("$.data"))
        ]
        assert not problems, f"{name} answered {status} otherwise than described: {'; '.join(problems)}"


@cache
def description() -> Description:
    return Description()


class ApiClient(httpx.Client):
    """Compares every answer that a test gets with the description. What is streamed is the test's own affair."""

    def send(self, request, *, stream=False, **options):
        response = super().send(request, stream=stream, **options)
        if not stream:
            description().check(response, request.url.path.removeprefix(self.base_url.path.rstrip("/")))
        return response


def _is_json(response: httpx.Response) -> bool:
    return response.headers.get("content-type", "").startswith("application/json")
