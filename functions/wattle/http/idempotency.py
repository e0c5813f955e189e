"""The header `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header)."""

import hashlib
import re
from typing import Final

from wattle.context import IdempotentCall
from wattle.errors import FieldError, ValidationFailed

# Visible ASCII: a key ends up in logs, and two that look alike must be alike.
_KEY: Final = re.compile(r"[\x21-\x7e]{1,255}")
REPLAYED: Final = {"Idempotency-Replayed": "true"}


def idempotent_call(header: str | None, uid: str, route: str, body: bytes) -> IdempotentCall | None:
    """The call that a request stands for, None where it has no key. A key belongs to its caller and route.

    Raises:
        ValidationFailed: a key that is empty, longer than 255 characters, or not visible ASCII.
    """
    if header is None:
        return None
    if not _KEY.fullmatch(header):
        raise ValidationFailed(
            [FieldError("Idempotency-Key", "INVALID_KEY", "1 to 255 characters of visible ASCII, without spaces.")]
        )
    key = hashlib.sha256(f"{uid}\n{route}\n{header}".encode()).hexdigest()
    return IdempotentCall(key=key, fingerprint=hashlib.sha256(body).hexdigest())
