"""werkzeug's request and answer, without what it does for each and nobody needs: a tenth of what a read costs."""

from typing import Any, Final

from werkzeug.datastructures import EnvironHeaders, Headers
from werkzeug.wrappers import Request as AnyRequest
from werkzeug.wrappers import Response


class _RequestHeaders(EnvironHeaders):
    """A request has few of the headers that it is asked for. For each that is missing werkzeug raises a KeyError."""

    def get(self, key: str, default: Any = None, type: Any = None) -> Any:  # type: ignore[override]  # noqa: A002 (its name)
        if type is not None:
            return super().get(key, default, type)
        name = key.upper().replace("-", "_")
        return self.environ.get(name if name in _NO_PREFIX else f"HTTP_{name}", default)


_NO_PREFIX: Final = frozenset({"CONTENT_TYPE", "CONTENT_LENGTH"})


class Request(AnyRequest):
    def __init__(self, environ: dict[str, Any]) -> None:
        # Werkzeug would put the request into its own environ, a cycle that only the garbage collector could free.
        super().__init__(environ, populate_request=False)
        self.headers = _RequestHeaders(environ)


class Answer(Response):
    """A response of bytes: its length is known from the beginning, and its headers are sent as they are."""

    def get_wsgi_headers(self, environ: Any) -> Headers:  # noqa: ARG002 (werkzeug's)
        """werkzeug copies and checks them once more, to make a Location absolute and to count the body."""
        return self.headers
