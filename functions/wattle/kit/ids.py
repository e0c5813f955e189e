"""Random identifiers.

Document ids are never sequential: neighbouring keys written at a high rate make a hot spot (Firestore best practices,
"Hotspots").
"""

import secrets

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
# Crockford's base 32 without I, L, O and U: a person can read it over the phone.
_READABLE = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def document_id() -> str:
    """20 characters of 62, as the Firebase SDKs make them: 119 bits."""
    return "".join(secrets.choice(_LETTERS) for _ in range(20))


def order_number() -> str:
    """A number for people, such as `W-7K3M-9QXT`: 40 bits, not unique by itself and never used as a key."""
    code = "".join(secrets.choice(_READABLE) for _ in range(8))
    return f"W-{code[:4]}-{code[4:]}"
