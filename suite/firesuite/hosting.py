"""Firebase Hosting as far as a functions project needs it: static files, redirects, and rewrites to functions.

In the order of Hosting: redirects, files, rewrites, 404.html
(https://firebase.google.com/docs/hosting/full-config#hosting_priority_order).
"""

import mimetypes
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from firesuite.errors import SuiteError
from firesuite.proxy import Answer, forward, request_headers, target

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


class Hosting:
    """The WSGI application of one site."""

    def __init__(
        self, site: Mapping[str, Any], directory: Path, functions_port: int, path_of: Callable[[str, str | None], str]
    ) -> None:
        """`path_of` gives the path of a function on `functions_port`, by its name and, where given, its region.

        Raises SuiteError for a rewrite that names a function which is not there.
        """
        self._public = (directory / str(site.get("public", "public"))).resolve()
        self._clean = bool(site.get("cleanUrls"))
        self._port = functions_port
        self._redirects = [(_pattern(entry), entry) for entry in site.get("redirects", ())]
        self._rewrites = []
        for entry in site.get("rewrites", ()):
            function = _function(entry)
            mount = path_of(*function) if function is not None else None
            self._rewrites.append((_pattern(entry), entry.get("destination"), mount))

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        path = unquote(target(environ).partition("?")[0])
        for pattern, entry in self._redirects:
            if pattern.fullmatch(path):
                moved = Answer(int(entry.get("type", 301)), (("Location", str(entry["destination"])),), b"")
                return moved.send(start_response)
        if (file := self._file(path)) is not None:
            return _file_answer(file, 200).send(start_response)
        for pattern, destination, mount in self._rewrites:
            if not pattern.fullmatch(path):
                continue
            if mount is not None:
                return self._call(environ, mount).send(start_response)
            if destination is not None and (file := self._file(destination)) is not None:
                return _file_answer(file, 200).send(start_response)
        missing = self._public / "404.html"
        answer = _file_answer(missing, 404) if missing.is_file() else Answer.text(404, "Not Found")
        return answer.send(start_response)

    def _call(self, environ: "WSGIEnvironment", mount: str) -> Answer:
        # Hosting leaves the whole path to the function.
        headers = {**request_headers(environ), "x-forwarded-host": environ.get("HTTP_HOST", "")}
        try:
            return forward(environ, self._port, path=mount + target(environ), headers=headers)
        except OSError:
            return Answer.text(502, "The functions do not answer.")

    def _file(self, path: str) -> Path | None:
        wanted = (self._public / path.lstrip("/")).resolve()
        if not wanted.is_relative_to(self._public):
            return None
        candidates = [wanted, wanted / "index.html"]
        if self._clean:
            candidates.append(wanted.with_name(f"{wanted.name}.html"))
        return next((candidate for candidate in candidates if candidate.is_file()), None)


def sites(firebase_json: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The `hosting` section, which may be one site or a list of them."""
    hosting = firebase_json.get("hosting") or []
    return [hosting] if isinstance(hosting, dict) else list(hosting)


def _file_answer(file: Path, status: int) -> Answer:
    kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    if kind.startswith("text/"):
        kind += "; charset=utf-8"
    return Answer(status, (("Content-Type", kind),), file.read_bytes())


def _function(entry: Mapping[str, Any]) -> tuple[str, str | None] | None:
    """The function that a rewrite names, with its region where it gives one."""
    function = entry.get("function")
    if isinstance(function, Mapping):
        return str(function["functionId"]), function.get("region")
    return (str(function), entry.get("region")) if function is not None else None


def _pattern(entry: Mapping[str, Any]) -> re.Pattern[str]:
    if "regex" in entry:
        return re.compile(str(entry["regex"]))
    source = entry.get("source", entry.get("glob"))
    if source is None:
        raise SuiteError(f"firebase.json: a rule of hosting has neither source nor regex: {dict(entry)}.")
    return re.compile(_glob(str(source)))


def _glob(source: str) -> str:
    """A glob of Hosting as a regular expression: `**`, `*`, `?`, `:name`, `@(a|b)` and `{a,b}`."""
    return _translated(source if source.startswith(("/", "*")) else f"/{source}")


_TOKEN = re.compile(r"/\*\*(?=/|$)|\*\*|\*|\?|@\(([^)]*)\)|\{([^}]*)\}|:[A-Za-z_]+\*?")
_WILDCARDS = {"/**": "(?:/.*)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}


def _translated(text: str) -> str:
    parts = []
    position = 0
    for match in _TOKEN.finditer(text):
        parts.append(re.escape(text[position : match.start()]))
        position = match.end()
        if match[0] in _WILDCARDS:
            parts.append(_WILDCARDS[match[0]])
        elif match[0].startswith(":"):
            parts.append(".*" if match[0].endswith("*") else "[^/]+")
        else:
            options = match[1].split("|") if match[1] is not None else match[2].split(",")
            parts.append(f"(?:{'|'.join(_translated(option) for option in options)})")
    parts.append(re.escape(text[position:]))
    return "".join(parts)
