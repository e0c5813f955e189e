"""A person sees each message once, on every phone, whatever happens on the way.

Each run is made from a seed: who has which phones, what he lets us push, which events come in which order, how often
and at the same time, where a process dies or a call fails or its answer is lost, and what the person reads or does not
want any more meanwhile. Then it is looked at: one entry in the inbox, one notification on each phone's screen, no phone
that rang after its owner wanted peace, the right number of unread ones, a ledger that says what became of each
delivery, and no phone forgotten but those that FCM called gone.

`PUSH_SEEDS=10000` runs as many, `PUSH_SEEDS=17:18` runs the one with number 17 again.
"""

import itertools
import os
import random
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
import requests
from tests.unit.push.world import order_event

from firesuite.faults import LOST, RETRIABLE, Died, Failure
from wattle.adapters import fcm
from wattle.adapters.firestore import Create, Increment, Query, Update
from wattle.errors import Unavailable
from wattle.push import ledger as ledger_module
from wattle.push import sender
from wattle.push import service as push_service
from wattle.push.ledger import Lease
from wattle.push.orders import order_message
from wattle.users import preferences

ATTEMPTS_MOST = 60
"""Faults are only injected in the first eight; the lease of who died ends after a few more."""
CHUNKS = 10
"""Tests that the runs are spread over, so that a failing one is seen early."""


def seeds():
    given = os.environ.get("PUSH_SEEDS", "2000")
    first, _, last = given.rpartition(":")
    return range(int(first or 0), int(last))


@pytest.fixture(autouse=True)
def one_thread_a_process(monkeypatch):
    """One that dies is dead with all it does, and what it leaves open is known by its thread."""
    monkeypatch.setattr(push_service, "_RELEASED_AT_ONCE", 1)


class Run:
    def __init__(self, world, seed) -> None:
        self.world = world
        self.seed = seed
        self.dice = random.Random(seed)
        self.faults = 0
        self.reasons = []
        self.services = world.services
        dice = self.dice
        world.clock.reset()
        self.quiet = dice.random() < 0.2
        self.muted = self.muted_from_the_start = not self.quiet and dice.random() < 0.1
        quiet_hours = {"start": "12:00", "end": "18:00"} if self.quiet else None
        self.uid = world.person(muted=self.muted, quiet_hours=quiet_hours)
        self.phones = {}
        for number in range(dice.randint(1, 3)):
            platform = dice.choice(("android", "ios", "web"))
            target = world.phone(self.uid, f"d{number}", platform=platform, legacy=dice.random() < 0.2)
            self.phones[f"d{number}"] = (target, platform, self.condition(target))
        versions = dice.choice(((2,), (2,), (2, 3)))
        self.events = {f"o{seed}-{v}": order_event(self.uid, v) for v in versions}
        self.read = set()
        self.peace = {}
        """How often a phone, by its id, had rung for a message when its owner was to be left in peace with it."""
        if self.quiet or self.muted:
            self.leave_in_peace(self.events)

    def condition(self, target):
        """What is the matter with a phone: nothing mostly."""
        roll = self.dice.random()
        if roll < 0.1:
            self.world.script(target, error="UNREGISTERED")
            return "gone"
        if roll < 0.15:
            self.world.script(target, error="INVALID_ARGUMENT", blame=self.dice.random() < 0.5)
            return "gone"
        if roll < 0.25:
            error = self.dice.choice(("UNAVAILABLE", "QUOTA_EXCEEDED", "INTERNAL"))
            times, retry_after = self.dice.randint(1, 6), self.dice.choice((0, 30))
            self.world.script(target, error=error, times=times, retryAfter=retry_after)
            # A pause moves the clock that all processes share, and with it the end of the leases of those that wait.
            self.faults += times
        elif roll < 0.3:
            self.faults += 1
            self.world.script(target, acceptThenError=True, error="UNAVAILABLE", times=1, retryAfter=0)
        return "live"

    def play(self):
        deliveries = list(self.events) * self.dice.choice((1, 1, 2, 3))
        self.dice.shuffle(deliveries)
        attempts = 0
        while deliveries:
            attempts += 1
            assert attempts < ATTEMPTS_MOST, f"an event is never dealt with: {self.reasons[-3:]}"
            some = [deliveries.pop() for _ in range(min(len(deliveries), self.dice.choice((1, 1, 1, 2, 3))))]
            self.injure(attempts)
            # Those that come at the same time meet while one of them sends.
            self.world.fcm_faults.seconds = 0.01 if len(some) > 1 else 0
            # What was not acknowledged comes again, in whatever order.
            deliveries[:0] = self.at_once(self.deliver, some)
            self.person_acts()
            self.world.clock.advance(self.dice.choice((0, 1, 70)))
        if self.quiet:
            self.wait_for_the_end_of_quiet_hours()
            # Before the event comes again, which in earnest it does not hours later.
            self.check()
        self.heal()
        for message_id in self.events:
            assert self.deliver(message_id), "an event that was dealt with comes once more"

    def at_once(self, work, items):
        """Do the work on all items at the same time; those on which it failed."""
        if len(items) == 1:
            return [item for item in items if not work(item)]
        with ThreadPoolExecutor(len(items)) as pool:
            return [item for item, done in zip(items, pool.map(work, items), strict=True) if not done]

    def deliver(self, message_id):
        """A process gets an event; whether it acknowledged it."""
        uid, message = order_message(message_id.rpartition("-")[0], *self.events[message_id])
        return self.attempt(lambda: self.services.push.tell(uid, message, self.world.soon()))

    def attempt(self, work):
        try:
            work()
        except (Exception, Died) as error:  # noqa: BLE001 (whatever it is, the event is delivered again)
            self.reasons.append(repr(error)[:200])
            self.world.bury()
            return False
        return True

    def injure(self, attempts):
        """One fault, at some call to Firestore or to FCM, in two of three attempts; none after a while."""
        self.heal()
        roll = self.dice.random()
        if attempts > 8 or roll < 0.33:
            return
        self.faults += 1
        if roll < 0.75:
            where = self.dice.randint(1, 14)
            self.world.firestore_faults.follow(self.a_fault(where))
        else:
            countdown = iter([None] * self.dice.randint(0, 2))
            when = self.dice.choice(("before", "after", "after"))
            error = self.dice.choice((Died(), requests.ReadTimeout("late"), requests.ConnectionError("reset")))
            fault = [(when, error)]
            self.world.fcm_faults.plan = lambda: next(countdown, fault.pop() if fault else None)

    def a_fault(self, where):
        """At the call of that number: the process dies, or the call fails; before or after it takes effect."""
        after, dies = self.dice.random() < 0.5, self.dice.random() < 0.5
        status = self.dice.choice(LOST if after else RETRIABLE)

        def plan(call):
            # Locks that cannot be given back are held for a minute of real time: too long to wait for here.
            if call.number != where or call.method == "Rollback":
                return None
            # A read that fails after it took effect is one that failed.
            return Failure(None if dies else status, after=after and (dies or call.method == "Commit"))

        return plan

    def heal(self):
        self.world.firestore_faults.reset()
        self.world.fcm_faults.plan = lambda: None
        self.world.fcm_faults.seconds = 0

    def leave_in_peace(self, message_ids):
        for device_id, (target, platform, _) in self.phones.items():
            rung = self.rung(target, platform)
            for id_ in message_ids:
                self.peace.setdefault((device_id, id_), rung.get(id_, 0))

    def rung(self, target, platform):
        """How often a phone rang for each message."""
        shown = self.world.screen(target, platform)["notifications"]
        return {notification["tag"]: 1 + notification["replaced"] for notification in shown}

    def person_acts(self):
        """Reads a message, goes to bed, or mutes his phones: between two attempts to send, mostly."""
        self.heal()
        roll = self.dice.random()
        if roll < 0.2:
            self.person_reads()
        elif roll < 0.25 and not self.quiet:
            self.quiet = True
            self.want(quietHours={"start": "12:00", "end": "18:00"})
        elif roll < 0.3 and not self.muted:
            self.muted = True
            self.want(muted=True)

    def want(self, **preferences):
        fields = {f"notificationPreferences.{name}": value for name, value in preferences.items()}
        self.world.change(self.uid, **fields)
        self.leave_in_peace(self.events)

    def person_reads(self):
        """Reads a message, in the app or past the API; the trigger hears of it, perhaps twice."""
        entries = self.world.inbox(self.uid)
        if not entries:
            return
        id_, before = self.dice.choice(sorted(entries.items()))
        if self.dice.random() < 0.5:
            self.services.inbox.mark_read(self.world.context(self.uid), id_)
        elif before["readAt"] is None:
            change = {"readAt": self.world.clock()}
            path = f"users/{self.uid}/notifications/{id_}"
            self.world.firestore.commit([Update(path, change)], self.world.soon())
        self.read.add(id_)
        self.leave_in_peace([id_])
        after = self.world.inbox(self.uid)[id_]
        for _ in range(self.dice.randint(1, 2)):
            self.services.inbox.changed(self.uid, before, after, self.world.soon())

    def wait_for_the_end_of_quiet_hours(self):
        self.check_peace()
        if not self.muted:
            self.peace = {where: rung for where, rung in self.peace.items() if where[1] in self.read}
        self.world.clock.advance(5 * 3600)
        for attempt in range(1, 40):
            self.injure(attempt)
            sweeps = self.dice.choice((1, 1, 2))
            self.at_once(lambda _: self.attempt(self.sweep), range(sweeps))
            self.world.clock.advance(self.dice.choice((1, 70, 300)))
            self.heal()
            if not self.world.firestore.query(
                Query("deferrals", where=[("userId", "==", self.uid)]), self.world.soon()
            ):
                return
        raise AssertionError(f"messages still wait: {self.reasons}")

    def sweep(self):
        self.services.push.release_due(self.world.soon(), self.world.services.broadcast_delivery)

    def check_peace(self):
        for device_id, (target, platform, _) in self.phones.items():
            rung = self.rung(target, platform)
            for id_ in self.events:
                assert rung.get(id_, 0) <= self.peace.get((device_id, id_), self.faults + 1), "somebody was woken"

    def check(self):
        world = self.world
        entries = world.inbox(self.uid)
        assert set(entries) == set(self.events), "one entry for each event"
        assert world.unread(self.uid) == sum(entry["readAt"] is None for entry in entries.values())
        self.check_peace()
        ledgers = {id_: world.ledger(self.uid, id_) for id_ in self.events}
        devices = world.devices(self.uid)
        for device_id, (target, platform, condition) in self.phones.items():
            live = condition == "live"
            # What he was left in peace with is on the screen where it was before.
            expected = [id_ for id_ in self.events if live and self.peace.get((device_id, id_), 1)]
            screen = world.screen(target, platform)
            tags = [notification["tag"] for notification in screen["notifications"]]
            assert sorted(tags) == sorted(expected), f"{device_id} ({platform}) shows {tags}"
            assert screen["received"] <= len(self.events) + self.faults, "sent again without need"
            assert self.faults or screen["received"] == len(expected)
            for id_, ledger in ledgers.items():
                rung = self.peace.get((device_id, id_))
                if device_id not in ledger:
                    assert not live, "forgotten before the message came"
                elif rung is None:
                    assert ledger[device_id][0] == ("sent" if live else "pruned")
                elif rung == 0 and live:
                    assert ledger[device_id][0] == "withheld"
                else:
                    # Whoever found out about the phone may have died before he wrote it down.
                    assert ledger[device_id][0] in {"withheld", "sent" if live else "pruned"}
            wanted = any((device_id, id_) not in self.peace for id_ in self.events)
            if live or self.muted_from_the_start:
                assert device_id in devices
            elif wanted:
                assert device_id not in devices


def play(world, seed):
    run = Run(world, seed)
    try:
        run.play()
        run.check()
    except BaseException as error:
        error.add_note(f"seed {seed}: repeat it with PUSH_SEEDS={seed}:{seed + 1}")
        raise
    finally:
        run.heal()
        world.sink.delete("/messages")


def play_all(world, numbers):
    for seed in numbers:
        play(world, seed)


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_each_message_is_seen_once(world, chunk):
    play_all(world, seeds()[chunk::CHUNKS])


def new_tag_each_time(world, monkeypatch):
    numbers = itertools.count()
    push = world.services.push
    make = push._push
    monkeypatch.setattr(push, "_push", lambda *given: make(*given)._replace(collapse_id=f"{next(numbers)}"))


def nothing_written_down(world, monkeypatch):
    monkeypatch.setattr(world.services.push._ledger, "settle", lambda *_, **__: None)


def counted_apart(world, monkeypatch):
    """The unread ones are counted in a commit of its own, after the message's."""
    inbox = world.services.inbox
    monkeypatch.setattr(
        inbox._notifications,
        "create_in",
        lambda t, uid, id_, data: t.write(Create(f"users/{uid}/notifications/{id_}", data)),
    )
    open_ = world.services.push._ledger.open

    def opened(message, plans, deadline):
        leases = open_(message, plans, deadline)
        for plan in plans:
            counter = f"users/{plan.uid}/counters/inbox"
            world.firestore.commit([Update(counter, {"unread": Increment(1)}, upsert=True)], deadline)
        return leases

    monkeypatch.setattr(world.services.push._ledger, "open", opened)


def everybody_may_send(world, monkeypatch):
    """Nobody looks at the leases of others."""
    ledger = world.services.push._ledger
    claim = ledger._claim_in

    def claimed(transaction, entry, states, holder, deadline):
        lease = claim(transaction, entry, states, holder, deadline)
        rows = ledger._deliveries.of_notification(*entry, deadline) if lease.held else ()
        return Lease(lease.device_ids | {row.id for row in rows if row.data["state"] in states})

    monkeypatch.setattr(ledger, "_claim_in", claimed)


def the_dead_are_waited_for(world, monkeypatch):
    """A lease never ends."""
    monkeypatch.setattr(ledger_module, "_end", lambda _now, _deadline: datetime(9999, 1, 1, tzinfo=UTC))


def what_exists_is_done(world, monkeypatch):
    """An entry that is there is taken for a message that was sent."""
    monkeypatch.setattr(world.services.push._ledger, "_open_again", lambda *_: Lease(frozenset()))


def an_id_for_each_event(world, monkeypatch):
    numbers = itertools.count()
    tell = world.services.push.tell
    monkeypatch.setattr(
        world.services.push,
        "tell",
        lambda uid, message, deadline: tell(uid, message._replace(id=f"{message.id}-{next(numbers)}"), deadline),
    )


def no_answer_is_a_failure(world, monkeypatch):
    """What FCM did not take at once is given up."""
    monkeypatch.setattr(sender, "_LATER", frozenset())


def only_a_field_is_blamed(world, monkeypatch):
    """A malformed target whose details name no field is taken for the message's fault."""
    monkeypatch.setattr(fcm, "_TARGET_SENTENCE", re.compile("(?!)"))


def gone_phones_are_kept(world, monkeypatch):
    monkeypatch.setattr(world.services.devices, "forget", lambda *_: None)


def quiet_hours_are_ignored(world, monkeypatch):
    monkeypatch.setattr(preferences, "quiet_until", lambda *_: None)


def what_was_begun_is_sent(world, monkeypatch):
    """What is left of a message is sent, whatever its person wants by then."""
    ledger = world.services.push._ledger
    again = ledger._open_again
    monkeypatch.setattr(
        ledger,
        "_open_again",
        lambda message, plan, *given: again(message, plan._replace(outcome=sender.QUEUED, due=None), *given),
    )


def who_has_read_it_is_rung_up(world, monkeypatch):
    monkeypatch.setattr(world.services.inbox, "is_read_in", lambda *_: False)


def nobody_waits_once_it_is_due(world, monkeypatch):
    """A message that waited is taken off the list before it is sent, not after."""
    ledger = world.services.push._ledger
    take = ledger.take

    def taken(key, deadline):
        due = take(key, deadline)
        ledger._deliveries.settle("", {}, key, deadline)
        return due

    monkeypatch.setattr(ledger, "take", taken)


def counted_off_at_each_event(world, monkeypatch):
    """One is subtracted at each event of a message that was read, instead of counting again."""

    def changed(uid, before, after, deadline):
        if before["readAt"] is None and after["readAt"] is not None:
            counter = f"users/{uid}/counters/inbox"
            world.firestore.commit([Update(counter, {"unread": Increment(-1)}, upsert=True)], deadline)

    monkeypatch.setattr(world.services.inbox, "changed", changed)


def what_is_read_past_the_api_is_not_counted(world, monkeypatch):
    monkeypatch.setattr(world.services.inbox, "changed", lambda *_: None)


MISTAKES = (
    new_tag_each_time,
    nothing_written_down,
    counted_apart,
    everybody_may_send,
    the_dead_are_waited_for,
    what_exists_is_done,
    an_id_for_each_event,
    no_answer_is_a_failure,
    only_a_field_is_blamed,
    gone_phones_are_kept,
    quiet_hours_are_ignored,
    what_was_begun_is_sent,
    who_has_read_it_is_rung_up,
    nobody_waits_once_it_is_due,
    counted_off_at_each_event,
    what_is_read_past_the_api_is_not_counted,
)


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_noticed(world, monkeypatch, mistake):
    """What the runs are worth: each of these ways to be wrong fails one of the first of them."""
    mistake(world, monkeypatch)
    with pytest.raises(AssertionError):
        play_all(world, range(100_000, 100_100))


def test_who_comes_while_another_sends_does_not_send(world):
    """The lease: the runs above meet this by chance only."""
    uid = world.person()
    target = world.phone(uid, "d0", platform="android")
    _, message = order_message("o-lease", *order_event(uid, 2))
    sending, go_on = threading.Event(), threading.Event()

    def held_up():
        sending.set()
        go_on.wait(60)

    world.fcm_faults.plan = held_up
    try:
        with ThreadPoolExecutor(1) as pool:
            first = pool.submit(world.services.push.tell, uid, message, world.soon())
            assert sending.wait(60)
            with pytest.raises(Unavailable):
                world.services.push.tell(uid, message, world.soon())
            go_on.set()
            first.result(60)
    finally:
        world.fcm_faults.plan = lambda: None
    assert world.screen(target)["received"] == 1
