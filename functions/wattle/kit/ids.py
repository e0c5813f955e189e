"""Identifiers: those that are made here, at random, and those of users, which are not.

Document ids are never sequential: neighbouring keys written at a high rate make a hot spot (Firestore best practices,
"Hotspots").
"""

import re
import secrets
from typing import Final

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
# Crockford's base 32 without I, L, O and U: a person can read it over the phone.
_READABLE = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
# Firestore, "Quotas and limits", document ids; without lone surrogates, which are no UTF-8, and without control
# characters, which nobody chooses and which separate what is hashed together with an id.
_USER_ID: Final = re.compile(r"(?!\.{1,2}\Z|__.*__\Z)[^/\x00-\x1f\x7f-\x9f\ud800-\udfff]{1,128}")


def is_user_id(text: str) -> bool:
    """Whether a user of Firebase Authentication with this id can have documents, such as `users/{uid}`.

    Firebase's own ids are 28 letters and digits. Who imports users or mints custom tokens may choose any 128
    characters, such as `auth0|5f7c`: with a slash in it `users/{uid}` would be somebody else's document.
    """
    return _USER_ID.fullmatch(text) is not None


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
