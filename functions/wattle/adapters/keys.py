"""Google's public keys, by key id, as it publishes them: certificates for ID tokens, a JWK set for App Check."""

import re
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import jwt
import requests
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.x509 import load_pem_x509_certificate

_FETCH_TIMEOUT: Final = 5.0
_MAX_AGE: Final = re.compile(r"max-age=(\d+)")
# Google rotates its keys daily. An unknown key id may be a new one, or made up by an attacker: one fetch a minute.
_UNKNOWN_KEY_INTERVAL: Final = 60.0
# With nothing to fall back on, all who wait are told at once instead of each waiting for its own time-out.
_FAILURE_REMEMBERED: Final = 2.0
# Where the answer does not say how long to keep it.
_DEFAULT_AGE: Final = 3600

Keys = Mapping[str, RSAPublicKey]


class KeysUnavailable(Exception):
    """The keys could not be fetched, and none are cached."""


class KeyStore:
    """The keys at `url`, kept as long as the answer's `Cache-Control` allows. Safe to use from many threads.

    `parse` reads the answer's JSON; it raises ValueError, TypeError, KeyError or AttributeError where that makes no
    sense.
    """

    def __init__(self, url: str, parse: Callable[[Any], Keys], *, now: Callable[[], float] = time.time) -> None:
        self._url = url
        self._parse = parse
        self._now = now
        self._lock = threading.Lock()
        self._keys: Keys = {}
        self._fresh_until = 0.0
        self._asked_at = 0.0
        self._failed_until = 0.0

    def key(self, key_id: str) -> RSAPublicKey | None:
        """The key, or None where Google has none of that id.

        Raises:
            KeysUnavailable: the fetch failed and there is nothing to fall back on.
        """
        key = self._keys.get(key_id)
        if key is not None and self._now() < self._fresh_until:
            return key
        with self._lock:
            if self._now() >= self._fresh_until or (
                key_id not in self._keys and self._now() >= self._asked_at + _UNKNOWN_KEY_INTERVAL
            ):
                self._fetch()
            return self._keys.get(key_id)

    def _fetch(self) -> None:
        if self._now() < self._failed_until:
            raise KeysUnavailable(f"{self._url}: not reached a moment ago")
        try:
            response = requests.get(self._url, timeout=_FETCH_TIMEOUT)
            response.raise_for_status()
            keys = self._parse(response.json())
        except (requests.RequestException, ValueError, TypeError, KeyError, AttributeError) as error:
            self._asked_at = self._now()
            if not self._keys:
                self._failed_until = self._asked_at + _FAILURE_REMEMBERED
                raise KeysUnavailable(f"{self._url}: {type(error).__name__}") from error
            # Old keys are better than none: they stay valid for hours after a rotation.
            self._fresh_until = max(self._fresh_until, self._asked_at + _UNKNOWN_KEY_INTERVAL)
            return
        age = _MAX_AGE.search(response.headers.get("Cache-Control", ""))
        self._keys = keys
        self._asked_at = self._now()
        self._fresh_until = self._asked_at + (int(age[1]) if age else _DEFAULT_AGE)


def certificates(answer: Any) -> Keys:
    """The keys of an object of PEM certificates by key id."""
    return {name: _rsa(load_pem_x509_certificate(pem.encode()).public_key()) for name, pem in answer.items()}


def jwk_set(answer: Any) -> Keys:
    """The RSA keys of a JWK set (RFC 7517)."""
    return {key["kid"]: _rsa(jwt.PyJWK(key).key) for key in answer["keys"] if key.get("kty") == "RSA"}


def _rsa(key: Any) -> RSAPublicKey:
    if not isinstance(key, RSAPublicKey):
        raise TypeError("Firebase signs its tokens with RSA keys")
    return key
