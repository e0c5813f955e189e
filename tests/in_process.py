"""The API in the test's own process, over the real Firestore and Auth of the running suite.

For what the suite's one process cannot show: other settings, a clock that is moved, two instances, a database that
fails now and then, and what is written to the log.
"""

import threading
from datetime import UTC, datetime, timedelta

import grpc
import httpx
from tests.backend import User
from tests.described import ApiClient

from firesuite.faults import Faults
from wattle import config
from wattle.adapters.fcm import Fcm
from wattle.adapters.firestore import Firestore
from wattle.adapters.firestore.client import open_channel
from wattle.adapters.identity import Identity
from wattle.adapters.identity_toolkit import IdentityToolkit
from wattle.adapters.tokens import TokenVerifier
from wattle.api import ROUTES, create_api
from wattle.services import Services


class Clock:
    """The real time and what it was moved by; or, `stopped`, a time that only moves when it is told to."""

    def __init__(self, *, stopped=False) -> None:
        self._moved = timedelta()
        self._stopped_at = datetime.now(UTC) if stopped else None

    def __call__(self) -> datetime:
        return (self._stopped_at or datetime.now(UTC)) + self._moved

    def advance(self, **by) -> None:
        self._moved += timedelta(**by)


class Instance:
    """One instance of the API: `http` talks to it, headers of a User (`user.headers`) sign in. `faults` is what becomes
    of its calls to Firestore."""

    def __init__(self, backend, *, clock=None, app_check=None, verifier=None, routes=ROUTES, **settings) -> None:
        self.clock = clock or Clock()
        self.faults = Faults()
        ports = backend.suite.ports
        auth, firestore = f"127.0.0.1:{ports.auth}", f"127.0.0.1:{ports.firestore}"
        self.config = config.read(
            {
                "GCLOUD_PROJECT": backend.project_id,
                "WEB_API_KEY": "k",
                "SIGNING_SECRET": "the tests' own, 32 characters at least",
                "FUNCTIONS_EMULATOR": "true",
                "FIRESTORE_EMULATOR_HOST": firestore,
                "FIREBASE_AUTH_EMULATOR_HOST": auth,
                "FCM_EMULATOR_HOST": f"127.0.0.1:{ports.fcm}",
                **settings,
            }
        )
        channel, credentials = open_channel(firestore)
        self._channel = channel
        self.firestore = Firestore(backend.project_id, grpc.intercept_channel(channel, self.faults), credentials)
        self.services = Services(
            self.config,
            firestore=self.firestore,
            identity=Identity(IdentityToolkit(backend.project_id, "k", auth)),
            verifier=verifier or TokenVerifier(backend.project_id, None),
            fcm=Fcm(backend.project_id, self.config.fcm_emulator),
            app_check=app_check,
            tasks=None,
            clock=self.clock,
        )
        self.api = create_api(lambda: self.services, routes)
        self.http = ApiClient(transport=httpx.WSGITransport(self.api), base_url="http://api")

    def as_user(self, user: User) -> User:
        """The same user, whose requests come to this instance."""
        return User(user.uid, user.email, user.token, self.http)

    def close(self) -> None:
        self.http.close()
        # The list of revocations is renewed beside the requests: not on a channel that is closed.
        for thread in threading.enumerate():
            if thread.name == "revocations":
                thread.join(timeout=60)
        self._channel.close()
