"""Users of the suite's Auth, made and signed in as an app's users are."""

import dataclasses
import json
import uuid
from collections.abc import Mapping
from typing import Any

from firesuite.rest import ask

_V1 = "/identitytoolkit.googleapis.com/v1"
_PASSWORD = "correct horse battery"  # noqa: S105 - of users who exist for one test


@dataclasses.dataclass(frozen=True, slots=True)
class User:
    """Somebody who is signed in."""

    uid: str
    email: str
    id_token: str
    refresh_token: str

    @property
    def headers(self) -> dict[str, str]:
        """What a request of this user has."""
        return {"Authorization": f"Bearer {self.id_token}"}


class Auth:
    """The fixture `auth`. All raise SuiteError with Auth's own word, such as EMAIL_EXISTS or USER_DISABLED."""

    def __init__(self, project_id: str, port: int) -> None:
        self._port = port
        self._accounts = f"{_V1}/projects/{project_id}/accounts"

    def user(
        self,
        uid: str | None = None,
        *,
        email: str | None = None,
        password: str = _PASSWORD,
        claims: Mapping[str, Any] | None = None,
        **account: Any,
    ) -> User:
        """Somebody new, signed in with a password. `claims` are in his token; `account` is what else Identity Toolkit
        knows of him: `displayName="..."`, `emailVerified=True`, `phoneNumber="..."`."""
        email = email or f"{uuid.uuid4().hex}@example.com"
        fields = {"email": email, "password": password, **account, **({"localId": uid} if uid else {})}
        made = ask("POST", self._port, self._accounts, fields)["localId"]
        if claims:
            self.change(made, customAttributes=json.dumps(claims))
        return self.sign_in(email, password)

    def sign_in(self, email: str, password: str = _PASSWORD) -> User:
        """Sign in again, for a token with what has changed."""
        body = {"email": email, "password": password, "returnSecureToken": True}
        signed = ask("POST", self._port, f"{_V1}/accounts:signInWithPassword?key=any", body)
        return User(signed["localId"], email, signed["idToken"], signed["refreshToken"])

    def account(self, uid: str) -> Mapping[str, Any] | None:
        """What Auth knows of somebody; None where there is nobody."""
        found = ask("POST", self._port, f"{self._accounts}:lookup", {"localId": [uid]})
        accounts: list[Mapping[str, Any]] = found.get("users", [])
        return accounts[0] if accounts else None

    def change(self, uid: str, **account: Any) -> None:
        """Change an account as an administrator does: `disableUser=True`, `validSince="..."`, `email="..."`."""
        ask("POST", self._port, f"{self._accounts}:update", {"localId": uid, **account})

    def delete(self, uid: str) -> None:
        ask("POST", self._port, f"{self._accounts}:delete", {"localId": uid})
