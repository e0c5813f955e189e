"""Neither answer is in the envelope: tools read the one, browsers the other."""

from collections.abc import Sequence
from functools import cache
from typing import Annotated

from werkzeug.wrappers import Response

from wattle.context import Context
from wattle.contract import page
from wattle.http.etag import tag_of
from wattle.http.routing import BoundRoute
from wattle.services import Services


def read_openapi(
    services: Services, ctx: Context, routes: Sequence[BoundRoute]
) -> Annotated[Response, "application/json"]:
    """This description, as OpenAPI 3.1."""
    content, tag = _description(tuple(routes))
    return Response(content, content_type="application/json; charset=utf-8", headers={"ETag": tag})


def read_docs(services: Services, ctx: Context) -> Annotated[Response, "text/html"]:
    """This description, as a page to read."""
    content, policy = page.content(), page.policy()
    headers = {"ETag": tag_of(content, None), "Content-Security-Policy": policy}
    return Response(content, content_type="text/html; charset=utf-8", headers=headers)


@cache
def _description(routes: tuple[BoundRoute, ...]) -> tuple[bytes, str]:
    """The JSON and its ETag. Made at the first request (45 ms): few instances are ever asked for it."""
    from pydantic_core import to_json  # noqa: PLC0415 (as below)

    from wattle.http.openapi import document  # noqa: PLC0415 (its models' schemas would cost each cold start)

    content = to_json(document(routes))
    return content, tag_of(content, None)
