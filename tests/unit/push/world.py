"""Push services over the real Firestore and the real FCM sink, a clock that is moved, and people with phones."""

import contextlib
import itertools
import threading
import time
from datetime import UTC, datetime, timedelta

import grpc
import httpx
import requests

from firesuite.faults import Faults
from wattle import config
from wattle.adapters.fcm import Fcm
from wattle.adapters.firestore import Create, Firestore, Query, Update, messages
from wattle.context import Caller, Context
from wattle.devices.schemas import RegisterDevice
from wattle.kit.retry import Deadline
from wattle.services import Services
from wattle.users.preferences import NotificationPreferences

_numbers = itertools.count(1)


START = datetime(2026, 6, 1, 3, 0, tzinfo=UTC)
"""One in the afternoon in Sydney."""


def order_event(uid, version, at=START):
    """What an order's write says: its fields before and after it, which was at this time."""
    statuses = {1: "pending", 2: "confirmed", 3: "shipped"}
    after = {"userId": uid, "number": "W-1", "version": version, "status": statuses[version], "updatedAt": at}
    return after | {"status": statuses[version - 1]}, after


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.reset()

    def reset(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        with self._lock:
            self.now += timedelta(seconds=seconds)


class Server(grpc.UnaryUnaryClientInterceptor, grpc.UnaryStreamClientInterceptor):
    """Stands below the faults. It knows the transactions that each thread has open, and ends those of one that died, as
    Firestore does after 60 idle seconds: until then others wait for their locks.
    """

    def __init__(self, channel) -> None:
        self._open = {}
        self._rollback = channel.unary_unary(
            "/google.firestore.v1.Firestore/Rollback",
            request_serializer=lambda message: message.SerializeToString(),
        )

    def intercept_unary_unary(self, proceed, details, request):
        call = proceed(details, request)
        if details.method.endswith("/BeginTransaction"):
            self._mine().add(call.result().transaction)
        elif details.method.endswith(("/Commit", "/Rollback")):
            call.result()  # one that fails leaves it open
            self._mine().discard(request.transaction)
        return call

    def intercept_unary_stream(self, proceed, details, request):
        for answer in proceed(details, request):
            if details.method.endswith("/BatchGetDocuments") and answer.transaction:
                self._mine().add(answer.transaction)
            yield answer

    def end_transactions(self, database):
        """Of the thread that calls."""
        while self._mine():
            request = messages.RollbackRequest(database=database, transaction=self._mine().pop())
            with contextlib.suppress(grpc.RpcError):
                self._rollback(request, timeout=5, metadata=(("authorization", "Bearer owner"),))

    def _mine(self):
        return self._open.setdefault(threading.get_ident(), set())


class FaultySession:
    """Between the adapter and FCM: `plan` says what becomes of a request, "before" or "after" it took effect."""

    def __init__(self, session: requests.Session) -> None:
        self._session = session
        self._lock = threading.Lock()
        self.plan = lambda: None
        """None, or (when, error)."""
        self.seconds = 0.0
        """That FCM takes for a message."""

    def post(self, *args, **options):
        with self._lock:
            fault = self.plan()
        if fault and fault[0] == "before":
            raise fault[1]
        time.sleep(self.seconds)
        answer = self._session.post(*args, **options)
        if fault:
            raise fault[1]
        return answer

    def delete(self, *args, **options):
        return self._session.delete(*args, **options)

    def close(self):
        self._session.close()


class World:
    def __init__(self, backend, project_id, channel) -> None:
        ports = backend.suite.ports
        self.clock = Clock()
        self.firestore_faults = Faults()
        self._server = Server(channel)
        faulty = grpc.intercept_channel(channel, self.firestore_faults, self._server)
        self.config = config.read(
            {
                "GCLOUD_PROJECT": project_id,
                "WEB_API_KEY": "k",
                "SIGNING_SECRET": "the tests' own, 32 characters at least",
                "QUIET_HOURS_EXEMPT": "account",
                "FUNCTIONS_EMULATOR": "true",
                "FIRESTORE_EMULATOR_HOST": f"127.0.0.1:{ports.firestore}",
                "FIREBASE_AUTH_EMULATOR_HOST": f"127.0.0.1:{ports.auth}",
                "FCM_EMULATOR_HOST": f"127.0.0.1:{ports.fcm}",
            }
        )
        self.firestore = Firestore(project_id, faulty, (("authorization", "Bearer owner"),))
        self.fcm = Fcm(project_id, self.config.fcm_emulator)
        self.fcm_faults = self.fcm._http = FaultySession(self.fcm._http)
        self.paused = []
        self.tasks = []
        self.services = Services(
            self.config,
            firestore=self.firestore,
            identity=None,
            verifier=None,
            fcm=self.fcm,
            app_check=None,
            tasks=self,
            clock=self.clock,
            pause=self._pause,
        )
        self.sink = httpx.Client(base_url=f"http://{self.config.fcm_emulator}/v1/projects/{project_id}")
        self.sink.delete("")

    def close(self) -> None:
        self.firestore_faults.reset()
        self.fcm.close() if hasattr(self.fcm, "close") else self.fcm_faults.close()
        self.sink.close()

    def enqueue(self, function, data):
        """A task queue that only remembers."""
        self.tasks.append((function, data))

    def _pause(self, seconds):
        self.paused.append(seconds)
        self.clock.advance(seconds)

    def bury(self):
        """End what a process that died in this thread left open."""
        self._server.end_transactions(self.firestore._database)

    def soon(self):
        return Deadline.after(50)

    def person(self, **preferences):
        """Somebody with a profile; his id."""
        uid = f"u{next(_numbers)}"
        stored = {
            "locale": None,
            "timezone": "Australia/Sydney",
            "deletedAt": None,
            "version": 1,
            "notificationPreferences": NotificationPreferences(**preferences).model_dump(by_alias=True),
        }
        self.firestore.commit([Update(f"users/{uid}", stored, upsert=True)], self.soon())
        return uid

    def change(self, uid, **fields):
        """Change a profile."""
        self.firestore.commit([Update(f"users/{uid}", fields)], self.soon())

    def context(self, uid):
        return Context("request-1", self.soon(), Caller(uid=uid, role=None, auth_time=0))

    def phone(self, uid, device_id="phone", *, platform="android", locale="en-AU", legacy=False):
        """Register a device; its target."""
        target = f"{device_id}-{uid}" if not legacy else f"{device_id}-{uid}:APA91b"
        kind = "token" if legacy else "fid"
        body = {kind: target, "platform": platform, "appVersion": "1.0.0", "locale": locale}
        self.services.devices.register(self.context(uid), device_id, RegisterDevice.model_validate(body))
        return target

    def script(self, target, **script):
        self.sink.put(f"/targets/{target}", json=script).raise_for_status()

    def faults(self, *faults):
        self.sink.put("/faults", json={"faults": list(faults)}).raise_for_status()

    def screen(self, target, platform="android"):
        """What a device shows, and how many messages it received."""
        return self.sink.get(f"/devices/{target}", params={"platform": platform}).json()

    def messages(self):
        return [entry["message"] for entry in self.sink.get("/messages").json()["messages"]]

    def document(self, path):
        found = self.firestore.get(path, self.soon())
        return found and found.data

    def inbox(self, uid):
        """The entries by id."""
        found = self.firestore.query(Query(f"users/{uid}/notifications"), self.soon())
        return {document.id: document.data for document in found}

    def unread(self, uid):
        return self.services.inbox.badges([uid], self.soon())[0]

    def ledger(self, uid, notification_id):
        """(state, code) by device."""
        found = self.firestore.query(Query(f"users/{uid}/notifications/{notification_id}/deliveries"), self.soon())
        return {document.id: (document.data["state"], document.data["code"]) for document in found}

    def devices(self, uid):
        return {document.id for document in self.firestore.query(Query(f"users/{uid}/devices"), self.soon())}

    def create(self, path, data):
        self.firestore.commit([Create(path, data)], self.soon())
