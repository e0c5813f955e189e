"""Is there a secret in what git keeps? What was pushed once is known to others, also when it is removed later."""

import re
import subprocess
from collections.abc import Iterator
from typing import Final

from tools.doctor.report import Checkout, Problem

# Forms that their owners document; each has a fixed beginning, so that what is found is one.
_FORMS: Final = (
    ("a private key", re.compile(rb"-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----\s*[A-Za-z0-9+/=\\]{40}")),
    ("the key file of a service account", re.compile(rb'"private_key_id"\s*:\s*"[0-9a-f]{40}"')),
    ("a Google API key", re.compile(rb"\bAIza[0-9A-Za-z_-]{35}\b")),
    ("a Google OAuth client secret", re.compile(rb"\bGOCSPX-[0-9A-Za-z_-]{28}\b")),
    ("a Google OAuth refresh token", re.compile(rb"\b1//0[0-9A-Za-z_-]{40}")),
    ("a GitHub token", re.compile(rb"\b(?:gh[pousr]_[0-9A-Za-z]{36}|github_pat_[0-9A-Za-z_]{82})\b")),
    ("an AWS access key", re.compile(rb"\bAKIA[0-9A-Z]{16}\b")),
    ("a Slack token", re.compile(rb"\bxox[abprs]-[0-9A-Za-z-]{10,}")),
    ("the signing secret of a deployment", re.compile(rb"(?m)^\s*SIGNING_SECRET=[\"']?[0-9a-f]{64}\b")),
)
# The web API key is meant to be public: each app carries it. It identifies a project, it opens nothing.
_PUBLIC: Final = {"a Google API key": re.compile(r"functions/\.env(\..+)?")}


def look(checkout: Checkout) -> Iterator[Problem]:
    """What git tracks or would add: what .gitignore keeps out is a matter of this machine."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(command, cwd=checkout.root, capture_output=True, text=True, check=True)  # noqa: S603 (git)
    for name in filter(None, done.stdout.split("\0")):
        path = checkout.root / name
        if not path.is_file():
            continue  # deleted and not yet committed
        content = path.read_bytes()
        for what, form in _FORMS:
            if what in _PUBLIC and _PUBLIC[what].fullmatch(name):
                continue
            if found := form.search(content):
                line = content.count(b"\n", 0, found.start()) + 1
                yield Problem(
                    f"{name}, line {line}, looks like {what}",
                    "revoke it where it was made, take it out, and give it to Secret Manager if a function needs it;"
                    " what was pushed stays in the history",
                )
