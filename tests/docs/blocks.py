"""The fenced code blocks of the documentation."""

from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt
from tools.docs import ROOT, pages


@dataclass(frozen=True)
class Block:
    """`line` is that of the opening fence, `language` the first word after it."""

    page: Path
    line: int
    language: str
    text: str

    @property
    def place(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def title(self) -> str:
        """What a comment in the first line names: a file."""
        first = self.text.partition("\n")[0]
        return first.lstrip("/# ").strip() if first.startswith(("//", "#")) else ""


def blocks_of(page: Path) -> list[Block]:
    tokens = MarkdownIt().parse((ROOT / page).read_text(encoding="utf-8"))
    return [
        Block(page, token.map[0] + 1, (token.info.split() or [""])[0], token.content)
        for token in tokens
        if token.type in ("fence", "code_block")
    ]


def all_blocks() -> list[Block]:
    return [block for page in pages() for block in blocks_of(page)]


def at(dev, text: str) -> str:
    """The text with the ports of a running suite in place of the usual ones."""
    services = {5001: "Functions", 8080: "Firestore", 9099: "Auth", 9399: "FCM"}
    for port, service in services.items():
        address = dev.url(service).removeprefix("http://").partition("/")[0]
        text = text.replace(f"127.0.0.1:{port}", address).replace(
            f'"127.0.0.1", {port}', f'"127.0.0.1", {address[10:]}'
        )
    return text
