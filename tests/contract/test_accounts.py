"""ops/accounts.yaml: each function has the roles for what its code calls of Google, and none besides.

What it calls is read off the code: from the entry point through the methods of the services, on the real objects, down
to the adapters. It follows `services.x.y()` and `self.x.y()`, by which services reach each other and the adapters.
"""

import ast
import functools
import inspect
import textwrap

import pytest
import yaml
from tests.conftest import ROOT

from wattle import callables, config, tasks, triggers
from wattle.adapters.cloud_tasks import CloudTasks
from wattle.adapters.fcm import Fcm
from wattle.adapters.firestore import Firestore
from wattle.adapters.identity import Identity
from wattle.api import ROUTES
from wattle.kit.clock import utc_now
from wattle.services import Services

ACCOUNTS = yaml.safe_load((ROOT / "ops" / "accounts.yaml").read_text())["accounts"]
ENDPOINTS = yaml.safe_load((ROOT / "functions" / "functions.yaml").read_text())["endpoints"]
# What a call of an adapter needs. The other methods of Identity are asked with the web API key, as an app would.
NEEDS = {
    (Identity, "account"): "wattleAccountEditor",
    (Identity, "accounts"): "wattleAccountEditor",
    (Identity, "account_of"): "wattleAccountEditor",
    (Identity, "change"): "wattleAccountEditor",
    (Identity, "delete"): "wattleAccountEraser",
    (Fcm, "send"): "wattleSender",
    (Fcm, "set_subscribed"): "wattleSubscriber",
    (CloudTasks, "enqueue"): "actsAsItself",
}
ADAPTERS = (Firestore, Identity, Fcm, CloudTasks)
ENTRY_POINTS = {
    "api": [route.endpoint for route in ROUTES],
    "createOrder": [callables.create_order],
    "cancelOrder": [callables.cancel_order],
    "registerDevice": [callables.register_device],
    "markNotificationRead": [callables.mark_notification_read],
    "onOrderWritten": [triggers.order_written],
    "onUserWritten": [triggers.user_written],
    "onDeviceWritten": [triggers.device_written],
    "onNotificationWritten": [triggers.notification_written],
    "onBroadcastWritten": [triggers.broadcast_written],
    # Does what the other triggers failed to do.
    "onDeadLetterWritten": [
        triggers.order_written,
        triggers.user_written,
        triggers.device_written,
        triggers.notification_written,
        triggers.broadcast_written,
    ],
    "sendBroadcastChunk": [tasks.send_broadcast_chunk],
    "sweepPushes": [tasks.sweep],
    "pruneDaily": [tasks.prune],
    "purgeDaily": [tasks.purge],
}


def bare(kind):
    """One that is held, not called."""
    return kind.__new__(kind)


@pytest.fixture(scope="module")
def services():
    settings = config.read({"GCLOUD_PROJECT": "p", "WEB_API_KEY": "k", "SIGNING_SECRET": "s" * 64})
    adapters = {"firestore": bare(Firestore), "identity": bare(Identity), "fcm": bare(Fcm), "tasks": bare(CloudTasks)}
    return Services(settings, verifier=object(), app_check=None, clock=utc_now, **adapters)


@functools.cache
def source(function):
    return ast.parse(textwrap.dedent(inspect.getsource(function)))


def chain(node):
    """`a.b.c` as ["a", "b", "c"], None for what is no such chain."""
    names = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    return [*names, node.id][::-1] if isinstance(node, ast.Name) else None


def methods(tree, name, thing):
    """Each object and method that code names as `name.x.y`, where `name` is `thing`."""
    for node in ast.walk(tree):
        names = chain(node)
        if names is None or names[0] != name or len(names) < 2:
            continue
        owner = thing
        for attribute in names[1:-1]:
            owner = getattr(owner, attribute, None)
        if inspect.isfunction(inspect.getattr_static(type(owner), names[-1], None)):
            yield owner, names[-1]


def functions_of(function):
    """A function and those of its module that it names, in turn."""
    module = inspect.getmodule(function)
    waiting, seen = [function], set()
    while waiting:
        one = inspect.unwrap(waiting.pop())
        if one in seen:
            continue
        seen.add(one)
        for node in ast.walk(source(one)):
            named = getattr(module, node.id, None) if isinstance(node, ast.Name) else None
            if inspect.isfunction(named) and inspect.getmodule(named) is module:
                waiting.append(named)
    return seen


def calls(services, entry_points):
    """The calls of adapters that the entry points may come to: type and method."""
    waiting = [
        method
        for entry_point in entry_points
        for function in functions_of(entry_point)
        for method in methods(source(function), "services", services)
    ]
    assert waiting, "it calls no service"
    seen, found = set(), set()
    while waiting:
        owner, name = waiting.pop()
        if isinstance(owner, ADAPTERS):
            found.add((type(owner), name))
        elif (id(owner), name) not in seen and type(owner).__module__.startswith("wattle."):
            seen.add((id(owner), name))
            waiting += methods(source(getattr(type(owner), name)), "self", owner)
    return found


def account_of(name):
    return ACCOUNTS[ENDPOINTS[name]["serviceAccountEmail"].partition("@")[0]]


def granted(name):
    account = account_of(name)
    known = {*NEEDS.values(), "roles/datastore.user"}
    return set(account["roles"]) & known | ({"actsAsItself"} if account.get("actsAsItself") else set())


def test_every_function_is_looked_at():
    assert set(ENTRY_POINTS) == set(ENDPOINTS)


@pytest.mark.parametrize("name", ENTRY_POINTS)
def test_a_function_has_the_roles_for_what_it_calls(services, name):
    called = calls(services, ENTRY_POINTS[name])
    # All of them read or write documents, by repositories that services make for themselves.
    wanted = {NEEDS[call] for call in called if call in NEEDS} | {"roles/datastore.user"}
    assert granted(name) == wanted


def test_every_call_of_fcm_tasks_and_accounts_is_seen(services):
    """Together they call all that needs a role: a call that the reading missed would be missing here."""
    everything = set().union(*(calls(services, entry_points) for entry_points in ENTRY_POINTS.values()))
    assert {call for call in NEEDS if call not in everything} == set()


def test_who_enqueues_may_enqueue():
    """On the queue and the function that it calls: firebase grants that, by the manifest."""
    invokers = {one.partition("@")[0] for one in ENDPOINTS["sendBroadcastChunk"]["taskQueueTrigger"]["invoker"]}
    assert invokers == {name for name, account in ACCOUNTS.items() if account.get("actsAsItself")}


def test_only_what_takes_events_receives_them():
    for name, endpoint in ENDPOINTS.items():
        assert ("roles/eventarc.eventReceiver" in account_of(name)["roles"]) == ("eventTrigger" in endpoint), name


def test_nobody_has_more():
    for account in ACCOUNTS.values():
        assert set(account["roles"]) <= {*NEEDS.values(), "roles/datastore.user", "roles/eventarc.eventReceiver"}
