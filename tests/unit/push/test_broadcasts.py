"""Chunks of broadcasts: each person sees it once although tasks come twice, at once, and die half-way."""

import json
import logging
import random
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest

from firesuite.faults import LOST, RETRIABLE, Died, Failure
from wattle import tasks
from wattle.adapters.cloud_tasks import TasksUnavailable
from wattle.adapters.firestore import FirestoreError
from wattle.broadcasts.errors import BroadcastEnded
from wattle.broadcasts.schemas import BroadcastState, NewBroadcast
from wattle.context import Role
from wattle.errors import Unavailable, WattleError

TEXTS = {"en": {"title": "Cake", "body": "Today only."}}


def order(world, people=(), **changes):
    """An administrator orders a broadcast; its id."""
    body = {"audience": {"users": list(people)}, "kind": "account", "texts": TEXTS} | changes
    ctx = world.context("admin")
    ctx = ctx._replace(caller=ctx.user._replace(role=Role.ADMIN))
    wanted = NewBroadcast.model_validate_json(json.dumps(body, default=datetime.isoformat))
    return world.services.broadcasts.create(ctx, wanted).broadcast.id


def run_tasks(world, broadcast):
    """What the trigger and the queue do; the tasks that failed."""
    world.tasks.clear()
    world.services.broadcast_delivery.fan_out(broadcast, world.soon())
    return [task for task in world.tasks if not attempt(world, task)]


def wind_up(world, broadcast):
    """What the trigger and the queue do when a broadcast has been cancelled or failed; the tasks that failed."""
    world.tasks.clear()
    world.services.broadcast_delivery.wind_up(broadcast, world.soon())
    return [task for task in world.tasks if not attempt(world, task)]


def attempt(world, task):
    _, data = task
    try:
        world.services.broadcast_delivery.send_chunk(data["broadcastId"], data["chunk"], world.soon())
    except (WattleError, FirestoreError, Died):
        world.bury()
        return False
    return True


def state(world, broadcast):
    return world.document(f"broadcasts/{broadcast}")["state"]


def deliveries(world, broadcast):
    return world.services.broadcasts.statistics(broadcast, world.soon()).deliveries


@pytest.fixture
def crowd(world):
    """250 people with a phone each: three chunks."""
    people = [world.person() for _ in range(250)]
    with ThreadPoolExecutor(4) as pool:
        targets = list(pool.map(world.phone, people))
    return people, targets


def received(world, targets):
    with ThreadPoolExecutor(4) as pool:
        return sum(pool.map(lambda target: world.screen(target)["received"], targets))


class TestChunks:
    def test_a_hundred_people_each(self, world, crowd):
        people, targets = crowd
        broadcast = order(world, people)
        assert run_tasks(world, broadcast) == []
        assert [data["chunk"] for _, data in world.tasks] == ["0000", "0001", "0002"]
        assert state(world, broadcast) == BroadcastState.SENT
        assert deliveries(world, broadcast) == {"sent": 250}
        assert world.document(f"broadcasts/{broadcast}/chunks/0000")["userIds"] == [], "nobody is named any longer"
        assert received(world, targets) == 250
        assert run_tasks(world, broadcast) == []
        assert world.tasks == []

    def test_a_task_that_comes_again_sends_nothing(self, world):
        target = world.phone(uid := world.person())
        broadcast = order(world, [uid])
        for _ in range(3):
            world.services.broadcast_delivery.send_chunk(broadcast, "0000", world.soon())
        assert world.screen(target)["received"] == 1

    def test_two_at_once_send_once(self, world):
        target = world.phone(uid := world.person())
        broadcast = order(world, [uid])
        task = ("sendBroadcastChunk", {"broadcastId": broadcast, "chunk": "0000"})
        with ThreadPoolExecutor(4) as pool:
            assert any(pool.map(lambda _: attempt(world, task), range(4)))
        assert world.screen(target)["received"] == 1

    def test_what_fcm_asks_to_wait_for_is_resumed_no_sooner(self, world):
        uid = world.person()
        busy, free = world.phone(uid, "busy"), world.phone(uid, "free")
        world.script(busy, error="QUOTA_EXCEEDED", times=1, retryAfter=3600)
        broadcast = order(world, [uid])
        assert len(run_tasks(world, broadcast)) == 1
        assert state(world, broadcast) == BroadcastState.SENDING
        assert deliveries(world, broadcast) == {"queued": 1, "sent": 1}
        world.clock.advance(3590)
        assert len(run_tasks(world, broadcast)) == 1
        assert world.screen(busy)["received"] == 0, "sent before FCM's Retry-After was over"
        world.clock.advance(12)
        assert run_tasks(world, broadcast) == []
        assert state(world, broadcast) == BroadcastState.SENT
        assert [world.screen(target)["received"] for target in (busy, free)] == [1, 1]

    def test_one_malformed_target_ends_nothing(self, world):
        """As FCM answers at times: the details blame no field."""
        people = [world.person() for _ in range(3)]
        targets = [world.phone(uid) for uid in people]
        world.script(targets[1], error="INVALID_ARGUMENT", blame=False)
        broadcast = order(world, people)
        assert run_tasks(world, broadcast) == []
        assert state(world, broadcast) == BroadcastState.SENT
        assert deliveries(world, broadcast) == {"sent": 2, "pruned": 1}
        assert world.devices(people[1]) == set()

    def test_a_message_that_fcm_refuses_ends_it(self, world):
        people = [world.person() for _ in range(3)]
        targets = [world.phone(uid) for uid in people]
        broadcast = order(world, people)
        world.faults({"error": "INVALID_ARGUMENT", "times": 3})
        assert run_tasks(world, broadcast) == []
        found = world.document(f"broadcasts/{broadcast}")
        assert (found["state"], found["failure"]) == (BroadcastState.FAILED, "INVALID_ARGUMENT")
        assert deliveries(world, broadcast) == {"failed": 3}
        assert received(world, targets) == 0
        assert len(world.devices(people[0])) == 1

    def test_what_it_waited_for_fails_with_a_later_hundred(self, world, monkeypatch):
        """120 phones of six people in one chunk: one of the first hundred is busy, the second hundred is refused."""
        people = [world.person() for _ in range(6)]
        targets = [world.phone(uid, f"d{n}") for uid in people for n in range(20)]
        world.script(targets[0], error="UNAVAILABLE", retryAfter=3600)
        broadcast = order(world, people)
        ask = world.services.broadcast_delivery.ended
        asked = []

        def refused_the_second_time(*given):
            asked.append(given)
            if len(asked) == 2:
                world.faults({"error": "INVALID_ARGUMENT", "times": 20})
            return ask(*given)

        monkeypatch.setattr(world.services.broadcast_delivery, "ended", refused_the_second_time)
        assert run_tasks(world, broadcast) == []
        assert state(world, broadcast) == BroadcastState.FAILED
        assert wind_up(world, broadcast) == []
        assert deliveries(world, broadcast) == {"sent": 99, "failed": 21}
        assert world.ledger(people[0], broadcast)["d0"] == ("failed", "INVALID_ARGUMENT")

    def test_what_the_sweep_waits_for_fails_with_the_chunk(self, world):
        """Somebody's quiet hours end while the chunk waits for another's phone; FCM asks both to wait."""
        asleep, awake = world.person(quiet_hours={"start": "12:00", "end": "18:00"}), world.person()
        slept, busy = world.phone(asleep), world.phone(awake)
        world.script(busy, error="UNAVAILABLE", times=1, retryAfter=6 * 3600)
        world.script(slept, error="UNAVAILABLE", times=1, retryAfter=3600)
        broadcast = order(world, [asleep, awake], kind="orders")
        assert len(run_tasks(world, broadcast)) == 1
        world.clock.advance(6 * 3600 - 60)
        world.services.push.release_due(world.soon(), world.services.broadcast_delivery)
        assert deliveries(world, broadcast) == {"queued": 2}
        world.clock.advance(90)
        world.faults({"error": "INVALID_ARGUMENT", "times": 1})
        assert run_tasks(world, broadcast) == []
        assert deliveries(world, broadcast) == {"failed": 2}
        world.clock.advance(3600)
        tasks.sweep(world.services)
        assert deliveries(world, broadcast) == {"failed": 2}
        assert received(world, [slept, busy]) == 0
        assert world.services.push.explain(asleep, broadcast, world.soon()).waits_until is None

    def test_what_another_chunk_waited_for_fails_with_it(self, world, crowd):
        people, targets = crowd
        world.script(targets[0], error="QUOTA_EXCEEDED", retryAfter=3600)
        broadcast = order(world, people[:101])
        world.services.broadcast_delivery.fan_out(broadcast, world.soon())
        first, second = world.tasks
        assert not attempt(world, first)
        world.faults({"error": "INVALID_ARGUMENT", "times": 1})
        assert attempt(world, second)
        assert deliveries(world, broadcast) == {"sent": 99, "queued": 1, "failed": 1}
        assert wind_up(world, broadcast) == []
        assert deliveries(world, broadcast) == {"sent": 99, "failed": 2}
        assert world.ledger(people[0], broadcast) == {"phone": ("failed", "INVALID_ARGUMENT")}

    def test_who_sleeps_is_not_told_in_the_morning_what_fcm_refused_in_the_evening(self, world):
        asleep, awake = world.person(quiet_hours={"start": "12:00", "end": "18:00"}), world.person()
        target = world.phone(asleep)
        world.phone(awake)
        broadcast = order(world, [asleep, awake], kind="orders")
        world.faults({"error": "INVALID_ARGUMENT", "times": 1})
        assert run_tasks(world, broadcast) == []
        assert deliveries(world, broadcast) == {"failed": 1, "deferred": 1}
        world.clock.advance(6 * 3600)
        tasks.sweep(world.services)
        assert deliveries(world, broadcast) == {"failed": 2}
        assert world.ledger(asleep, broadcast) == {"phone": ("failed", "INVALID_ARGUMENT")}
        assert world.screen(target)["received"] == 0

    def test_what_fcm_refuses_in_the_morning_ends_it_for_all_who_slept(self, world, caplog):
        logging.getLogger("wattle").propagate = True
        people = [world.person(quiet_hours={"start": "12:00", "end": "18:00"}) for _ in range(50)]
        targets = [world.phone(uid) for uid in people]
        broadcast = order(world, people, kind="orders")
        assert run_tasks(world, broadcast) == []
        assert state(world, broadcast) == BroadcastState.SENT
        world.clock.advance(6 * 3600)
        # Ten are released at once; whoever of them is behind finds out.
        world.faults({"error": "INVALID_ARGUMENT", "times": 50})
        tasks.sweep(world.services)
        found = world.document(f"broadcasts/{broadcast}")
        assert (found["state"], found["failure"]) == (BroadcastState.FAILED, "INVALID_ARGUMENT")
        assert deliveries(world, broadcast) == {"failed": 50}
        assert received(world, targets) == 0
        alarms = [record for record in caplog.records if getattr(record, "fields", {}).get("alarm")]
        assert 1 <= len(alarms) <= 10

    def test_what_fcm_did_not_take_for_a_day_after_quiet_hours_is_counted_with_its_reason(self, world):
        target = world.phone(uid := world.person(quiet_hours={"start": "12:00", "end": "18:00"}))
        broadcast = order(world, [uid], kind="orders")
        assert run_tasks(world, broadcast) == []
        world.script(target, error="UNAVAILABLE", retryAfter=3600)
        world.clock.advance(6 * 3600)
        tasks.sweep(world.services)
        world.clock.advance(26 * 3600)
        tasks.sweep(world.services)
        statistics = world.services.broadcasts.statistics(broadcast, world.soon())
        assert statistics.broadcast.state == BroadcastState.SENT
        assert (statistics.deliveries, statistics.codes) == ({"withheld": 1}, {"EXPIRED": 1})

    def test_what_was_given_up_after_a_day(self, world):
        target = world.phone(uid := world.person())
        world.script(target, error="UNAVAILABLE", retryAfter=3600)
        broadcast = order(world, [uid])
        assert len(run_tasks(world, broadcast)) == 1
        world.clock.advance(25 * 3600)
        world.services.broadcast_delivery.sweep(world.soon())
        assert state(world, broadcast) == BroadcastState.FAILED
        assert wind_up(world, broadcast) == []
        statistics = world.services.broadcasts.statistics(broadcast, world.soon())
        assert (statistics.deliveries, statistics.codes) == ({"withheld": 1}, {"EXPIRED": 1})


class TestCancel:
    def test_between_two_hundreds(self, world, monkeypatch):
        """120 phones of six people in one chunk: cancelled after the first hundred messages."""
        people = [world.person() for _ in range(6)]
        targets = [world.phone(uid, f"d{n}") for uid in people for n in range(20)]
        broadcast = order(world, people)
        ask = world.services.broadcast_delivery.ended
        asked = []

        def cancelled_at_the_second_time(*given):
            asked.append(given)
            if len(asked) == 2:
                world.services.broadcasts.cancel(world.context("admin"), broadcast)
            return ask(*given)

        monkeypatch.setattr(world.services.broadcast_delivery, "ended", cancelled_at_the_second_time)
        run_tasks(world, broadcast)
        assert received(world, targets) == 100
        assert deliveries(world, broadcast) == {"sent": 100, "withheld": 20}
        assert state(world, broadcast) == BroadcastState.CANCELLED

    def test_what_waits_for_the_end_of_quiet_hours(self, world):
        uid = world.person(quiet_hours={"start": "12:00", "end": "18:00"})
        target = world.phone(uid)
        broadcast = order(world, [uid], kind="orders")
        run_tasks(world, broadcast)
        assert deliveries(world, broadcast) == {"deferred": 1}
        assert state(world, broadcast) == BroadcastState.SENT
        for _ in range(2):
            world.services.broadcasts.cancel(world.context("admin"), broadcast)
        world.clock.advance(6 * 3600)
        tasks.sweep(world.services)
        assert deliveries(world, broadcast) == {"withheld": 1}
        assert world.screen(target)["received"] == 0

    def test_what_fcm_did_not_take_when_they_ended(self, world):
        uid = world.person(quiet_hours={"start": "12:00", "end": "18:00"})
        target = world.phone(uid)
        broadcast = order(world, [uid], kind="orders")
        run_tasks(world, broadcast)
        world.script(target, error="UNAVAILABLE", times=1, retryAfter=1800)
        world.clock.advance(6 * 3600)
        tasks.sweep(world.services)
        assert deliveries(world, broadcast) == {"queued": 1}
        assert state(world, broadcast) == BroadcastState.SENT
        world.services.broadcasts.cancel(world.context("admin"), broadcast)
        world.clock.advance(1802)
        tasks.sweep(world.services)
        assert world.ledger(uid, broadcast) == {"phone": ("withheld", "CANCELLED")}
        assert world.screen(target)["received"] == 0
        tasks.sweep(world.services)
        assert world.services.push.explain(uid, broadcast, world.soon()).waits_until is None

    def test_nothing_is_left_to_cancel_when_they_have_ended(self, world):
        uid = world.person(quiet_hours={"start": "12:00", "end": "18:00"})
        target = world.phone(uid)
        broadcast = order(world, [uid], kind="orders")
        run_tasks(world, broadcast)
        world.clock.advance(6 * 3600)
        tasks.sweep(world.services)
        assert deliveries(world, broadcast) == {"sent": 1}
        assert world.screen(target)["received"] == 1
        with pytest.raises(BroadcastEnded):
            world.services.broadcasts.cancel(world.context("admin"), broadcast)

    def test_a_broadcast_that_was_cancelled_while_people_slept(self, world):
        asleep, awake = world.person(quiet_hours={"start": "12:00", "end": "18:00"}), world.person()
        target = world.phone(asleep)
        world.phone(awake)
        busy = world.phone(awake, "busy")
        world.script(busy, error="UNAVAILABLE", retryAfter=3600)
        broadcast = order(world, [asleep, awake], kind="orders")
        run_tasks(world, broadcast)
        world.services.broadcasts.cancel(world.context("admin"), broadcast)
        world.clock.advance(6 * 3600)
        tasks.sweep(world.services)
        assert world.ledger(asleep, broadcast) == {"phone": ("withheld", "CANCELLED")}
        assert world.screen(target)["received"] == 0

    def test_what_fcm_did_not_take_yet_is_given_up(self, world):
        people = [world.person() for _ in range(3)]
        targets = [world.phone(uid) for uid in people]
        world.script(targets[1], error="QUOTA_EXCEEDED", retryAfter=3600)
        broadcast = order(world, people)
        run_tasks(world, broadcast)
        assert deliveries(world, broadcast) == {"sent": 2, "queued": 1}
        world.services.broadcasts.cancel(world.context("admin"), broadcast)
        for _ in range(2):
            assert wind_up(world, broadcast) == []
        assert deliveries(world, broadcast) == {"sent": 2, "withheld": 1}
        assert world.ledger(people[1], broadcast) == {"phone": ("withheld", "CANCELLED")}
        world.clock.advance(3700)
        run_tasks(world, broadcast)
        assert received(world, targets) == 2

    def test_of_what_nobody_began_nobody_hears(self, world):
        world.phone(uid := world.person())
        broadcast = order(world, [uid])
        world.services.broadcasts.cancel(world.context("admin"), broadcast)
        assert wind_up(world, broadcast) == []
        assert world.tasks == []
        assert run_tasks(world, broadcast) == []
        assert world.inbox(uid) == {}
        assert deliveries(world, broadcast) == {}

    def test_a_task_that_is_at_it_says_what_it_sent(self, world, monkeypatch):
        """It hears of the end after its last question whether to go on."""
        target = world.phone(uid := world.person())
        broadcast = order(world, [uid])
        sender = world.services.push._sender
        send = sender.send

        def cancelled_meanwhile(*given):
            world.services.broadcasts.cancel(world.context("admin"), broadcast)
            assert wind_up(world, broadcast) == []
            assert deliveries(world, broadcast) == {"withheld": 1}
            return send(*given)

        monkeypatch.setattr(sender, "send", cancelled_meanwhile)
        run_tasks(world, broadcast)
        assert world.screen(target)["received"] == 1
        assert deliveries(world, broadcast) == {"sent": 1}

    @pytest.mark.parametrize("end", ["cancel", "expire"])
    def test_a_topic(self, world, end):
        broadcast = order(world, audience={"topic": "service-status"})
        world.faults({"error": "QUOTA_EXCEEDED", "retryAfter": 3600})
        assert len(run_tasks(world, broadcast)) == 1
        assert deliveries(world, broadcast) == {"queued": 1}
        if end == "cancel":
            world.services.broadcasts.cancel(world.context("admin"), broadcast)
        else:
            world.clock.advance(25 * 3600)
            world.services.broadcast_delivery.sweep(world.soon())
        assert wind_up(world, broadcast) == []
        assert deliveries(world, broadcast) == {"withheld": 1}
        assert world.messages() == []


class TestSweep:
    def sweep(self, world):
        world.tasks.clear()
        world.services.broadcast_delivery.sweep(world.soon())

    def test_one_that_is_due_begins_once(self, world):
        uid = world.person()
        broadcast = order(world, [uid], scheduledAt=world.clock() + timedelta(minutes=5))
        self.sweep(world)
        assert state(world, broadcast) == BroadcastState.SCHEDULED
        world.clock.advance(300)
        self.sweep(world)
        assert state(world, broadcast) == BroadcastState.SENDING
        assert world.tasks == [], "the trigger on the broadcast enqueues them"

    def test_one_that_stands_still_is_taken_up(self, world):
        uid = world.person()
        broadcast = order(world, [uid])
        world.clock.advance(14 * 60)
        self.sweep(world)
        assert world.tasks == []
        world.clock.advance(2 * 60)
        self.sweep(world)
        assert world.tasks == [("sendBroadcastChunk", {"broadcastId": broadcast, "chunk": "0000"})]
        self.sweep(world)
        assert world.tasks == [], "not again right away"

    def test_one_that_is_ordered_for_the_past_begins_now(self, world):
        broadcast = order(world, [world.person()], scheduledAt=world.clock() - timedelta(days=3))
        assert state(world, broadcast) == BroadcastState.SENDING
        world.clock.advance(16 * 60)
        self.sweep(world)
        assert state(world, broadcast) == BroadcastState.SENDING, "it is not three days late"
        assert len(world.tasks) == 1

    def test_one_for_next_year_is_there_next_year(self, world):
        """The TTL policy removes chunks, which name people, some time after they were of use."""
        begins = world.clock() + timedelta(days=365)
        broadcast = order(world, [world.person()], scheduledAt=begins)
        assert world.document(f"broadcasts/{broadcast}/chunks/0000")["expiresAt"] == begins + timedelta(days=90)

    def test_a_task_queue_that_is_away_holds_up_nobody_else(self, world, monkeypatch):
        uid = world.person(quiet_hours={"start": "12:00", "end": "18:00"})
        target = world.phone(uid)
        run_tasks(world, order(world, [uid], kind="orders"))
        order(world, [world.person()])
        world.clock.advance(6 * 3600)

        def away(*_):
            raise TasksUnavailable("gone")

        monkeypatch.setattr(world, "enqueue", away)
        with pytest.raises(TasksUnavailable):
            tasks.sweep(world.services)
        assert world.screen(target)["received"] == 1

    def test_one_that_never_gets_anywhere_is_given_up_and_alarms(self, world, caplog):
        caplog.set_level(logging.WARNING, "wattle")
        logging.getLogger("wattle").propagate = True
        broadcast = order(world, [world.person()])
        world.clock.advance(25 * 3600)
        self.sweep(world)
        assert [r.fields["alarm"] for r in caplog.records if "alarm" in r.fields] == ["broadcast.EXPIRED"]
        found = world.document(f"broadcasts/{broadcast}")
        assert (found["state"], found["failure"]) == (BroadcastState.FAILED, "EXPIRED")
        assert world.tasks == []


class TestTopics:
    def test_tasks_at_once_and_again_send_one_message(self, world):
        broadcast = order(world, audience={"topic": "service-status"})
        task = ("sendBroadcastChunk", {"broadcastId": broadcast, "chunk": "0000"})
        with ThreadPoolExecutor(3) as pool:
            list(pool.map(lambda _: attempt(world, task), range(3)))
        assert attempt(world, task)
        assert [message["topic"] for message in world.messages()] == ["service-status"]
        assert state(world, broadcast) == BroadcastState.SENT

    def test_fcm_is_away(self, world):
        broadcast = order(world, audience={"topic": "service-status"})
        world.faults({"error": "QUOTA_EXCEEDED", "retryAfter": 3600})
        with pytest.raises(Unavailable):
            world.services.broadcast_delivery.send_chunk(broadcast, "0000", world.soon())
        world.clock.advance(3590)
        assert len(run_tasks(world, broadcast)) == 1
        assert world.messages() == [], "sent before FCM's Retry-After was over"
        world.clock.advance(12)
        assert run_tasks(world, broadcast) == []
        assert state(world, broadcast) == BroadcastState.SENT


class Crowd:
    """Some people with some phones, of which some are gone or busy."""

    def __init__(self, world, dice) -> None:
        self.world = world
        self.dice = dice
        self.people = [world.person() for _ in range(dice.randint(1, 12))]
        self.phones = {}
        for uid in self.people:
            for n in range(dice.randint(0, 3)):
                target = world.phone(uid, f"d{n}")
                roll = dice.random()
                if roll < 0.1:
                    world.script(target, error="UNREGISTERED")
                elif roll < 0.2:
                    times, retry_after = dice.randint(1, 7), dice.choice((0, 90))
                    world.script(target, error="UNAVAILABLE", times=times, retryAfter=retry_after)
                self.phones[target] = (uid, f"d{n}", roll >= 0.1)

    def injure(self):
        """A call to Firestore fails, or is the last of its process; or a process dies after a message went out."""
        dice = self.dice
        where, after, dies = dice.randint(1, 16), dice.random() < 0.5, dice.random() < 0.6
        status = dice.choice(LOST if after else RETRIABLE)

        def plan(call):
            if call.number != where or call.method == "Rollback":
                return None
            return Failure(None if dies else status, after=after and (dies or call.method == "Commit"))

        self.world.firestore_faults.follow(plan)
        if dice.random() < 0.4:
            countdown = iter([None] * dice.randint(0, 3) + [("after", Died())])
            self.world.fcm_faults.plan = lambda: next(countdown, None)

    def heal(self):
        self.world.firestore_faults.reset()
        self.world.fcm_faults.plan = lambda: None

    def check(self, broadcast, faults):
        world = self.world
        for uid in self.people:
            assert set(world.inbox(uid)) == {broadcast}
            assert world.unread(uid) == 1
        for target, (uid, device_id, live) in self.phones.items():
            screen = world.screen(target)
            assert len(screen["notifications"]) == live
            assert screen["received"] <= 1 + faults
            assert faults or screen["received"] == live
            assert (device_id in world.devices(uid)) == live
            assert world.ledger(uid, broadcast)[device_id][0] == ("sent" if live else "pruned")


@pytest.mark.parametrize("seed", range(60))
def test_each_person_sees_it_once_whatever_happens(world, seed):
    dice = random.Random(seed)
    crowd = Crowd(world, dice)
    broadcast = order(world, crowd.people)
    faults = 0
    for attempts in range(30):
        world.tasks.clear()
        world.services.broadcast_delivery.fan_out(broadcast, world.soon())
        if not world.tasks:
            break
        if attempts < 6 and dice.random() < 0.8:
            faults += 1
            crowd.injure()
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda task: attempt(world, task), world.tasks * dice.choice((1, 1, 2))))
        crowd.heal()
        world.clock.advance(dice.choice((1, 70, 300)))
    assert state(world, broadcast) == BroadcastState.SENT
    crowd.check(broadcast, faults)
