"""What Wattle does besides answering: what follows an order, and a phone that is seen again. Counted by the adapter.

The requests go to an instance of the API in this process, the events to the functions' own code, with the documents
before and after as Eventarc brings them. The suite has no functions of its own meanwhile, so nothing is done twice.
"""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import asdict
from types import SimpleNamespace
from typing import Any, Final

import httpx
from bench.billing import Use
from bench.stage import Stage
from firebase_functions.core import Change
from tests.api.orders import lines
from tests.backend import Backend, User
from tests.costs import Meter
from tests.described import ApiClient
from tests.samples import Call, new_device

from wattle import triggers
from wattle.adapters.firestore import Delete, Firestore, Query, track_usage
from wattle.kit.retry import Deadline

PHONES: Final = (1, 2)
"""Half of the people have each: one and a half on average."""
STATUSES: Final = ("confirmed", "shipped", "delivered")
# Collection groups with a TTL policy in which any of this leaves documents.
_EXPIRING: Final = ("idempotencyKeys", "notifications", "deliveries", "deferrals", "rateLimits")

Document = dict[str, Any]


Steps = Mapping[str, Use]


class _Place(Backend):
    """A suite without functions."""

    def __init__(self, stage: Stage) -> None:
        self.suite = stage.suite
        self.project_id = stage.project_id
        self.http = ApiClient()
        self._rest = httpx.Client(timeout=60, headers={"Authorization": "Bearer owner"})
        self.firestore: Firestore = stage.firestore

    def close(self) -> None:
        self.http.close()
        self._rest.close()

    def expiring(self) -> int:
        """How many documents there are that the TTL policy will delete."""
        return sum(self.firestore.count(Query(group, everywhere=True), Deadline.after(60)) for group in _EXPIRING)


def measured() -> dict[str, dict[str, dict[str, float]]]:
    """The steps by name, of each order and of each session with a phone."""
    with Stage() as stage:
        place = _Place(stage)
        day = _Day(place)
        try:
            orders = [day.order(phones) for phones in PHONES]
            order = {name: sum((one[name] for one in orders), Use()) * (1 / len(PHONES)) for name in orders[0]}
            return {"order": _counted(order), "session": _counted(day.seen_again())}
        finally:
            day.close()
            place.close()


class _Day:
    def __init__(self, place: _Place) -> None:
        self._place = place
        self._meter = Meter(place)
        self._meter.instance.http.event_hooks["response"].append(self._keep_answer)
        self._admin = place.user(role="admin")
        self._ask("GET", Call("/v1/users/me"), self._admin)  # the first request of a process reads the revocations

    def close(self) -> None:
        self._meter.close()

    def order(self, phones: int) -> Steps:
        """One order of somebody with so many phones, from its key to the last document that it leaves."""
        place, customer = self._place, self._customer()
        targets = [self._register(customer)[1]["fid"] for _ in range(phones)]
        body = {"items": lines((place.product(), 1))}
        without = self._ask("POST", Call("/v1/orders", body), customer)
        expiring = place.expiring()
        with_key = self._ask("POST", Call("/v1/orders", body, _key()), customer)
        key = Use(reads=with_key.reads - without.reads, writes=with_key.writes - without.writes)
        path = f"orders/{self._answer.json()['data']['id']}"
        steps = {
            "its `Idempotency-Key`": key,
            "the event of the new order": self._event(triggers.order_written, path, None, place.document(path)),
        }
        moved = told = inbox = Use()
        messages = []
        for status in STATUSES:
            before = place.document(path)
            moved += self._ask("POST", Call(f"/v1/admin/{path}/status", {"status": status}), self._admin)
            after = place.document(path)
            told += self._event(triggers.order_written, path, before, after)
            message = f"users/{customer.uid}/notifications/{path.rpartition('/')[2]}-{after['version']}"
            messages.append((message, place.document(message)))
            inbox += self._event(triggers.notification_written, message, None, messages[-1][1])
        told += Use(pushes=sum(len(place.pushes(target)) for target in targets))
        gone = Use(expired=place.expiring() - expiring)
        for message, entry in messages:
            # As the TTL policy does it, months later; whoever has not read it has one unread message fewer.
            place.firestore.commit([Delete(message)], Deadline.after(60))
            gone += self._event(triggers.notification_written, message, entry, None)
        return steps | {
            f"{', '.join(STATUSES)} by an administrator, each with its event and its entry in the audit log": moved,
            "the customer is told: inbox, counter, ledger, pushes": told,
            "the events of the inbox": inbox,
            "all of that is removed after its time, the messages unread": gone,
        }

    def seen_again(self) -> Steps:
        """A phone that registers again a day later, with nothing new."""
        customer = self._customer()
        path, device = self._register(customer)
        before = self._place.document(path)
        self._meter.instance.clock.advance(days=1, minutes=1)
        self._ask("GET", Call("/v1/users/me"), customer)  # the revocations of that day
        call = Call(f"/v1/users/me/devices/{path.rpartition('/')[2]}", device)
        return {
            "the phone registers again": self._ask("PUT", call, customer),
            "the event of the device": self._event(triggers.device_written, path, before, self._place.document(path)),
        }

    def _customer(self) -> User:
        """Somebody with a profile."""
        customer = self._place.user()
        self._ask("GET", Call("/v1/users/me"), customer)
        return customer

    def _register(self, customer: User) -> tuple[str, Document]:
        """A new phone: the path of its document, and what it says of itself."""
        device_id, device = f"d{uuid.uuid4().hex}", new_device()
        self._ask("PUT", Call(f"/v1/users/me/devices/{device_id}", device), customer)
        return f"users/{customer.uid}/devices/{device_id}", device

    def _ask(self, method: str, call: Call, user: User) -> Use:
        cost = self._meter.measure(method, call, user)
        return Use(cost.reads, cost.writes, cost.deletes, requests=1, bytes=int(self._answer.headers["Content-Length"]))

    def _event(self, work: Callable[..., None], path: str, before: Document | None, after: Document | None) -> Use:
        parts = path.split("/")
        params = {"orderId": parts[-1], "notificationId": parts[-1], "deviceId": parts[-1], "uid": parts[1]}
        event = SimpleNamespace(id=uuid.uuid4().hex, params=params, data=Change(_snapshot(before), _snapshot(after)))
        with track_usage() as usage:
            work(self._meter.instance.services, event)
        return Use(usage.reads, usage.writes, usage.deletes, events=1)

    def _keep_answer(self, answer: httpx.Response) -> None:
        self._answer = answer


def _snapshot(data: Document | None) -> Any:
    return None if data is None else SimpleNamespace(to_dict=lambda: data)


def _counted(steps: Steps) -> dict[str, dict[str, float]]:
    """Without what follows from prices."""
    return {
        name: {what: figure for what, figure in asdict(step).items() if what != "seconds"}
        for name, step in steps.items()
    }


def _key() -> Mapping[str, str]:
    return {"Idempotency-Key": uuid.uuid4().hex}
