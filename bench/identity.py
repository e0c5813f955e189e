"""ID tokens that are verified as in production: signed by a key of ours, whose certificate stands in for Google's.

The Auth emulator signs nothing, and with it set no SDK verifies anything: the servers would be spared what each request
costs them in production.
"""

import json
import threading
import time
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

KEY_ID: Final = "benchmark"


class Issuer:
    """Signs ID tokens of one project and serves the certificate; a context manager."""

    def __init__(self, project_id: str) -> None:
        self._project_id = project_id
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        body = json.dumps({KEY_ID: _certificate(self._key)}).encode()

        class Certificates(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Cache-Control", "public, max-age=21600")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Certificates)

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def certificates_url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/certificates"

    def token(self, uid: str, session: int = 0) -> str:
        """An ID token of a sign-in; another `session` gives another token of the same user."""
        now = int(time.time())
        claims = {
            "iss": f"https://securetoken.google.com/{self._project_id}",
            "aud": self._project_id,
            "auth_time": now - 60 - session,
            "user_id": uid,
            "sub": uid,
            "iat": now - 60,
            "exp": now + 6 * 3600,
            "email": f"{uid}@example.com",
            "email_verified": True,
            "firebase": {"identities": {"email": [f"{uid}@example.com"]}, "sign_in_provider": "password"},
        }
        return jwt.encode(claims, self._key, algorithm="RS256", headers={"kid": KEY_ID})

    def write_credentials(self, path: Path) -> None:
        """Credentials that no emulator asks for, but that the official clients will not start without.

        Those of a user: a service account's private key takes 35 ms to load, which production's metadata server spares.
        """
        account = {
            "type": "authorized_user",
            "client_id": "benchmark",
            "client_secret": "benchmark",
            "refresh_token": "benchmark",
            "quota_project_id": self._project_id,
        }
        path.write_text(json.dumps(account), encoding="utf-8")


def _certificate(key: rsa.RSAPrivateKey) -> str:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "securetoken.system.gserviceaccount.com")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM).decode()
