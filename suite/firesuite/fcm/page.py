"""The web page: static files, under a policy that lets nothing else run or load (but for the images of messages)."""

import base64
import hashlib
import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from firesuite.fcm.request import Request

_STYLE = re.compile(rb"<style>(.*?)</style>", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Resource:
    body: bytes
    headers: tuple[tuple[str, str], ...]


def resource(request: Request) -> Resource | None:
    """The page or its script; None for any other path."""
    if request.method == "GET" and request.path in ("/", "/page.js"):
        return _page() if request.path == "/" else _script()
    return None


@cache
def _page() -> Resource:
    body = _read("page.html")
    style = _STYLE.search(body)
    digest = base64.b64encode(hashlib.sha256(style[1] if style else b"").digest()).decode()
    policy = (
        f"default-src 'none'; script-src 'self'; style-src 'sha256-{digest}'; connect-src 'self'; "
        "img-src data: http: https:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return Resource(body, (*_headers("text/html"), ("Content-Security-Policy", policy)))


@cache
def _script() -> Resource:
    return Resource(_read("page.js"), _headers("text/javascript"))


def _headers(media_type: str) -> tuple[tuple[str, str], ...]:
    return (
        ("Content-Type", f"{media_type}; charset=utf-8"),
        ("Cache-Control", "no-cache"),
        ("X-Content-Type-Options", "nosniff"),
        ("Referrer-Policy", "no-referrer"),
    )


def _read(name: str) -> bytes:
    return files(__package__).joinpath(name).read_bytes()
