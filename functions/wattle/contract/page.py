"""The page at /docs: one file without anything from elsewhere, and the policy that allows its own script and style."""

import base64
import hashlib
import re
from functools import cache
from pathlib import Path
from typing import Final

_FILE: Final = Path(__file__).with_name("page.html")
_INLINE: Final = re.compile(rb"<(script|style)>(.*?)</\1>", re.DOTALL)


@cache
def content() -> bytes:
    return _FILE.read_bytes()


@cache
def policy() -> str:
    """The Content-Security-Policy: what is inline is named by its hash (CSP Level 3), all else is forbidden."""
    hashes = {kind.decode(): _hash(text) for kind, text in _INLINE.findall(content())}
    return (
        f"default-src 'none'; script-src '{hashes['script']}'; style-src '{hashes['style']}'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def _hash(text: bytes) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text).digest()).decode()}"
