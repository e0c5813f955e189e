"""FCM's subscriptions end up as they are stored, in whatever order the triggers hear of what happened."""

import random

import pytest

from wattle.adapters.firestore import Update
from wattle.errors import Unavailable

TOPICS = ("service-status", "offers", "news", "product-p1")
PROMOTIONAL = frozenset(TOPICS[1:])


class Devices:
    """Writes to devices and profiles, and the events of them."""

    def __init__(self, world, dice) -> None:
        self.world = world
        self.dice = dice
        self.people = [world.person(promotions=dice.random() < 0.7) for _ in range(2)]
        self.targets = [f"t{n}-{self.people[0]}" for n in range(3)]
        self.events = []

    def documents(self):
        return {
            (uid, id_): self.world.document(f"users/{uid}/devices/{id_}") for uid in self.people for id_ in ("a", "b")
        }

    def step(self):
        """Something happens; its events are kept for later."""
        before, wishes = self.documents(), {uid: self.wishes(uid) for uid in self.people}
        uid, id_ = self.dice.choice(self.people), self.dice.choice("ab")
        roll = self.dice.random()
        present = before[uid, id_]
        if roll < 0.3 or present is None:
            self.register(uid, id_, self.dice.choice(self.targets))
        elif roll < 0.4:
            self.world.services.devices.remove(uid, id_, self.world.soon())
        elif roll < 0.8:
            topics = sorted(self.dice.sample(TOPICS, self.dice.randint(0, len(TOPICS))))
            path = f"users/{uid}/devices/{id_}"
            self.world.firestore.commit([Update(path, {"topics": topics})], self.world.soon())
        else:
            field = self.dice.choice(("promotions", "muted", "account"))
            self.world.change(uid, **{f"notificationPreferences.{field}": self.dice.random() < 0.6})
        for key, after in self.documents().items():
            if after != before[key]:
                self.events.append(("device", key, before[key], after))
        self.events += [("user", uid, None, None) for uid in self.people if self.wishes(uid) != wishes[uid]]

    def register(self, uid, id_, target):
        from wattle.devices.schemas import RegisterDevice

        body = {"fid": target, "platform": "ios", "appVersion": "1", "locale": "en"}
        device = RegisterDevice.model_validate(body)
        self.world.services.devices.register(self.world.context(uid), id_, device)

    def wishes(self, uid):
        return self.world.document(f"users/{uid}")["notificationPreferences"]

    def deliver(self, event):
        kind, key, before, after = event
        services, deadline = self.world.services, self.world.soon()
        if kind == "user":
            services.subscriptions.preferences_changed(key, deadline)
            return
        if after is None:
            services.devices.release(*key, before["installation"], deadline)
        services.subscriptions.device_changed(before, after, deadline)

    def wanted(self):
        found = {target: set() for target in self.targets}
        for (uid, _), device in self.documents().items():
            if device is None:
                continue
            wishes = self.wishes(uid)
            found[device["target"]["fid"]] = {
                topic
                for topic in device["topics"]
                if not wishes["muted"] and wishes["promotions" if topic in PROMOTIONAL else "account"]
            }
        return found

    def at_fcm(self):
        topics = self.world.sink.get("/topics").json()["topics"]
        return {target: {e["topic"] for e in topics if target in e["targets"]} for target in self.targets}


@pytest.mark.parametrize("seed", range(40))
def test_they_follow_in_the_end(world, seed):
    dice = random.Random(seed)
    devices = Devices(world, dice)
    for _ in range(dice.randint(3, 12)):
        devices.step()
        while devices.events and dice.random() < 0.3:
            dice.shuffle(devices.events)
            devices.deliver(devices.events.pop())
    while devices.events:
        dice.shuffle(devices.events)
        event = devices.events.pop()
        if dice.random() < 0.2:
            devices.events.append(event)
        devices.deliver(event)
    assert devices.at_fcm() == devices.wanted()
    installations = [world.document(f"installations/{d['installation']}") for d in devices.documents().values() if d]
    assert all(installations), "a live device has its installation"


def test_fcm_is_away(world):
    uid = world.person()
    target = world.phone(uid)
    path = f"users/{uid}/devices/phone"
    before = world.document(path)
    world.firestore.commit([Update(path, {"topics": ["service-status"]})], world.soon())
    world.script(target, error="UNAVAILABLE")
    with pytest.raises(Unavailable):
        world.services.subscriptions.device_changed(before, world.document(path), world.soon())
    world.script(target, error=None)
    world.services.subscriptions.device_changed(before, world.document(path), world.soon())
    assert [entry["topic"] for entry in world.sink.get("/topics").json()["topics"]] == ["service-status"]


def test_a_device_that_fcm_does_not_know_is_no_reason_to_try_again(world):
    uid = world.person()
    target = world.phone(uid)
    path = f"users/{uid}/devices/phone"
    before = world.document(path)
    world.firestore.commit([Update(path, {"topics": ["service-status"]})], world.soon())
    world.script(target, error="UNREGISTERED")
    world.services.subscriptions.device_changed(before, world.document(path), world.soon())


def test_a_change_that_comes_while_fcm_is_told_is_told_as_well(world, monkeypatch):
    """The person unsubscribes while the subscription is on its way."""
    uid = world.person()
    world.phone(uid)
    path = f"users/{uid}/devices/phone"
    before = world.document(path)
    world.firestore.commit([Update(path, {"topics": ["service-status"]})], world.soon())
    after = world.document(path)
    tell = world.fcm.set_subscribed

    def slow(target, topic, *, subscribed):
        answer = tell(target, topic, subscribed=subscribed)
        if subscribed:
            world.firestore.commit([Update(path, {"topics": []})], world.soon())
        return answer

    monkeypatch.setattr(world.fcm, "set_subscribed", slow)
    world.services.subscriptions.device_changed(before, after, world.soon())
    assert world.sink.get("/topics").json()["topics"] == []
