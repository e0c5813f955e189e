"""The description itself: complete, valid, true to its models, and as it was committed."""

import json

import pytest
from jsonschema import Draft202012Validator
from tests.described import description

from tools import openapi
from wattle.api import ROUTES
from wattle.context import Context
from wattle.errors import Code
from wattle.http.openapi import document
from wattle.http.openapi.codes import codes_of
from wattle.http.routing import Route, bind
from wattle.services import Services

DESCRIPTION = description()
OPERATIONS = [(bound, DESCRIPTION.operation(bound)) for bound in DESCRIPTION.router.bound]


def by_name(operations):
    return [pytest.param(*pair, id=pair[0].route.name) for pair in operations]


def test_it_is_what_was_committed():
    assert openapi.run(check=True, breaking=False) == 0, "see above; run `python -m tools openapi` and commit it"


def test_every_route_is_in_it():
    paths = DESCRIPTION.document["paths"]
    assert sum(len(methods) for methods in paths.values()) == len(ROUTES)


def test_its_references_lead_somewhere():
    text = json.dumps(DESCRIPTION.document)
    for reference in {part.split('"')[0] for part in text.split('"$ref": "#/')[1:]}:
        found = DESCRIPTION.document
        for name in reference.split("/"):
            found = found[name]


def test_its_components_are_json_schema():
    for schema in DESCRIPTION.document["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


def test_names_inside_and_outside_are_not_mixed_up():
    """snake_case is ours; whoever reads the description sees camelCase."""
    for name, schema in DESCRIPTION.document["components"]["schemas"].items():
        assert not [member for member in schema.get("properties", {}) if "_" in member], name
    for bound, operation in OPERATIONS:
        assert "_" not in operation["operationId"], bound.route.name


@pytest.mark.parametrize(("bound", "operation"), by_name(OPERATIONS))
class TestOperations:
    def test_it_says_what_it_is_for(self, bound, operation):
        assert operation["summary"].endswith("."), operation["summary"]
        assert "\n" not in operation["summary"], "the first line of an endpoint's docstring is a sentence of its own"

    def test_its_request_example_would_be_taken(self, bound, operation):
        if bound.body is None:
            return
        example = operation["requestBody"]["content"]["application/json"]["example"]
        bound.body.model_validate_json(json.dumps(example))

    def test_its_examples_fit_their_schemas(self, bound, operation):
        responses = map(DESCRIPTION.resolved, operation["responses"].values())
        contents = [content for response in responses for content in response.get("content", {}).values()]
        for content in [*contents, *operation.get("requestBody", {}).get("content", {}).values()]:
            if "example" in content:
                DESCRIPTION.validator(content["schema"]).validate(content["example"])
            for reference in content.get("examples", {}).values():
                name = reference["$ref"].rpartition("/")[2]
                example = DESCRIPTION.document["components"]["examples"][name]["value"]
                DESCRIPTION.validator(content["schema"]).validate(example)

    def test_who_may_call_it(self, bound, operation):
        assert (operation.get("security") == []) == (bound.route.access.name == "PUBLIC")
        if bound.route.access.name != "PUBLIC":
            assert {"TOKEN_MISSING", "TOKEN_EXPIRED"} <= {code.name for code in codes_of(bound)}

    def test_waiting_is_told_where_it_helps(self, bound, operation):
        for status, response in operation["responses"].items():
            assert ("Retry-After" in DESCRIPTION.resolved(response)["headers"]) == (status in ("429", "503")), status


def endpoint_with(docstring):
    def read(services: Services, ctx: Context) -> None: ...

    read.__doc__ = docstring
    read.__module__ = "wattle.orders.endpoints"
    return bind(Route("GET", "/v1/x", read))


class TestGeneration:
    def test_errors_are_read_from_the_docstring(self):
        bound = endpoint_with(
            """Read it.

            More of it.

            Raises:
                OrderNotFound, InvalidTransition: as NotHere says,
                    and UnknownThing does not.
                UserDisabled.
            """
        )
        codes = codes_of(bound)
        assert {Code.ORDER_NOT_FOUND, Code.INVALID_TRANSITION, Code.USER_DISABLED} <= set(codes)
        operation = document([bound])["paths"]["/v1/x"]["get"]
        assert (operation["summary"], operation["description"]) == ("Read it.", "More of it.")

    def test_an_error_that_there_is_not_is_refused(self):
        with pytest.raises(TypeError, match="OrderLost"):
            codes_of(endpoint_with("Read it.\n\nRaises:\n    OrderLost.\n"))

    def test_an_endpoint_without_a_docstring_is_refused(self):
        with pytest.raises(TypeError, match="docstring"):
            document([endpoint_with(None)])

    def test_two_operations_of_one_name_are_refused(self):
        bound = endpoint_with("Read it.")
        other = bind(Route("POST", "/v1/x", bound.route.endpoint))
        with pytest.raises(TypeError, match="ordersRead"):
            document([bound, other])
