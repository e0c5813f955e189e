"""The firebase_admin app: one for a process, made by the services when they start."""

from collections.abc import Mapping
from typing import Final

import firebase_admin
from firebase_admin import credentials
from google.auth.credentials import AnonymousCredentials

# Seconds. The SDK's default of 120 is longer than a function lives.
_HTTP_TIMEOUT: Final = 8


class _NoCredential(credentials.Base):
    """For the emulators, which ask for none: the SDK would look for a service account otherwise."""

    def get_credential(self) -> AnonymousCredentials:
        return AnonymousCredentials()


def open_app(project_id: str, *, emulated: bool) -> firebase_admin.App:
    """Make the default app, which firebase_functions verifies tokens with.

    Raises:
        ValueError: there is one; somebody else made it.
    """
    options: Mapping[str, object] = {"projectId": project_id, "httpTimeout": _HTTP_TIMEOUT}
    credential = _NoCredential() if emulated else None
    app: firebase_admin.App = firebase_admin.initialize_app(credential, dict(options))
    return app
