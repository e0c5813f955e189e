"""Who asks: ID tokens without a signature, as every Firebase emulator mints and takes them."""

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

OWNER = "owner"
"""The bearer that every emulator lets past the rules."""


@dataclass(frozen=True)
class Caller:
    """`uid` None is nobody signed in. `claims` are added to the token's own, and win over them.

    `project` names the project that the token is for, where it is not the one that is asked; `token` is sent as it
    is, in place of all the rest.
    """

    uid: str | None = None
    claims: Mapping[str, Any] = field(default_factory=dict)
    project: str | None = None
    token: str | None = None

    def __str__(self) -> str:
        if self.token is not None:
            return "a given token"
        if self.uid is None:
            return "anonymous"
        extra = {**self.claims, **({"project": self.project} if self.project else {})}
        return f"{self.uid!r} with {extra}" if extra else repr(self.uid)

    def bearer(self, project: str) -> str | None:
        """The bearer token for a request to `project`; None where nobody is signed in."""
        if self.token is not None:
            return self.token
        if self.uid is None:
            return None
        audience = self.project or project
        # iat 0 and exp 3600 as @firebase/rules-unit-testing sends them: no emulator reads the time of a mock token.
        claims = {
            "iss": f"https://securetoken.google.com/{audience}",
            "aud": audience,
            "sub": self.uid,
            "user_id": self.uid,
            "iat": 0,
            "exp": 3600,
            "auth_time": 0,
            "firebase": {"sign_in_provider": "custom", "identities": {}},
            **self.claims,
        }
        return unsigned(claims)


def unsigned(claims: Mapping[str, Any]) -> str:
    """A JWT with the algorithm `none`."""
    return f"{_part({'alg': 'none', 'typ': 'JWT'})}.{_part(claims)}."


def _part(content: Mapping[str, Any]) -> str:
    encoded = json.dumps(content, default=str).encode()
    return re.sub(r"=+$", "", base64.urlsafe_b64encode(encoded).decode())
