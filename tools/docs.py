"""`make docs`: the documentation as a site that needs no network, in .site/html.

Every Markdown file of the tree is a page at its own path, so that a link which works in the repository works in the
site. What a page links besides is brought along: a source file as a page that shows it, a picture or JSON as it is.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
SITE: Final = ROOT / ".site"
PAGES: Final = SITE / "pages"
HTML: Final = SITE / "html"
MERMAID: Final = ROOT / "tools/site/node_modules/@mermaid-js/tiny/dist/mermaid.tiny.js"

NAVIGATION: Final[Sequence[tuple[str, Sequence[str]]]] = (
    ("Start", ("README.md", "docs/README.md", "docs/tutorial.md", "docs/testing.md")),
    ("Clients", ("docs/clients/README.md", "docs/clients/*.md", "docs/clients.md")),
    (
        "Reference",
        ("docs/api.md", "docs/endpoints.md", "docs/callables.md", "docs/errors.md", "docs/data.md", "docs/push.md"),
    ),
    (
        "Production",
        (
            "docs/deploy.md",
            "docs/environments.md",
            "ops/README.md",
            "docs/operations.md",
            "docs/operations/README.md",
            "docs/operations/*.md",
            "SECURITY.md",
            "docs/privacy.md",
        ),
    ),
    ("Numbers", ("docs/costs.md", "docs/scale.md")),
    ("firesuite", ("suite/README.md", "suite/*/*/README.md", "suite/docs/*.md", "suite/**/*.md")),
    ("Design", ("docs/architecture.md", "docs/decisions/README.md", "docs/decisions/*.md")),
    ("Project", ("CONTRIBUTING.md", "docs/versioning.md", "CHANGELOG.md", "docs/**/*.md", "*.md", "**/*.md")),
)
"""Sections and their pages in order. A page is where it matches first; the last section has what matched nowhere."""

_LINK: Final = re.compile(r"(\]\()([^)\s#]+)(#[^)\s]*)?(\))")
_ABSOLUTE: Final = re.compile(r"[a-z]+:|/")
_FENCE: Final = re.compile(r"\s*(`{3,}|~{3,})")
_NOT_OURS: Final = {"node_modules", "venv"}
_AS_IT_IS: Final = {".md", ".png", ".svg", ".json"}


class BrokenLink(Exception):
    """A page links a file that does not exist."""


def run() -> int:
    """Build the site; 1 when a link leads nowhere or the generator warns."""
    if not MERMAID.is_file():
        print("The site's packages are not installed: run `make docs`.", file=sys.stderr)
        return 1
    try:
        stage()
    except BrokenLink as broken:
        print(f"docs: {broken}", file=sys.stderr)
        return 1
    zensical = Path(sys.executable).with_name("zensical")
    command = [str(zensical), "build", "--strict", "--config-file", str(SITE / "zensical.toml")]
    plain = {**os.environ, "NO_COLOR": "1"}
    built = subprocess.run(command, cwd=SITE, env=plain, capture_output=True, text=True, check=False)  # noqa: S603 (our own)
    if built.returncode != 0:
        print(built.stdout + built.stderr, file=sys.stderr)
        return 1
    print(f"{len(pages())} pages: {HTML / 'index.html'}")
    return 0


def stage() -> None:
    """Lay out .site/pages and the generator's settings anew."""
    shutil.rmtree(SITE, ignore_errors=True)
    PAGES.mkdir(parents=True)
    for page in pages():
        staged = PAGES / page
        staged.parent.mkdir(parents=True, exist_ok=True)
        staged.write_text(_with_links(page), encoding="utf-8")
    shutil.copy(MERMAID, PAGES / "mermaid.js")
    # The theme breaks code in tables anywhere, in the middle of a path too.
    (PAGES / "site.css").write_text(".md-typeset td code { word-break: keep-all; }\n", encoding="utf-8")
    (SITE / "zensical.toml").write_text(_settings(), encoding="utf-8")


def pages() -> list[Path]:
    """Every Markdown file that is not of somebody else or made here, relative to the root."""
    found = []
    for folder, below, files in os.walk(ROOT):
        below[:] = [name for name in below if not name.startswith(".") and name not in _NOT_OURS]
        found += [Path(folder, name).relative_to(ROOT) for name in files if name.endswith(".md")]
    return sorted(found)


def _with_links(page: Path) -> str:
    """The page's text, with what it links staged and its links pointing there."""
    fence = None
    lines = []
    for line in (ROOT / page).read_text(encoding="utf-8").splitlines():
        if marker := _FENCE.match(line):
            fence = None if fence == marker[1] else (fence or marker[1])
        lines.append(line if fence else _LINK.sub(lambda link: _staged(page, link), line))
    return "\n".join(lines) + "\n"


def _staged(page: Path, link: re.Match[str]) -> str:
    before, target, anchor, after = link.groups()
    if _ABSOLUTE.match(target):
        return link[0]
    path = Path(os.path.normpath(page.parent / target))
    if not (ROOT / path).exists() or path.parts[0] == "..":
        raise BrokenLink(f"{page} links {target}, which does not exist")
    if (ROOT / path).is_dir():
        path = path / "README.md" if (ROOT / path / "README.md").is_file() else _folder_page(path)
    elif path.suffix not in _AS_IT_IS:
        path, anchor = _source_page(path), ""
    elif path.suffix != ".md":
        (PAGES / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, PAGES / path)
    return f"{before}{os.path.relpath(path, page.parent)}{anchor or ''}{after}"


def _folder_page(path: Path) -> Path:
    """Stage a page that lists a folder, as GitHub does; its path."""
    names = sorted(
        entry.name + "/" * entry.is_dir() for entry in (ROOT / path).iterdir() if entry.name not in _NOT_OURS
    )
    (PAGES / path).mkdir(parents=True, exist_ok=True)
    shown = path / "README.md"
    (PAGES / shown).write_text("\n".join([f"# {path}", "", *(f"- `{name}`" for name in names), ""]), encoding="utf-8")
    return shown


def _source_page(path: Path) -> Path:
    """Stage a page that shows a source file; its path."""
    shown = path.with_name(f"{path.name.lstrip('.')}.md")
    text = (ROOT / path).read_text(encoding="utf-8")
    fence = max(("`" * (len(run) + 1) for run in re.findall("`{3,}", text)), default="```")
    language = {".rules": "js", ".po": "po"}.get(path.suffix, path.suffix.lstrip("."))
    (PAGES / shown).parent.mkdir(parents=True, exist_ok=True)
    (PAGES / shown).write_text(f"# {path}\n\n{fence}{language}\n{text}\n{fence}\n", encoding="utf-8")
    return shown


def _navigation() -> Iterator[tuple[str, list[str]]]:
    left = pages()
    for section, patterns in NAVIGATION:
        found = []
        for pattern in patterns:
            matching = set(ROOT.glob(pattern))
            found += [page for page in left if ROOT / page in matching and page not in found]
        left = [page for page in left if page not in found]
        if found:
            yield section, [page.as_posix() for page in found]


def _settings() -> str:
    # Strings and lists are the same in TOML and JSON.
    sections = ",\n".join(f"  {{{json.dumps(name)} = {json.dumps(pages)}}}" for name, pages in _navigation())
    return f"""[project]
site_name = "Wattle"
site_description = "A mobile backend on Firebase, in Python, served from Sydney"
docs_dir = "pages"
site_dir = "html"
use_directory_urls = false
extra_css = ["site.css"]
extra_javascript = ["mermaid.js"]
nav = [
{sections}
]

[project.theme]
font = false
features = ["content.code.copy", "navigation.sections", "navigation.footer", "search.highlight"]

[[project.theme.palette]]
media = "(prefers-color-scheme)"

[project.markdown_extensions.tables]
[project.markdown_extensions.toc]
permalink = true
[project.markdown_extensions.pymdownx.highlight]
[project.markdown_extensions.pymdownx.superfences]
custom_fences = [{{ name = "mermaid", class = "mermaid", format = "pymdownx.superfences.fence_code_format" }}]
"""
