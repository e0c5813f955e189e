"""People with accounts: what they are mailed, and the tokens that they get from Firebase itself, as an SDK would."""

import base64
import json
import uuid
from dataclasses import replace
from urllib.parse import urlencode

import httpx
from tests.backend import User

PASSWORD = "correct horse"


class People:
    """Accounts of one backend, past its API."""

    def __init__(self, backend) -> None:
        self._backend = backend
        self._base = f"http://127.0.0.1:{backend.suite.ports.auth}"
        self._rest = httpx.Client(timeout=60, headers={"Authorization": "Bearer owner"})

    def close(self) -> None:
        self._rest.close()

    @staticmethod
    def address() -> str:
        return f"{uuid.uuid4().hex}@example.com"

    def mails(self, email: str, kind: str | None = None) -> list[dict]:
        """The mails for the account of an address, oldest first; `kind` such as PASSWORD_RESET."""
        url = f"{self._base}/emulator/v1/projects/{self._backend.project_id}/oobCodes"
        codes = self._rest.get(url).json()["oobCodes"]
        return [code for code in codes if code["email"] == email and kind in (None, code["requestType"])]

    def follow(self, mail: dict) -> None:
        """Open the link of a mail."""
        self._rest.get(mail["oobLink"]).raise_for_status()

    def reset_password(self, mail: dict, password: str) -> None:
        body = {"oobCode": mail["oobCode"], "newPassword": password}
        self._rest.post(f"{self._backend.identity}/accounts:resetPassword?key=k", json=body).raise_for_status()

    def account(self, uid: str) -> dict | None:
        """The account in Firebase Authentication."""
        url = f"{self._backend.identity}/projects/{self._backend.project_id}/accounts:lookup"
        return next(iter(self._rest.post(url, json={"localId": [uid]}).json().get("users", [])), None)

    def sign_in(self, email: str, password: str = PASSWORD) -> User:
        """Sign in as a Firebase SDK does."""
        body = {"email": email, "password": password, "returnSecureToken": True}
        answer = self._rest.post(f"{self._backend.identity}/accounts:signInWithPassword?key=k", json=body)
        answer.raise_for_status()
        signed = answer.json()
        return User(signed["localId"], email, signed["idToken"], self._backend.http)

    def verified(self) -> User:
        """A new user whose address is proven, so that he can sign in here."""
        user = self._backend.user()
        self._backend.account(user.uid, emailVerified=True)
        return self.sign_in(user.email)

    def imported(self, uid: str) -> User:
        """A new user whose id is of another system's making, signed in."""
        body = {"localId": uid, "email": self.address(), "password": PASSWORD, "emailVerified": True}
        url = f"{self._backend.identity}/projects/{self._backend.project_id}/accounts"
        self._rest.post(url, json=body).raise_for_status()
        return self.sign_in(body["email"])

    def appoint(self, user: User) -> None:
        """Make him an administrator, from his next sign-in on."""
        self._backend.account(user.uid, customAttributes=json.dumps({"role": "admin"}))

    def link(self, user: User, provider: str, claims: dict) -> None:
        """Another way to sign in for the same account, as the emulators take it: claims in place of a token."""
        body = {
            "idToken": user.token,
            "postBody": urlencode({"id_token": json.dumps(claims), "providerId": provider}),
            "requestUri": "http://localhost",
            "returnSecureToken": True,
        }
        self._rest.post(f"{self._backend.identity}/accounts:signInWithIdp?key=k", json=body).raise_for_status()

    def remove(self, uid: str) -> None:
        """As in the console."""
        url = f"{self._backend.identity}/projects/{self._backend.project_id}/accounts:delete"
        self._rest.post(url, json={"localId": uid}).raise_for_status()

    @staticmethod
    def with_claims(user: User, **claims) -> User:
        """The same user with a token that says something else; the emulators' tokens are not signed."""
        new = json.dumps(People.claims(user) | claims).encode()
        header = user.token.partition(".")[0]
        return replace(user, token=f"{header}.{base64.urlsafe_b64encode(new).rstrip(b'=').decode()}.")

    @staticmethod
    def claims(user: User) -> dict:
        payload = user.token.split(".")[1]
        return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
