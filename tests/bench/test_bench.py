"""The benchmark's own promises, in small: what is compared answers alike, nobody sees a fault, nothing is oversold."""

import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest
from bench.scenarios import SCENARIOS, check_equal
from bench.servers import ALL
from bench.stage import Report, Stage
from tests.backend import eventually
from tests.conftest import ROOT

from bench import flash_sale, soak


@pytest.fixture
def report():
    return Report("test", "In small", keep=False)


def test_the_implementations_answer_alike():
    """Status, body, the second page, a missing order, and an order that each of them made as Wattle reads it back."""
    with Stage() as stage, ExitStack() as stack:
        (uid,) = stage.reset(users=1, orders=45)
        compared = check_equal(stage.servers(ALL, stack), stage.callers(1, [uid])[0])
    assert compared > len(SCENARIOS) * (len(ALL) - 1)


def test_a_short_soak_shows_no_client_a_fault(report):
    """Calls fail and connections break. Twelve seconds say little of memory: half of it would be a leak. A request may
    meet the locks of a transaction that nobody knows of (one in 45,000 did in half an hour): seven would be a fault."""
    soaked = soak.measure(report, minutes=0.2, slices=3)
    assert soaked.growth < 0.5
    assert soaked.waited <= soaked.requests // 100


def test_a_flash_sale_sells_what_there_is(report, capsys):
    """With so much stock that it is sharded."""
    flash_sale.measure(report, buyers=700, stock=550)
    printed = capsys.readouterr().out
    assert "700 buyers, 700 answered; 550 in stock, 550 orders, 0 left." in printed
    assert "every buyer answered: held." in printed


def servers_of(pid):
    """The processes that the benchmark has started as servers."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [child for child in children if "launch.py" in Path(f"/proc/{child}/cmdline").read_text()]


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="processes are looked for in /proc")
def test_a_benchmark_that_is_stopped_leaves_no_server():
    with subprocess.Popen(
        [sys.executable, "-m", "bench", "flash_sale", "--quick"], cwd=ROOT, stdout=subprocess.DEVNULL
    ) as benchmark:
        eventually(lambda: servers_of(benchmark.pid))
        servers = servers_of(benchmark.pid)
        benchmark.send_signal(signal.SIGTERM)
        assert benchmark.wait(30) == 128 + signal.SIGTERM
    assert [server for server in servers if Path(f"/proc/{server}").exists()] == []
