"""Verification of Firebase App Check tokens: does the call come from an app of ours?

Source: Firebase App Check, "Verify App Check tokens from a custom backend", and firebase_admin.app_check, which parses
Google's keys anew for each token and raises what is no FirebaseError when they cannot be fetched.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final

import jwt

from wattle.adapters.keys import KeyStore

JWKS_URL: Final = "https://firebaseappcheck.googleapis.com/v1/jwks"
_ISSUER: Final = "https://firebaseappcheck.googleapis.com/"
_CLOCK_SKEW: Final = 10
# A phone sends one token for an hour or longer.
_CACHED_TOKENS: Final = 10_000


class InvalidAppCheckToken(Exception):
    """The token is not accepted; the message says why, for the log."""


class AppCheckVerifier:
    """Verifies App Check tokens of the project with this number. One for a process; safe to use from many threads."""

    def __init__(self, project_number: str, keys: KeyStore, *, now: Callable[[], float] = time.time) -> None:
        self._audience = f"projects/{project_number}"
        self._issuer = _ISSUER + project_number
        self._keys = keys
        self._now = now
        self._seen: OrderedDict[str, int] = OrderedDict()
        self._lock = threading.Lock()

    def verify(self, token: str) -> None:
        """Return for a token that Firebase gave to one of the project's apps.

        Raises:
            InvalidAppCheckToken: any other, also one that has expired.
            KeysUnavailable: nobody can tell at the moment.
        """
        expires_at = self._seen.get(token)
        if expires_at is None:
            expires_at = self._verify(token)
            with self._lock:
                self._seen[token] = expires_at
                if len(self._seen) > _CACHED_TOKENS:
                    self._seen.popitem(last=False)
        if self._now() > expires_at + _CLOCK_SKEW:
            raise InvalidAppCheckToken(f"expired at {expires_at}")

    def _verify(self, token: str) -> int:
        try:
            header = jwt.get_unverified_header(token)
        except jwt.PyJWTError as error:
            raise InvalidAppCheckToken(str(error)) from error
        key_id = header.get("kid")
        if header.get("alg") != "RS256" or header.get("typ") != "JWT" or not isinstance(key_id, str):
            raise InvalidAppCheckToken("an App Check token has the type JWT, the algorithm RS256 and a key id")
        key = self._keys.key(key_id)
        if key is None:
            raise InvalidAppCheckToken("Firebase has no key of this id")
        try:
            claims = jwt.decode(
                token, key, algorithms=["RS256"], audience=self._audience, issuer=self._issuer, options=_OPTIONS
            )
        except jwt.PyJWTError as error:
            raise InvalidAppCheckToken(str(error)) from error
        if not isinstance(claims.get("exp"), int) or not claims.get("sub"):
            raise InvalidAppCheckToken("exp or sub is missing")
        expires_at: int = claims["exp"]
        return expires_at


# The expiry is checked against our own clock, by verify().
_OPTIONS: Final[Any] = {"verify_exp": False, "verify_iat": False}
