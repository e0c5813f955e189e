"""A service account that was made up for one run: what Google's libraries need to find before they work at all.

Without one `firestore.client()` and `storage.bucket()` of firebase_admin raise DefaultCredentialsError, or look for the
metadata server of a Google machine. Nobody at Google knows this one; its tokens are the emulators' own "owner", from
the suite's hub. What is signed with its key, such as a URL of Storage, has the form of the real thing.
"""

import contextlib
import functools
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

VARIABLE = "GOOGLE_APPLICATION_CREDENTIALS"
"""By which Google's libraries find the file."""

FILE = "firesuite-credentials.json"

TOKEN: Mapping[str, Any] = {"access_token": "owner", "expires_in": 3600, "token_type": "Bearer"}
"""What the hub answers to who asks for an access token."""


def is_of_the_user(environment: Mapping[str, str]) -> bool:
    """Whether it names an account that somebody chose, and not that of another suite, which may have ended."""
    path = environment.get(VARIABLE)
    return path is not None and Path(path).name != FILE


@functools.cache
def _private_key() -> str:
    """One for this process: making it takes 50 ms."""
    key = rsa.generate_private_key(public_exponent=65_537, key_size=2048)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def write(path: Path, project_id: str, token_url: str) -> None:
    """Write the account's key file, which nobody else may read. Raises FileExistsError."""
    email = f"firesuite@{project_id}.iam.gserviceaccount.com"
    account = {
        "type": "service_account",
        "project_id": project_id,
        "private_key_id": "firesuite",
        "private_key": _private_key(),
        "client_email": email,
        "client_id": "0",
        "token_uri": token_url,
    }
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        json.dump(account, file)


@contextlib.contextmanager
def while_discovered(project_id: str, environment: Mapping[str, str]) -> Iterator[Mapping[str, str]]:
    """`environment` for an import of the functions that serves nothing, with an account whose tokens nobody gives."""
    if is_of_the_user({**os.environ, **environment}):
        yield environment
        return
    with tempfile.TemporaryDirectory(prefix="firesuite-") as directory:
        path = Path(directory, FILE)
        write(path, project_id, "http://127.0.0.1:9/")
        yield {**environment, VARIABLE: str(path)}
