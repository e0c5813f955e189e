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
    return _written(_LETTERS, 20)


def order_number() -> str:
    """A number for people, such as `W-7K3M-9QXT`: 40 bits, not unique by itself and never used as a key."""
    code = _written(_READABLE, 8)
    return f"W-{code[:4]}-{code[4:]}"


def _written(letters: str, length: int) -> str:
    """So many random letters. One draw for all: to ask the system for each would be a twentieth of placing an order."""
    number = secrets.randbelow(len(letters) ** length)
    chosen = []
    for _ in range(length):
        number, digit = divmod(number, len(letters))
        chosen.append(letters[digit])
    return "".join(chosen)
