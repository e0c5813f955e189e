"""The route table: what an endpoint's signature says, and which route a request takes."""

from typing import Annotated

import pytest
from pydantic import Field

from wattle.api import ROUTES
from wattle.context import Context
from wattle.errors import ValidationFailed
from wattle.http.routing import Access, NotAllowed, Route, RouteNotFound, Router, bind
from wattle.schema import Body, Parameters, PathId
from wattle.services import Services


class Thing(Body):
    name: str


class Search(Parameters):
    word: str | None = None


def read(services: Services, ctx: Context, thing_id: PathId, version: Annotated[int, Field(ge=1)]) -> Thing:
    return Thing(name=f"{thing_id}@{version}")


def find(services: Services, ctx: Context, query: Search) -> Thing: ...


def make(services: Services, ctx: Context, body: Thing) -> Thing: ...


def without_context(services: Services, name: str) -> None: ...


def other_body(services: Services, ctx: Context, body: Search) -> None: ...


def no_path(services: Services, ctx: Context) -> None: ...


PATH = "/v1/things/{thing_id}/versions/{version}"


class TestBind:
    def test_the_signature_says_what_is_parsed(self):
        assert bind(Route("POST", "/v1/things", make)).body is Thing
        assert bind(Route("GET", "/v1/things", find)).query is Search
        bound = bind(Route("GET", PATH, read))
        assert (bound.body, bound.query, set(bound.path), bound.answer) == (None, None, {"thing_id", "version"}, Thing)

    @pytest.mark.parametrize(
        ("path", "endpoint", "sentence"),
        [
            ("/v1/things/{thing_id}", read, "takes"),
            ("/v1/things/{id}", no_path, "takes"),
            ("/v1/things", without_context, "services and ctx first"),
            ("/v1/things", other_body, "is no Body"),
        ],
    )
    def test_a_row_that_does_not_fit_its_endpoint_is_an_error_at_start(self, path, endpoint, sentence):
        with pytest.raises(TypeError, match=sentence):
            bind(Route("POST", path, endpoint))

    def test_path_parameters_are_checked_and_named(self):
        bound = bind(Route("GET", PATH, read))
        assert bound.parse_path({"thing_id": "a-1", "version": "2"}) == {"thing_id": "a-1", "version": 2}
        with pytest.raises(ValidationFailed) as caught:
            bound.parse_path({"thing_id": "__x__", "version": "0"})
        assert {error.field for error in caught.value.errors} == {"thingId", "version"}


class TestRouter:
    router = Router([Route("GET", PATH, read), Route("GET", "/v1/things", find), Route("POST", "/v1/things", make)])

    def test_a_request_finds_its_route(self):
        bound, path = self.router.match("GET", "/v1/things/a/versions/3")
        assert (bound.route.name, path) == (f"GET {PATH}", {"thing_id": "a", "version": "3"})
        assert self.router.match("POST", "/v1/things")[0].route.endpoint is make

    def test_head_is_a_get_without_its_body(self):
        assert self.router.match("HEAD", "/v1/things")[0].route.endpoint is find

    @pytest.mark.parametrize("path", ["/", "", "/v1", "/v1/things/", "/v1/things/a", "/V1/things", "*"])
    def test_nothing_is_guessed(self, path):
        with pytest.raises(RouteNotFound):
            self.router.match("GET", path)

    def test_methods_that_a_path_has_are_told(self):
        with pytest.raises(NotAllowed) as caught:
            self.router.match("DELETE", "/v1/things")
        assert {"GET", "POST"} <= set(caught.value.allowed)


def test_the_table_names_each_method_and_path_once():
    names = [route.name for route in ROUTES]
    assert len(set(names)) == len(names)


def test_every_route_binds_and_says_what_it_is_for():
    for route in ROUTES:
        bind(route)
        assert route.endpoint.__doc__, f"{route.name}: give its endpoint a docstring, it becomes the API description"


def test_administration_is_for_administrators():
    for route in ROUTES:
        assert route.path.startswith("/v1/admin/") == (route.access is Access.ADMIN), route.name
