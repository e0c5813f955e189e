"""ID tokens that are really signed, and the endpoint that serves the certificates: no emulator has either."""

import time
from datetime import UTC, datetime, timedelta

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from tests.scripted import Answer, ScriptedServer

PROJECT = "demo-wattle"


class Key:
    """An RSA key with the certificate that Google would publish for it."""

    def __init__(self, key_id: str) -> None:
        self.id = key_id
        self.private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "securetoken.system.gserviceaccount.com")])
        now = datetime.now(UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self.private.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=16))
            .sign(self.private, hashes.SHA256())
        )
        self.certificate = certificate.public_bytes(serialization.Encoding.PEM).decode()

    def token(self, uid: str = "alice", *, headers: dict | None = None, without: tuple = (), **claims) -> str:
        """A token for `uid`, valid for an hour; `claims` replace or add, `without` leaves out."""
        now = int(time.time())
        payload = {
            "iss": f"https://securetoken.google.com/{PROJECT}",
            "aud": PROJECT,
            "sub": uid,
            "user_id": uid,
            "iat": now - 5,
            "auth_time": now - 5,
            "exp": now + 3600,
            "email": f"{uid}@example.com",
            "email_verified": True,
            "firebase": {"identities": {}, "sign_in_provider": "password"},
            **claims,
        }
        payload = {name: value for name, value in payload.items() if name not in without}
        return jwt.encode(payload, self.private, algorithm="RS256", headers={"kid": self.id, **(headers or {})})


class CertificateEndpoint:
    """Serves certificates in place of Google's certificate URL, and counts how often it is asked."""

    def __init__(self, *keys: Key) -> None:
        self._server = ScriptedServer()
        self._server.answer = Answer(headers={"Cache-Control": "public, max-age=20000, must-revalidate, no-transform"})
        self.url = f"http://{self._server.host}/x509"
        self.serve(*keys)

    def serve(self, *keys: Key) -> None:
        """From now on, these keys."""
        self.answer.body = {key.id: key.certificate for key in keys}

    @property
    def answer(self) -> Answer:
        return self._server.answer

    @property
    def asked(self) -> int:
        return len(self._server.requests)

    def close(self) -> None:
        self._server.close()
