"""What becomes of a message by what FCM answers and by what the person wants: also what must not be sent."""

import logging
from datetime import timedelta

import pytest
from tests.unit.push.world import START, order_event

from wattle.adapters.fcm import FcmCode, Refused
from wattle.errors import Unavailable
from wattle.kit.retry import Deadline
from wattle.push.orders import order_message
from wattle.push.schemas import meaning
from wattle.push.sender import Outcome, _outcome, is_message_refused


def tell(world, uid, order="o1", version=2, at=START):
    """The person's order was confirmed; the id of the message."""
    _, message = order_message(f"{order}-{uid}", *order_event(uid, version, at))
    world.services.push.tell(uid, message, world.soon())
    return message.id


class Clockwork:
    """A deadline whose time a test takes away."""

    def __init__(self, left):
        self.left = left

    @property
    def at(self):
        return Deadline.after(self.left).at

    def remaining(self):
        return self.left


@pytest.fixture
def alarms(caplog):
    caplog.set_level(logging.WARNING, "wattle.push")
    logging.getLogger("wattle").propagate = True
    return lambda: [record.fields["alarm"] for record in caplog.records if "alarm" in getattr(record, "fields", {})]


class TestAge:
    """An event that is delivered again for hours, or out of the dead letters."""

    def test_fcm_keeps_it_for_what_is_left_of_a_day(self, world):
        target = world.phone(uid := world.person())
        message = tell(world, uid, at=START - timedelta(hours=20))
        (sent,) = (one for one in world.messages() if target in one.values())
        assert sent["android"]["ttl"] == "14400s"
        assert world.ledger(uid, message) == {"phone": ("sent", None)}

    def test_what_is_a_day_old_is_in_the_inbox_only(self, world):
        target = world.phone(uid := world.person())
        message = tell(world, uid, at=START - timedelta(hours=24))
        assert world.ledger(uid, message) == {"phone": ("withheld", "EXPIRED")}
        assert set(world.inbox(uid)) == {message}
        assert world.unread(uid) == 1
        assert world.screen(target)["received"] == 0
        tell(world, uid, at=START - timedelta(hours=24))
        assert world.ledger(uid, message) == {"phone": ("withheld", "EXPIRED")}

    def test_one_that_fcm_did_not_take_in_time(self, world):
        target = world.phone(uid := world.person())
        world.script(target, error="UNAVAILABLE", retryAfter=3600)
        with pytest.raises(Unavailable):
            tell(world, uid)
        world.clock.advance(25 * 3600)
        message = tell(world, uid)
        assert world.ledger(uid, message) == {"phone": ("withheld", "EXPIRED")}


class TestAnswers:
    @pytest.mark.parametrize(
        ("script", "delivery", "kept"),
        [
            ({"error": "UNREGISTERED"}, ("pruned", "UNREGISTERED"), False),
            ({"error": "INVALID_ARGUMENT"}, ("pruned", "INVALID_ARGUMENT"), False),
            ({"error": "INVALID_ARGUMENT", "blame": False}, ("pruned", "INVALID_ARGUMENT"), False),
            ({"error": "SENDER_ID_MISMATCH"}, ("failed", "SENDER_ID_MISMATCH"), True),
            ({"error": "THIRD_PARTY_AUTH_ERROR"}, ("failed", "THIRD_PARTY_AUTH_ERROR"), True),
        ],
    )
    def test_what_is_final(self, world, script, delivery, kept):
        uid = world.person()
        sick, well = world.phone(uid, "sick"), world.phone(uid, "well")
        world.script(sick, **script)
        message = tell(world, uid)
        assert world.ledger(uid, message) == {"sick": delivery, "well": ("sent", None)}
        assert world.devices(uid) == ({"sick", "well"} if kept else {"well"})
        assert world.screen(sick)["received"] == 0
        assert world.screen(well)["received"] == 1
        assert world.paused == []

    @pytest.mark.parametrize("error", ["UNAVAILABLE", "QUOTA_EXCEEDED", "INTERNAL"])
    def test_what_is_for_now_is_tried_again_after_retry_after(self, world, error):
        uid = world.person()
        target = world.phone(uid)
        world.script(target, error=error, times=2, retryAfter=7)
        message = tell(world, uid)
        assert world.ledger(uid, message) == {"phone": ("sent", None)}
        assert world.screen(target)["received"] == 1
        assert len(world.paused) == 2
        assert all(7 <= pause <= 7 + 2**n for n, pause in enumerate(world.paused)), world.paused

    def test_the_quota_is_the_projects_and_only_what_failed_is_sent_again(self, world):
        uid = world.person()
        targets = [world.phone(uid, f"d{n}") for n in range(5)]
        world.script(targets[1], error="QUOTA_EXCEEDED", times=1, retryAfter=3)
        world.script(targets[3], error="UNAVAILABLE", times=1, retryAfter=9)
        tell(world, uid)
        assert [world.screen(target)["received"] for target in targets] == [1] * 5
        (pause,) = world.paused
        assert 9 <= pause <= 10

    @pytest.mark.parametrize(
        ("error", "pauses"),
        [("UNAVAILABLE", [10, 20, 40]), ("INTERNAL", [10, 20, 40])],
    )
    def test_where_fcm_names_no_pause_it_grows(self, world, error, pauses):
        uid = world.person()
        world.script(world.phone(uid), error=error, times=3, retryAfter=None)
        message = tell(world, uid)
        assert world.ledger(uid, message) == {"phone": ("sent", None)}
        least = zip(pauses, world.paused, strict=True)
        assert all(low <= pause <= low + 2**n for n, (low, pause) in enumerate(least)), world.paused

    @pytest.mark.parametrize(
        ("retry_after", "wait"), [(60, 60), (3600, 3600), pytest.param(None, 60, id="a quota without Retry-After")]
    )
    def test_a_pause_that_is_too_long_is_kept_by_whoever_comes(self, world, retry_after, wait):
        uid = world.person()
        busy, free = world.phone(uid, "busy"), world.phone(uid, "free")
        world.script(busy, error="QUOTA_EXCEEDED", times=1, retryAfter=retry_after)
        with pytest.raises(Unavailable):
            tell(world, uid)
        assert world.paused == []
        assert world.screen(free)["received"] == 1
        # The script is used up: whoever asked FCM now would be served.
        for seconds in (0, wait - 1):
            world.clock.advance(seconds)
            with pytest.raises(Unavailable):
                tell(world, uid)
            assert world.screen(busy)["received"] == 0, "sent before FCM's Retry-After was over"
        world.clock.advance(3)
        message = tell(world, uid)
        assert world.ledger(uid, message) == {"busy": ("sent", None), "free": ("sent", None)}
        assert world.screen(free)["received"] == 1, "who got it is not sent to again"
        assert world.screen(busy)["received"] == 1
        assert len(world.inbox(uid)) == 1

    def test_a_message_that_fcm_refuses_stops_everything_and_alarms(self, world, alarms):
        uid = world.person()
        for n in range(3):
            world.phone(uid, f"d{n}")
        world.faults({"error": "INVALID_ARGUMENT"}, {"error": "INVALID_ARGUMENT"}, {"error": "UNAVAILABLE"})
        message = tell(world, uid)
        assert set(world.ledger(uid, message).values()) == {("failed", "INVALID_ARGUMENT")}
        assert world.devices(uid) == {"d0", "d1", "d2"}, "the devices have done nothing wrong"
        assert world.paused == []
        assert "push.INVALID_ARGUMENT" in alarms()

    def test_bad_credentials_at_apple_alarm_and_the_others_get_it(self, world, alarms):
        uid = world.person()
        apple, android = world.phone(uid, "apple", platform="ios"), world.phone(uid, "android")
        world.script(apple, error="THIRD_PARTY_AUTH_ERROR")
        tell(world, uid)
        assert world.screen(android)["received"] == 1
        assert alarms() == ["push.THIRD_PARTY_AUTH_ERROR"]

    def test_an_answer_that_comes_too_late(self, world):
        """FCM accepts the message and answers after we gave up: it is sent again, and seen once."""
        uid = world.person()
        target = world.phone(uid)
        world.script(target, error="UNAVAILABLE", times=1, acceptThenError=True, retryAfter=0)
        tell(world, uid)
        screen = world.screen(target)
        assert screen["received"] == 2
        assert [(shown["title"], shown["replaced"]) for shown in screen["notifications"]] == [("Order confirmed", 1)]


class TestTime:
    def test_no_more_hundreds_are_begun_than_there_is_time_for(self, world, monkeypatch):
        """Eight people with twenty phones each, and FCM takes the time for one hundred."""
        people = [world.person() for _ in range(8)]
        targets = [world.phone(uid, f"d{n}") for uid in people for n in range(20)]
        _, message = order_message("o1", *order_event(people[0], 2))
        deadline = Clockwork(50)
        send = world.fcm.send

        def slow(pushes, until):
            answers = send(pushes, until)
            deadline.left = 5
            return answers

        monkeypatch.setattr(world.fcm, "send", slow)
        told = world.services.push.tell_all(people, message, deadline, stop=lambda: None)
        assert told.remaining == 60
        assert sum(world.screen(target)["received"] for target in targets) == 100
        world.clock.advance(60)
        monkeypatch.undo()
        told = world.services.push.tell_all(people, message, world.soon(), stop=lambda: None)
        assert told.remaining == 0
        assert {world.screen(target)["received"] for target in targets} == {1}


class TestWishes:
    @pytest.mark.parametrize(
        ("preferences", "delivery"),
        [
            ({"muted": True}, ("withheld", "MUTED")),
            ({"orders": False}, ("withheld", "KIND_OFF")),
            ({"quiet_hours": {"start": "12:00", "end": "18:00"}}, ("deferred", None)),
            ({"quiet_hours": {"start": "18:00", "end": "12:00"}}, ("sent", None)),
        ],
    )
    def test_the_inbox_gets_it_and_the_phone_only_if_wanted(self, world, preferences, delivery):
        uid = world.person(**preferences)
        target = world.phone(uid)
        message = tell(world, uid)
        assert set(world.inbox(uid)) == {message}
        assert world.unread(uid) == 1
        assert world.ledger(uid, message) == {"phone": delivery}
        assert world.screen(target)["received"] == (1 if delivery[0] == "sent" else 0)

    def test_who_has_no_device_has_an_inbox(self, world):
        uid = world.person()
        message = tell(world, uid)
        assert set(world.inbox(uid)) == {message}
        assert world.messages() == []

    def test_who_left_gets_nothing(self, world):
        uid = world.person()
        target = world.phone(uid)
        world.change(uid, deletedAt=world.clock())
        tell(world, uid)
        assert world.inbox(uid) == {}
        assert world.screen(target)["received"] == 0

    def test_each_phone_speaks_its_language_and_counts_the_unread(self, world):
        uid = world.person()
        locales = {"en": "en-GB", "de": "de-CH", "zh": "zh-Hans-CN", "unknown": "is-IS"}
        targets = {name: world.phone(uid, name, locale=locale) for name, locale in locales.items()}
        tell(world, uid, "first")
        tell(world, uid, "second")
        titles = {}
        for name, target in targets.items():
            shown = world.screen(target)["notifications"]
            titles[name] = shown[-1]["title"]
            assert [notification["badge"] for notification in shown] == [1, 2]
        assert titles == {
            "en": "Order confirmed",
            "de": "Bestellung bestätigt",
            "zh": "订单已确认",
            "unknown": "Order confirmed",
        }


class TestMeanwhile:
    """FCM did not take a message, and what its person wants has changed when it is tried again."""

    @pytest.fixture
    def untaken(self, world):
        """Somebody, his two phones, one of which has it, and the message: FCM asks for an hour's pause."""
        uid = world.person()
        phones = [world.phone(uid, "busy"), world.phone(uid, "free")]
        world.script(phones[0], error="QUOTA_EXCEEDED", times=1, retryAfter=3600)
        with pytest.raises(Unavailable):
            tell(world, uid)
        (message,) = world.inbox(uid)
        return uid, phones, message

    def again(self, world, uid):
        """The event comes again when the pause is over."""
        world.clock.advance(3602)
        tell(world, uid)

    def received(self, world, phones):
        return [world.screen(phone)["received"] for phone in phones]

    def test_his_quiet_hours_have_begun(self, world, untaken):
        uid, phones, message = untaken
        quiet = {"start": "14:00", "end": "18:00"}
        world.change(uid, **{"notificationPreferences.quietHours": quiet})
        self.again(world, uid)
        assert self.received(world, phones) == [0, 1], "somebody was woken"
        assert world.ledger(uid, message) == {"busy": ("deferred", None), "free": ("sent", None)}
        found = world.services.push.explain(uid, message, world.soon())
        assert found.waits_until == START + timedelta(hours=5)
        tell(world, uid)
        world.services.push.release_due(world.soon(), world.services.broadcast_delivery)
        assert self.received(world, phones) == [0, 1], "somebody was woken"
        world.clock.advance(4 * 3600)
        world.services.push.release_due(world.soon(), world.services.broadcast_delivery)
        assert self.received(world, phones) == [1, 1]
        assert world.services.push.explain(uid, message, world.soon()).waits_until is None

    @pytest.mark.parametrize(("wish", "reason"), [({"muted": True}, "MUTED"), ({"orders": False}, "KIND_OFF")])
    def test_he_does_not_want_it_any_more(self, world, untaken, wish, reason):
        uid, phones, message = untaken
        world.change(uid, **{f"notificationPreferences.{name}": value for name, value in wish.items()})
        self.again(world, uid)
        assert self.received(world, phones) == [0, 1]
        assert world.ledger(uid, message) == {"busy": ("withheld", reason), "free": ("sent", None)}

    def test_he_has_read_it(self, world, untaken):
        uid, phones, message = untaken
        world.services.inbox.mark_read(world.context(uid), message)
        self.again(world, uid)
        assert self.received(world, phones) == [0, 1]
        assert world.ledger(uid, message) == {"busy": ("withheld", "READ"), "free": ("sent", None)}

    def test_what_another_is_at_is_left_to_him(self, world, untaken):
        """As while FCM's pause is not over."""
        uid, _, message = untaken
        world.change(uid, **{"notificationPreferences.muted": True})
        with pytest.raises(Unavailable):
            tell(world, uid)
        assert world.ledger(uid, message)["busy"] == ("queued", None)

    def test_his_phone_went_before_the_quiet_hours_began(self, world, untaken):
        uid, _, message = untaken
        for phone in ("busy", "free"):
            world.services.devices.remove(uid, phone, world.soon())
        world.change(uid, **{"notificationPreferences.quietHours": {"start": "14:00", "end": "18:00"}})
        self.again(world, uid)
        world.clock.advance(4 * 3600)
        world.services.push.release_due(world.soon(), world.services.broadcast_delivery)
        assert world.ledger(uid, message)["busy"] == ("pruned", "DEVICE_REMOVED")

    def test_what_waited_already_waits_for_the_next_quiet_hours(self, world):
        """The sweep released it and FCM did not take it; its event comes before the sweep does again."""
        uid = world.person(quiet_hours={"start": "12:00", "end": "18:00"})
        phone = world.phone(uid)
        message = tell(world, uid)
        world.script(phone, error="UNAVAILABLE", times=1, retryAfter=1800)
        world.clock.advance(5 * 3600)
        world.services.push.release_due(world.soon(), world.services.broadcast_delivery)
        assert world.ledger(uid, message) == {"phone": ("queued", None)}
        world.change(uid, **{"notificationPreferences.quietHours": {"start": "18:15", "end": "20:00"}})
        world.clock.advance(1802)
        tell(world, uid)
        world.services.push.release_due(world.soon(), world.services.broadcast_delivery)
        assert self.received(world, [phone]) == [0]
        assert world.ledger(uid, message) == {"phone": ("deferred", None)}
        world.clock.advance(2 * 3600)
        world.services.push.release_due(world.soon(), world.services.broadcast_delivery)
        assert self.received(world, [phone]) == [1]


class TestDeferred:
    """A message that waits for the end of the quiet hours, and what happens meanwhile."""

    @pytest.fixture
    def waiting(self, world):
        uid = world.person(quiet_hours={"start": "12:00", "end": "18:00"})
        target = world.phone(uid)
        return uid, target, tell(world, uid)

    def sweep(self, world):
        return world.services.push.release_due(world.soon(), world.services.broadcast_delivery)

    def test_not_a_minute_early(self, world, waiting):
        _, target, _ = waiting
        world.clock.advance(5 * 3600 - 1)
        assert self.sweep(world) == 0
        assert world.screen(target)["received"] == 0
        world.clock.advance(1)
        assert self.sweep(world) == 1
        assert self.sweep(world) == 0
        assert world.screen(target)["received"] == 1

    def test_its_event_comes_again_after_the_quiet_hours(self, world, waiting):
        uid, target, _ = waiting
        world.clock.advance(6 * 3600)
        tell(world, uid)
        assert world.screen(target)["received"] == 0, "the sweep sends it, nobody else"
        self.sweep(world)
        assert world.screen(target)["received"] == 1

    def test_what_was_read_meanwhile_is_not_pushed(self, world, waiting):
        uid, target, message = waiting
        world.services.inbox.mark_read(world.context(uid), message)
        world.clock.advance(6 * 3600)
        self.sweep(world)
        assert world.ledger(uid, message) == {"phone": ("withheld", "READ")}
        assert world.screen(target)["received"] == 0

    def test_who_muted_meanwhile_is_left_in_peace(self, world, waiting):
        uid, target, message = waiting
        world.change(uid, **{"notificationPreferences.muted": True})
        world.clock.advance(6 * 3600)
        self.sweep(world)
        assert world.ledger(uid, message) == {"phone": ("withheld", "MUTED")}
        assert world.screen(target)["received"] == 0

    def test_quiet_hours_that_were_made_longer(self, world, waiting):
        uid, target, message = waiting
        world.change(uid, **{"notificationPreferences.quietHours": {"start": "12:00", "end": "20:00"}})
        world.clock.advance(5 * 3600)
        self.sweep(world)
        assert world.ledger(uid, message) == {"phone": ("deferred", None)}
        world.clock.advance(2 * 3600)
        self.sweep(world)
        assert world.screen(target)["received"] == 1

    def test_a_device_that_went_meanwhile(self, world, waiting):
        uid, target, message = waiting
        world.services.devices.remove(uid, "phone", world.soon())
        world.clock.advance(6 * 3600)
        self.sweep(world)
        assert world.ledger(uid, message) == {"phone": ("pruned", "DEVICE_REMOVED")}
        assert world.screen(target)["received"] == 0

    def test_fcm_is_away_when_they_end(self, world, waiting):
        uid, target, message = waiting
        world.script(target, error="UNAVAILABLE", times=5, retryAfter=0)
        world.clock.advance(6 * 3600)
        self.sweep(world)
        assert world.ledger(uid, message) == {"phone": ("queued", None)}
        world.clock.advance(300)
        self.sweep(world)
        assert world.ledger(uid, message) == {"phone": ("sent", None)}
        assert world.screen(target)["received"] == 1

    def test_fcm_asks_for_a_long_pause_when_they_end(self, world, waiting):
        uid, target, message = waiting
        world.script(target, error="UNAVAILABLE", times=1, retryAfter=1800)
        world.clock.advance(6 * 3600)
        for minutes in (0, 10, 15):
            world.clock.advance(minutes * 60)
            self.sweep(world)
            assert world.screen(target)["received"] == 0, "sent before FCM's Retry-After was over"
        world.clock.advance(360)
        self.sweep(world)
        assert world.ledger(uid, message) == {"phone": ("sent", None)}
        assert self.sweep(world) == 0

    def test_what_is_read_while_fcm_is_away_is_withheld_after_all(self, world, waiting):
        uid, target, message = waiting
        world.script(target, error="UNAVAILABLE", times=1, retryAfter=1800)
        world.clock.advance(6 * 3600)
        self.sweep(world)
        world.services.inbox.mark_read(world.context(uid), message)
        for _ in range(8):
            self.sweep(world)
            world.clock.advance(300)
        assert world.ledger(uid, message) == {"phone": ("withheld", "READ")}
        assert world.screen(target)["received"] == 0

    def test_many_end_at_the_same_time(self, world):
        people = [world.person(quiet_hours={"start": "12:00", "end": "18:00"}) for _ in range(120)]
        targets = [world.phone(uid) for uid in people]
        for uid in people:
            tell(world, uid)
        world.clock.advance(6 * 3600)
        assert self.sweep(world) == 120
        assert {world.screen(target)["received"] for target in targets} == {1}


class TestExplained:
    """What an administrator is told of deliveries that have not come to an end."""

    def test_one_that_waits_for_the_end_of_quiet_hours(self, world):
        uid = world.person(quiet_hours={"start": "12:00", "end": "18:00"})
        world.phone(uid)
        found = world.services.push.explain(uid, tell(world, uid), world.soon())
        assert found.waits_until == world.clock() + timedelta(hours=5)
        assert [(d.state, d.retry_at) for d in found.deliveries] == [("deferred", None)]

    def test_one_that_fcm_asks_to_wait_with(self, world):
        uid = world.person()
        world.script(world.phone(uid), error="QUOTA_EXCEEDED", times=1, retryAfter=600)
        with pytest.raises(Unavailable):
            tell(world, uid)
        (message,) = world.inbox(uid)
        (delivery,) = world.services.push.explain(uid, message, world.soon()).deliveries
        assert delivery.state == "queued"
        assert 600 <= (delivery.retry_at - world.clock()).total_seconds() <= 601

    def test_every_state_and_code_has_a_meaning(self):
        final = {FcmCode.INVALID_ARGUMENT, FcmCode.UNREGISTERED, FcmCode.SENDER_ID_MISMATCH}
        final.add(FcmCode.THIRD_PARTY_AUTH_ERROR)
        for code in FcmCode:
            for on_target in (False, True):
                outcome = _outcome(Refused(code, "", on_target=on_target and code is FcmCode.INVALID_ARGUMENT), 0)
                assert (outcome.state == "queued") == (code not in final)
                assert meaning(outcome.state, outcome.code)
        for reason in ("MUTED", "KIND_OFF", "READ", "CANCELLED", "EXPIRED"):
            assert meaning("withheld", reason)
        assert meaning("sent", None)
        assert meaning("deferred", None)
        assert meaning("pruned", "DEVICE_REMOVED")


def test_what_the_message_itself_is_refused_for_is_told_apart_from_other_failures():
    refused = Outcome("failed", "INVALID_ARGUMENT")
    assert is_message_refused(refused)
    assert not is_message_refused(refused._replace(state="pruned"))
    assert not is_message_refused(refused._replace(code="SENDER_ID_MISMATCH"))
