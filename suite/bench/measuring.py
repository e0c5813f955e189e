# ruff: noqa: INP001, S607 - beside the scripts that use it, in no package
"""What the benchmarks of the suite measure with: time, HTTP calls, and the memory of processes."""

import contextlib
import dataclasses
import datetime as dt
import http.client
import json
import os
import platform
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path

from firesuite.fireemu import find_node_modules
from firesuite.ports import HOST

ROOT = Path(__file__).resolve().parents[2]
CALLS = 500


@dataclasses.dataclass(frozen=True)
class Memory:
    """Resident and proportional set size, MB."""

    rss: float
    pss: float

    def __add__(self, other: "Memory") -> "Memory":
        return Memory(self.rss + other.rss, self.pss + other.pss)


def memory(pid: int) -> Memory:
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    rss, pss = (int(re.search(rf"^{name}:\s+(\d+)", text, re.MULTILINE)[1]) / 1024 for name in ("Rss", "Pss"))
    return Memory(rss, pss)


def session_members(leaders: set[int]) -> Iterator[int]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if int((entry / "stat").read_text().rpartition(")")[2].split()[3]) in leaders:
                    yield int(entry.name)


def until(check: Callable[[], bool]) -> float:
    """Seconds until `check` holds."""
    started = time.perf_counter()
    while not check():
        time.sleep(0.002)
    return time.perf_counter() - started


def answers(port: int, path: str) -> str | None:
    connection = http.client.HTTPConnection(HOST, port, timeout=60)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        text = response.read().decode()
    except OSError:
        return None
    finally:
        connection.close()
    return text if response.status == 200 else None


def warm_calls(port: int, path: str) -> list[float]:
    """Milliseconds of each of many calls, one after the other, over one connection while it is kept."""
    connection = http.client.HTTPConnection(HOST, port, timeout=10)
    times = []
    for _ in range(CALLS + 50):
        started = time.perf_counter()
        connection.request("GET", path)
        connection.getresponse().read()
        times.append((time.perf_counter() - started) * 1000)
    connection.close()
    return times[50:]


def machine(**versions: str) -> str:
    """The machine, the versions and the date: the head of a result. `versions` are further ones."""
    line = next((line for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line), "")
    cpu = line.partition(":")[2].strip() or platform.machine()
    node = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout.strip()
    fireemu = json.loads(next(find_node_modules(ROOT).glob("@fireemu/*/package.json")).read_text())
    versions |= {"Python": platform.python_version(), "Node": node, "fireemu": fireemu["version"]}
    versions |= {name: version(name) for name in ("firebase-functions", "functions-framework")}
    return "\n".join(
        (
            f"{dt.datetime.now(dt.UTC):%Y-%m-%d %H:%M} UTC, load average {os.getloadavg()[0]:.1f} at first",
            f"{os.cpu_count()} x {cpu}, {platform.system()} {platform.release()}",
            ", ".join(f"{name} {number}" for name, number in versions.items()),
        )
    )
