"""The state to which a suite is brought back between tests.

fireemu restores a snapshot in a millisecond, but where functions get events it starts their runner anew, which takes
0.3 s. So a suite that was empty and idle, whose clock was not moved, is emptied instead.
"""

import datetime as dt

from firesuite.errors import SuiteError
from firesuite.files import entries
from firesuite.fireemu import used_ports
from firesuite.rest import ask
from firesuite.suite import Suite

_NAME = "firesuite-baseline"
# Events that have not ended by then are dropped: a function that hangs is not to hold up all later tests.
_IDLE_SECONDS = 60.0
# Nothing that anybody waits for is due in less.
_CLOCK_NOISE = dt.timedelta(seconds=0.5)


class Baseline:
    """What a suite holds when this is made: documents, accounts, files, the clock."""

    def __init__(self, suite: Suite) -> None:
        self._suite = suite
        self._control = suite.control
        if not self._control.await_settled(_IDLE_SECONDS):
            raise SuiteError("Events of what was put in first do not end: see what their functions say.")
        self._ahead = self._clock_ahead()
        documents, accounts = self._has_documents(), self._has_accounts()
        self._empty = not documents and not accounts
        if (documents and "firestore" in suite.google) or (accounts and "auth" in suite.google):
            raise SuiteError("Google's emulators cannot bring back what was there first: make it in the tests.")
        self._control.snapshot(_NAME)

    def restore(self) -> None:
        """Bring that state back. Faults, messages, topics and tasks that wait are gone; what functions keep in memory
        stays. Events that have not ended are waited for; those that wait for a retry are dropped."""
        self._control.clear_fault_plan()
        idle = self._control.await_settled(_IDLE_SECONDS)
        moved = abs(self._clock_ahead() - self._ahead) > _CLOCK_NOISE
        if not idle:
            self._control.reset()
        if moved or not self._empty or used_ports(self._suite.project) & {"storage", "pubsub"}:
            self._control.restore(_NAME)
        else:
            self._clear_documents()
        if self._empty or "auth" in self._suite.google:
            self._clear_accounts()
        if self._suite.tasks is not None:
            self._suite.tasks.forget()
        ask("DELETE", self._suite.ports.fcm, f"/v1/projects/{self._project}")

    @property
    def _project(self) -> str:
        return self._suite.project.project_id

    def _clock_ahead(self) -> dt.timedelta:
        """By how much: left alone each write brings it up to the real one, between writes it is behind."""
        return max(self._control.advance_clock(0) - dt.datetime.now(dt.UTC), dt.timedelta())

    def _clear_documents(self) -> None:
        named = entries(self._suite.project.firebase_json, "firestore")
        for database in {"(default)", *(str(entry.get("database", "(default)")) for entry in named)}:
            path = f"/emulator/v1/projects/{self._project}/databases/{database}/documents"
            ask("DELETE", self._suite.ports.firestore, path)

    def _clear_accounts(self) -> None:
        ask("DELETE", self._suite.ports.auth, f"/emulator/v1/projects/{self._project}/accounts")

    def _has_documents(self) -> bool:
        path = f"/v1/projects/{self._project}/databases/(default)/documents:listCollectionIds"
        return bool(ask("POST", self._suite.ports.firestore, path, {}).get("collectionIds"))

    def _has_accounts(self) -> bool:
        path = f"/identitytoolkit.googleapis.com/v1/projects/{self._project}/accounts:query"
        return bool(ask("POST", self._suite.ports.auth, path, {}).get("userInfo"))
