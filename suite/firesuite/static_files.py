"""The files of a Hosting site, at the URLs that `cleanUrls` and `trailingSlash` give them
(https://firebase.google.com/docs/hosting/full-config#control_html_extensions)."""

import re
from pathlib import Path
from typing import NamedTuple

_INDEX = "index.html"


class Moved(NamedTuple):
    """What is there has another URL."""

    path: str


class StaticFiles:
    """Those below `public`, and no others, wherever a path or a link leads."""

    def __init__(self, public: Path, *, clean_urls: bool, trailing_slash: bool | None) -> None:
        """`clean_urls`: no page has `.html` in its URL. `trailing_slash`: whether its URL ends in a slash; None: where
        it is a directory's index."""
        self._public = public.resolve()
        self._clean = clean_urls
        self._slash = trailing_slash

    def find(self, path: str) -> Path | Moved | None:
        """What there is at a URL's path, percent-decoded."""
        path = re.sub("/+", "/", path)
        bare = path.removesuffix("/")
        if (file := self.file(path)) is not None:
            if not (self._clean and path.endswith(".html")):
                return file
            url = self._url(path.removesuffix(".html").removesuffix("/index"), slash=bool(self._slash))
        elif (file := self.file(f"{bare}/{_INDEX}")) is not None:
            free = self._clean and self._slash is None  # then either is served
            url = path if free else self._url(bare, slash=self._slash is not False)
        elif self._clean and (file := self.file(f"{path if self._slash is None else bare}.html")) is not None:
            url = self._url(bare.removesuffix("/index"), slash=bool(self._slash))
        else:
            return None
        return file if url == path else Moved(url)

    def file(self, path: str) -> Path | None:
        """The file of exactly this path."""
        if "\0" in path or path.endswith("/"):
            return None
        wanted = (self._public / path.lstrip("/")).resolve()
        return wanted if wanted.is_relative_to(self._public) and wanted.is_file() else None

    @staticmethod
    def _url(bare: str, *, slash: bool) -> str:
        return f"{bare}/" if slash or not bare else bare
