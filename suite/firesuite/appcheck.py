"""App Check for functions: signs tokens and publishes the key, so that Python's SDK verifies them for real.

The SDK has no setting for the address of Google's keys; the functions host leads it here. What it checks then is what
it checks in production: signature, audience, the issuer's form, expiry.
"""

import base64
import json
import threading
import time
import uuid
from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

TOKEN_SECONDS = 3600
"""How long a token is valid: the default of App Check's providers."""

# App Check's tokens name the project by its number; any does, for nobody checks it.
_PROJECT_NUMBER = "123456789012"


class AppCheck:
    """One key, made when it is first asked for: that takes 50 ms and few projects need it."""

    def __init__(self, project_id: str) -> None:
        self._project_id = project_id
        self._lock = threading.Lock()
        self._made: rsa.RSAPrivateKey | None = None
        self._key_id = uuid.uuid4().hex[:8]

    def token(self, app_id: str, *, seconds: int = TOKEN_SECONDS) -> str:
        """A token as an app would send it in `X-Firebase-AppCheck`. Negative `seconds` make an expired one."""
        now = int(time.time())
        header = {"alg": "RS256", "typ": "JWT", "kid": self._key_id}
        claims = {
            "sub": app_id,
            "aud": [f"projects/{_PROJECT_NUMBER}", f"projects/{self._project_id}"],
            "iss": f"https://firebaseappcheck.googleapis.com/{_PROJECT_NUMBER}",
            "iat": now + min(seconds, 0),
            "exp": now + seconds,
            "jti": uuid.uuid4().hex,
        }
        signed = ".".join(_base64(json.dumps(part).encode()) for part in (header, claims))
        signature = self._key().sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{signed}.{_base64(signature)}"

    def keys(self) -> Mapping[str, Any]:
        """The public key as a JSON Web Key Set (RFC 7517)."""
        numbers = self._key().public_key().public_numbers()
        key = {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": self._key_id}
        return {"keys": [{**key, "n": _number(numbers.n), "e": _number(numbers.e)}]}

    def _key(self) -> rsa.RSAPrivateKey:
        with self._lock:
            if self._made is None:
                self._made = rsa.generate_private_key(public_exponent=65_537, key_size=2048)
            return self._made


def _number(value: int) -> str:
    return _base64(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
