"""What a process writes, and what it tells of failures, holds no secret and nobody's personal data.

Every route is called with marked values: well, with each part of its body wrong, by somebody whose token is wrong, and
while the database quotes what it was asked. Then all that was written is searched for the marks.
"""

import io
import itertools
import json
import logging
import sys
import uuid
from dataclasses import dataclass

import grpc
import httpx
import pytest
from tests.api.orders import lines
from tests.in_process import Instance
from tests.samples import sample
from tests.security.deployed import Deployed

from firesuite.faults import Fault
from wattle.api import ROUTES
from wattle.failures import WorkFailed, reported
from wattle.http.routing import Access
from wattle.kit.logging import JsonFormatter

PASSWORD = f"passphrase-{uuid.uuid4().hex}"
SIGNING_SECRET = f"signing-{uuid.uuid4().hex}-{uuid.uuid4().hex}"
FIELDS = """email password refreshToken displayName phoneNumber photoUrl note reason shippingAddress items fid token
    platform locale deviceId role status audience texts data stock"""


@dataclass
class Marks:
    """What must not be found, by what it is."""

    person: object
    secrets: dict

    def found_in(self, text):
        return sorted({what for what, mark in self.secrets.items() if mark in text})


@pytest.fixture(scope="module")
def marks(backend, people):
    name, digits = f"Zora{uuid.uuid4().hex}", str(uuid.uuid4().int)[:11]
    person = backend.user(displayName=name, password=PASSWORD)
    backend.account(person.uid, emailVerified=True)
    person = people.sign_in(person.email, PASSWORD)
    secrets = {
        "uid": person.uid,
        "address": person.email,
        "address before the @": person.email.partition("@")[0],
        "display name": name,
        "phone": digits,
        "password": PASSWORD,
        "ID token": person.token,
        "claims of the token": person.token.split(".")[1],
        "signing secret": SIGNING_SECRET,
        "street": f"Street{uuid.uuid4().hex}",
        "note": f"Note{uuid.uuid4().hex}",
        "reason": f"Reason{uuid.uuid4().hex}",
        "installation": f"f{uuid.uuid4().hex[:21]}",
        "registration token": f"reg{uuid.uuid4().hex}",
        "refresh token": f"refresh{uuid.uuid4().hex}",
        "idempotency key": f"key{uuid.uuid4().hex}",
        "App Check token": f"appcheck{uuid.uuid4().hex}",
        "network": "203.0.113.177",
        "photo": f"photo{uuid.uuid4().hex}",
        "anything else": f"else{uuid.uuid4().hex}",
    }
    return Marks(person, secrets)


def marked_bodies(world, marks, route):
    """Bodies that hold the marks where there is a place for them, right ones and wrong ones."""
    m = marks.secrets
    address = {"name": m["display name"], "line1": m["street"], "city": "Sydney", "postalCode": "2000", "country": "AU"}
    good = {
        "PATCH /v1/users/me": {
            "displayName": m["display name"],
            "phoneNumber": f"+61{m['phone']}",
            "photoUrl": f"https://example.com/{m['photo']}",
        },
        "POST /v1/orders": {
            "items": lines((world.backend.product(), 1)),
            "shippingAddress": address,
            "note": m["note"],
        },
        "POST /v1/auth/login": {"email": marks.person.email, "password": PASSWORD},
        "POST /v1/auth/register": {"email": marks.person.email, "password": PASSWORD},
        "POST /v1/auth/password-reset": {"email": marks.person.email},
        "POST /v1/auth/email": {"email": f"{m['anything else']}@example.com"},
        "POST /v1/auth/refresh": {"refreshToken": m["refresh token"]},
        "POST /v1/orders/{order_id}/cancel": {"reason": m["reason"]},
        "POST /v1/admin/orders/{order_id}/status": {"status": "confirmed", "reason": m["reason"]},
        "POST /v1/admin/users/{user_id}/disable": {"reason": m["reason"]},
    }.get(route.name)
    if good is not None:
        yield good
    marked = list(zip(FIELDS.split(), itertools.cycle(m.values()), strict=False))
    yield dict(marked)
    yield {name: {mark: [mark]} for name, mark in marked}
    yield [m["anything else"]]


def calls(world, marks, route):
    """(path, body, headers): good calls and bad ones."""
    m = marks.secrets
    person = world.admin if route.access is Access.ADMIN else marks.person
    mine = {
        **person.headers,
        "X-Forwarded-For": m["network"],
        "X-Request-Id": f"{m['anything else']}@example.com",
        "X-Firebase-AppCheck": m["App Check token"],
        "Idempotency-Key": m["idempotency key"],
        "User-Agent": m["anything else"],
    }
    # Of a person of its own: some of these end his account.
    owner = world.backend.user()
    call = sample(world, route, owner)
    yield call.path, call.body, {**mine, **(person.headers if route.access is Access.ADMIN else owner.headers)}
    for body in marked_bodies(world, marks, route) if call.body is not None else ():
        yield call.path, body, mine
    yield f"{call.path}{'&' if '?' in call.path else '?'}q={m['anything else']}&cursor={m['address']}", call.body, mine
    yield f"{call.path}/{m['anything else']}", call.body, mine
    for token in (f"{marks.person.token}x", marks.person.token.rpartition(".")[0] + ".forged", m["anything else"]):
        yield call.path, call.body, {**mine, "Authorization": f"Bearer {token}"}


def names_in(body):
    """The names of a JSON value's members, at any depth."""
    if isinstance(body, dict):
        for name, member in body.items():
            yield name
            yield from names_in(member)
    elif isinstance(body, list):
        for member in body:
            yield from names_in(member)


def told_in(marks, response, path, body):
    """The marks in a refusal, but those in the path and the names that were sent: it says which of them are wrong."""
    if response.status_code < 400:
        return set()
    return set(marks.found_in(response.text)) - set(marks.found_in(f"{path} {' '.join(names_in(body))}"))


def test_every_route(backend, world, marks):
    """In a process of its own, as Cloud Run starts it."""
    process = Deployed(backend, "api", SIGNING_SECRET=SIGNING_SECRET)
    told, answers = set(), {}
    try:
        with httpx.Client(base_url=process.url, timeout=60) as http:
            for route in ROUTES:
                for path, body, headers in calls(world, marks, route):
                    options = {} if body is None else {"json": body}
                    response = http.request(route.method, path, headers=headers, **options)
                    answers.setdefault(response.status_code, set()).add(route.name)
                    told |= told_in(marks, response, path, body)
    finally:
        written = process.close()
    assert {200, 201, 202, 400, 401, 404} <= answers.keys(), "the calls are to reach what could be written"
    assert written.count('"logger":"wattle.access"') > 3 * len(ROUTES)
    assert not [line for line in written.splitlines() if not line.startswith("{")], "each line is JSON"
    assert marks.found_in(written) == []
    assert told == set()


def talkative(marks):
    """A plan by which every call fails, with a message that quotes what was asked, as some of Firestore's own do."""
    said = " ".join(
        (
            f"no document projects/p/databases/(default)/documents/users/{marks.person.uid}/devices/d",
            f"of {marks.person.email} with '{marks.secrets['note']}' and {marks.person.token}",
            f'"{marks.secrets["street"]}" +61 {marks.secrets["phone"]}',
        )
    )

    def fail(_call):
        raise Fault(grpc.StatusCode.PERMISSION_DENIED, said)

    return fail


@pytest.fixture
def everything_written(monkeypatch, capsys):
    """All that any logger, and print, writes meanwhile."""
    stream = io.StringIO()
    plain, ours = logging.StreamHandler(stream), logging.StreamHandler(stream)
    ours.setFormatter(JsonFormatter())
    root, wattle = logging.getLogger(), logging.getLogger("wattle")
    root.addHandler(plain)
    wattle.addHandler(ours)
    monkeypatch.setattr(wattle, "level", logging.DEBUG)
    monkeypatch.setattr(wattle, "propagate", False)
    yield lambda: stream.getvalue() + "".join(capsys.readouterr())
    root.removeHandler(plain)
    wattle.removeHandler(ours)


def test_every_route_while_the_database_quotes_people(backend, world, marks, everything_written):
    prepared = [
        (
            route,
            sample(world, route, world.backend.user()),
            world.admin if route.access is Access.ADMIN else marks.person,
        )
        for route in ROUTES
    ]
    one = Instance(backend, RATE_LIMIT_SCALE="1000")
    one.faults.follow(talkative(marks))
    told, statuses = set(), set()
    try:
        for route, call, person in prepared:
            options = {} if call.body is None else {"json": call.body}
            response = one.http.request(route.method, call.path, headers=person.headers, **options)
            statuses.add(response.status_code)
            told |= told_in(marks, response, call.path, call.body)
    finally:
        one.close()
    written = everything_written()
    assert 500 in statuses
    assert written.count("Traceback") > 20
    assert marks.found_in(written) == []
    assert told == set()


class TestUnattended:
    """Events, schedules and tasks: functions-framework and firebase_functions log what these raise."""

    def test_an_event_that_fails(self, backend, marks):
        m = marks.secrets
        process = Deployed(backend, "onOrderWritten", "cloudevent")
        before = {"status": "pending", "userId": m["uid"], "version": 1, "note": m["note"]}
        after = before | {"status": m["reason"], "version": 2}
        try:
            answer = process.deliver(f"orders/{m['anything else']}", before, after, event_id="event-1")
        finally:
            written = process.close()
        assert answer.status_code == 500, "so that Eventarc delivers it again"
        assert '"function":"onOrderWritten"' in written
        assert "builtins.ValueError: <value> is not a valid Status" in written
        assert marks.found_in(written) == []
        assert marks.found_in(answer.text) == []

    def test_a_task_that_fails(self, backend, marks):
        m = marks.secrets
        process = Deployed(backend, "sendBroadcastChunk")
        try:
            answer = httpx.post(process.url, json={"data": {m["uid"]: m["note"]}}, timeout=60)
        finally:
            written = process.close()
        assert answer.status_code == 500, "so that Cloud Tasks calls again"
        assert "builtins.KeyError: <value>" in written
        assert marks.found_in(written) == []
        assert marks.found_in(answer.text) == []

    def test_nothing_of_an_exception_goes_on(self, marks, everything_written):
        said = " ".join(f"'{mark}'" for mark in marks.secrets.values())
        with pytest.raises(WorkFailed) as failed, reported(function="purgeDaily"):
            raise ValueError(said)
        logging.getLogger().error("Unhandled error: %s", failed.value)
        sys.excepthook(failed.type, failed.value, failed.tb)
        written = everything_written()
        assert "WorkFailed: INTERNAL" in written
        assert json.loads(written.splitlines()[0])["function"] == "purgeDaily"
        assert marks.found_in(written) == []
