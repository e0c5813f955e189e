"""Firebase Hosting as far as a functions project needs it: static files, redirects, and rewrites to functions.

In the order of Hosting: redirects, files, rewrites, 404.html
(https://firebase.google.com/docs/hosting/full-config#hosting_priority_order).
"""

import dataclasses
import mimetypes
import re
import string
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

from firesuite.errors import SuiteError
from firesuite.files import entries
from firesuite.functions_settings import service_of
from firesuite.globs import Pattern, PatternError
from firesuite.manifest import DEFAULT_REGION
from firesuite.project import Project
from firesuite.proxy import Answer, forward, request_headers, target
from firesuite.static_files import Moved, StaticFiles

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

# The only cookie that a function behind Hosting gets: https://firebase.google.com/docs/hosting/manage-cache#using_cookies
_SESSION_COOKIE = re.compile(r"(?:^|;)\s*(__session=[^;]*)")

PathOf = Callable[[str, str | None], str]
"""The path of a function on the functions' port, by its name and, where one is given, its region. Raises SuiteError."""


class Hosting:
    """The WSGI application of one site."""

    def __init__(
        self,
        site: Mapping[str, Any],
        directory: Path,
        functions_port: int,
        path_of: PathOf,
        services: Mapping[str, str],
    ) -> None:
        """`services` are the functions' names by those of the Cloud Run services that they are deployed as.

        Raises SuiteError for a rule that is not understood, or names a function which is not there.
        """
        rules = _Rules(site, directory / "firebase.json")
        self._port = functions_port
        self._redirects = rules.redirects()
        self._rewrites = rules.rewrites(path_of, services)
        self._path_of = path_of
        self._files = StaticFiles(
            directory / str(site.get("public", "public")),
            clean_urls=bool(site.get("cleanUrls")),
            trailing_slash=site.get("trailingSlash"),
        )

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        path, _, query = target(environ).partition("?")
        path = unquote(path)
        answer = (
            self._redirected(path, query)
            or self._static(path, query)
            or self._rewritten(path, environ)
            or self._missing()
        )
        return answer.send(start_response)

    def _redirected(self, path: str, query: str) -> Answer | None:
        for redirect in self._redirects:
            if (captured := redirect.pattern.match(path)) is not None:
                return _moved(redirect.location(captured), query, redirect.status)
        return None

    def _static(self, path: str, query: str) -> Answer | None:
        found = self._files.find(path)
        if isinstance(found, Moved):
            return _moved(quote(found.path), query)
        return _file_answer(found, 200) if found is not None else None

    def _rewritten(self, path: str, environ: "WSGIEnvironment") -> Answer | None:
        rewrite = next((rewrite for rewrite in self._rewrites if rewrite.pattern.match(path) is not None), None)
        if rewrite is None:
            return None
        if rewrite.function is not None:
            try:
                # Asked each time: a save may have moved the function to another region, or taken it away.
                return self._call(environ, self._path_of(*rewrite.function))
            except SuiteError as error:
                return Answer.text(404, str(error))
        if rewrite.file is None:
            return Answer.text(501, f"{rewrite.name} leads to something that nothing here serves.")
        file = self._files.file(rewrite.file)
        return _file_answer(file, 200) if file is not None else None

    def _missing(self) -> Answer:
        page = self._files.file("/404.html")
        return _file_answer(page, 404) if page is not None else Answer.text(404, "Not Found")

    def _call(self, environ: "WSGIEnvironment", mount: str) -> Answer:
        # Hosting leaves the whole path to the function.
        headers = {**request_headers(environ), "x-forwarded-host": environ.get("HTTP_HOST", "")}
        if session := _SESSION_COOKIE.search(headers.pop("cookie", "")):
            headers["cookie"] = session[1]
        try:
            return forward(environ, self._port, path=mount + target(environ), headers=headers)
        except OSError:
            return Answer.text(502, "The functions do not answer.")


@dataclasses.dataclass(frozen=True, slots=True)
class _Redirect:
    pattern: Pattern
    destination: str
    status: int

    def location(self, captured: Mapping[str, str]) -> str:
        def fill(match: re.Match[str]) -> str:
            return quote(captured[match[1]], safe="/:@!$&'()*+,;=~") if match[1] in captured else match[0]

        filled = re.sub(r":(\w+)\*?", fill, self.destination)
        return quote(filled, safe=string.punctuation)


@dataclasses.dataclass(frozen=True, slots=True)
class _Rewrite:
    """To a file of the site, or to a function: its name, and its region where one is given. With neither to what is not
    here."""

    name: str
    pattern: Pattern
    file: str | None
    function: tuple[str, str | None] | None


class _Rules:
    """The rules of a site as firebase.json has them. Each method raises SuiteError."""

    def __init__(self, site: Mapping[str, Any], where: Path) -> None:
        self._site = site
        self._where = where

    def redirects(self) -> list[_Redirect]:
        found = []
        for name, entry in self._entries("redirects"):
            pattern = self._pattern(name, entry, captures=True)
            destination, status = entry.get("destination"), entry.get("type", 301)
            if not isinstance(destination, str):
                raise SuiteError(f"{name} needs a 'destination'.")
            if not isinstance(status, int) or not 300 <= status < 400:
                raise SuiteError(f"{name}: 'type' must be a status such as 301 or 302, not {status!r}.")
            unknown = [each for each in re.findall(r"(?:^|/):(\w+)", destination) if each not in pattern.names]
            if unknown:
                raise SuiteError(f"{name}: the destination names :{unknown[0]}, which the source does not capture.")
            found.append(_Redirect(pattern, destination, status))
        return found

    def rewrites(self, path_of: PathOf, services: Mapping[str, str]) -> list[_Rewrite]:
        found = []
        for name, entry in self._entries("rewrites"):
            pattern, destination = self._pattern(name, entry, captures=False), entry.get("destination")
            try:
                function = _function(entry, services)
                if function is not None:
                    path_of(*function)
            except SuiteError as error:
                raise SuiteError(f"{name}: {error}") from None
            file = str(destination) if destination is not None else None
            found.append(_Rewrite(name, pattern, file, function))
        return found

    def _entries(self, key: str) -> list[tuple[str, Mapping[str, Any]]]:
        """Each rule, with how to call it in a sentence."""
        entries = self._site.get(key) or []
        if not isinstance(entries, list) or not all(isinstance(entry, Mapping) for entry in entries):
            raise SuiteError(f"{self._where}: hosting.{key} must be a list of objects.")
        return [(f"{self._where}: hosting.{key}[{number}]", entry) for number, entry in enumerate(entries)]

    def _pattern(self, name: str, entry: Mapping[str, Any], *, captures: bool) -> Pattern:
        regex, source = entry.get("regex"), entry.get("source", entry.get("glob"))
        try:
            if isinstance(regex, str):
                return Pattern([regex])
            if isinstance(source, str):
                return Pattern.of_glob(source, captures=captures)
        except PatternError as error:
            raise SuiteError(f"{name}: the pattern {regex or source!r} {error}.") from None
        raise SuiteError(f"{name} needs a 'source' or a 'regex'.")


def first_site(project: Project, functions_port: int, path_of: PathOf) -> Hosting | None:
    """The first site of a project, where it has one. Raises SuiteError for one whose rules are not understood."""

    def path_of_any(name: str, region: str | None) -> str:
        try:
            return path_of(name, region)
        except SuiteError:
            # The functions of Node codebases are known to fireemu alone, those of code that does not import to nobody.
            if not project.node_codebases and all(codebase.failure is None for codebase in project.codebases):
                raise
            return f"/{project.project_id}/{region or DEFAULT_REGION}/{name}"

    services = {service_of(endpoint.name): endpoint.name for endpoint in project.manifest.endpoints}
    site = next(iter(entries(project.firebase_json, "hosting")), None)
    return Hosting(site, project.directory, functions_port, path_of_any, services) if site else None


def _moved(location: str, query: str, status: int = 301) -> Answer:
    """To there, with the query of the request."""
    if query:
        location += f"{'&' if '?' in location else '?'}{query}"
    return Answer(status, (("Location", location),), b"")


def _file_answer(file: Path, status: int) -> Answer:
    kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    if kind.startswith("text/"):
        kind += "; charset=utf-8"
    return Answer(status, (("Content-Type", kind),), file.read_bytes())


def _function(entry: Mapping[str, Any], services: Mapping[str, str]) -> tuple[str, str | None] | None:
    """The function that a rewrite leads to, by its own name or its service's, with the region where it gives one."""
    function, run = entry.get("function"), entry.get("run")
    if isinstance(function, Mapping):
        return str(function.get("functionId")), function.get("region")
    if isinstance(run, Mapping) and (name := services.get(str(run.get("serviceId")))) is not None:
        return name, run.get("region", DEFAULT_REGION)
    return (str(function), entry.get("region")) if function is not None else None
