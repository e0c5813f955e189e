"""The load test of bench/push.py with few people: what it finds wrong at 10,000, it finds wrong at 250."""

from bench.push import MEMORY_MOST, send_to, table


def test_everybody_is_told_once_and_phones_that_are_gone_are_forgotten(backend):
    result = send_to(backend.suite, 250)
    assert result.wrong == []
    assert (result.devices, result.stale, result.pruned, result.duplicates) == (750, 38, 38, 0)
    assert result.messages == 750 - 38
    assert result.memory_mb < MEMORY_MOST
    # Its profile, three devices, the counter; the messages' share of forgetting devices and of the chunk itself.
    assert result.reads / 250 < 5.5
    # Entry, counter, and each of three deliveries when it is queued and when it is sent; the devices that went.
    assert result.writes / 250 < 8.6
    assert "750" in table([result])
