# ruff: noqa: INP001, S603, T201 - a script that prints tables of what it starts itself, in no package
"""firesuite beside Google's Functions emulator, over the same project in one run: start, reload, memory, calls.

    tools/setup.sh --google && .venv/bin/python suite/bench/firebase_tools.py     # two minutes, on a quiet machine

`suite/bench/results/firebase_tools.txt` is its last committed run. The project is the sample of tests/suite, with a
manifest (functions.yaml) for both. firesuite runs as `firesuite up` does, with everything: Firestore, Auth, events,
FCM, and not the functions alone. firebase-tools runs its Functions emulator alone, and with its Auth emulator.
"""

import contextlib
import dataclasses
import http.client
import json
import os
import re
import shlex
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from measuring import Memory, answers, machine, memory, session_members, until, warm_calls

from firesuite.fireemu import find_node_modules
from firesuite.google import find_executable
from firesuite.ports import HOST, Ports

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "tests" / "suite" / "sample"
FIREBASE_TOOLS = ROOT / "tools" / "firebase-tools"
RESULT = Path(__file__).parent / "results" / "firebase_tools.txt"
PROJECT = "demo-sample"
PATH = f"/{PROJECT}/australia-southeast1/web"
STARTS = 5
SAVES = 5
CONCURRENT = 20
# What a handler waits for others, such as a database that is elsewhere.
HANDLER_SECONDS = 0.1
STOP_SECONDS = 20
NONE = Memory(0, 0)


@dataclasses.dataclass(frozen=True)
class Contender:
    name: str
    command: list[str]
    environment: Mapping[str, str]


@dataclasses.dataclass
class Result:
    """Medians; seconds, MB and milliseconds."""

    starts: list[float] = dataclasses.field(default_factory=list)
    saves: list[float] = dataclasses.field(default_factory=list)
    idle: Memory = NONE
    busy: Memory = NONE
    processes: int = 0
    calls: list[float] = dataclasses.field(default_factory=list)
    bursts: list[float] = dataclasses.field(default_factory=list)


class Running:
    """One of the two, started; its processes are its session."""

    def __init__(self, contender: Contender, directory: Path, port: int) -> None:
        self.port = port
        self._log = (directory / "output.txt").open("wb")
        started = time.perf_counter()
        self._process = subprocess.Popen(
            contender.command,
            cwd=directory,
            env=contender.environment,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        until(self._has_answered)
        self.ready = time.perf_counter() - started

    def _has_answered(self) -> bool:
        if self._process.poll() is not None:
            raise SystemExit(f"It ended by itself:\n{Path(self._log.name).read_text()[-2000:]}")
        return answers(self.port, PATH) is not None

    def members(self) -> set[int]:
        """The processes of its session, and of sessions that its processes have begun."""
        known = {self._process.pid}
        while True:
            found = set(session_members(known)) | {child for pid in known for child in _children(pid)} | known
            if found == known:
                return {pid for pid in known if Path(f"/proc/{pid}/smaps_rollup").exists()}
            known = found

    def memory(self) -> Memory:
        total = NONE
        for pid in self.members():
            with contextlib.suppress(OSError):
                total += memory(pid)
        return total

    def stop(self) -> None:
        members = self.members()
        self._process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(STOP_SECONDS)
        for pid in members:  # firebase-tools leaves Python workers behind
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.wait()
        self._log.close()


def measure(contender: Contender, directory: Path, ports: Ports, *, fully: bool) -> Result:
    result = Result()
    for number in range(STARTS):
        running = Running(contender, directory, ports.functions)
        try:
            result.starts.append(running.ready)
            if number == STARTS - 1 and fully:
                _measure_running(running, directory, result)
        finally:
            running.stop()
    return result


def _measure_running(running: Running, directory: Path, result: Result) -> None:
    time.sleep(2)  # what it does after it is ready
    result.idle = running.memory()
    result.calls = warm_calls(running.port, PATH)
    for _ in range(3):
        result.bursts.append(_burst(running.port))
    result.busy = running.memory()
    result.processes = len(running.members())
    main = directory / "functions" / "main.py"
    for number in range(SAVES):
        wanted = f"saved-{number}-{time.time_ns()}"
        main.write_text(re.sub(r'^VERSION = ".*"', f'VERSION = "{wanted}"', main.read_text(), flags=re.MULTILINE))
        result.saves.append(until(lambda text=f'"{wanted}"': text in (answers(running.port, PATH) or "")))
        time.sleep(1)


def _burst(port: int) -> float:
    """Seconds until so many calls, made at once, have all been answered."""

    def call(_number: int) -> None:
        connection = http.client.HTTPConnection(HOST, port, timeout=120)
        connection.request("GET", f"{PATH}/slow?seconds={HANDLER_SECONDS}")
        response = connection.getresponse()
        response.read()
        connection.close()
        if response.status != 200:
            raise SystemExit(f"HTTP {response.status}")

    with ThreadPoolExecutor(CONCURRENT) as pool:
        started = time.perf_counter()
        list(pool.map(call, range(CONCURRENT)))
        return time.perf_counter() - started


def _children(pid: int) -> Iterator[int]:
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            yield from map(int, (task / "children").read_text().split())


def project(directory: Path, ports: Ports) -> None:
    """A copy of the sample, with these ports."""
    shutil.copytree(SAMPLE, directory, ignore=shutil.ignore_patterns("__pycache__", "tests"))
    (directory / "node_modules").symlink_to(find_node_modules(ROOT))
    firebase = json.loads((directory / "firebase.json").read_text())
    unused = {"fcm", "storage", "pubsub", "hosting"}
    firebase["emulators"] = {
        name: {"host": HOST, "port": port} for name, port in dataclasses.asdict(ports).items() if name not in unused
    }
    firebase["emulators"]["ui"]["enabled"] = False
    (directory / "firebase.json").write_text(json.dumps(firebase, indent=2))


def add_environment(directory: Path) -> None:
    """What firebase-tools wants in functions/venv. firesuite takes the environment that it runs in."""
    binaries = directory / "functions" / "venv" / "bin"
    binaries.mkdir(parents=True)
    framework = Path(sys.executable).with_name("functions-framework")
    (binaries / "activate").write_text(f"exec {shlex.quote(str(framework))}\n")


def contenders(ports: Ports) -> dict[str, Contender]:
    environment = {
        **{name: os.environ[name] for name in ("HOME", "LANG", "TMPDIR") if name in os.environ},
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "VIRTUAL_ENV": sys.prefix,
    }
    google = {**environment, "CI": "1", "METADATA_SERVER_DETECTION": "none", "NO_GCE_CHECK": "true"}
    firesuite = [sys.executable, "-m", "firesuite.cli", "up", "--fcm-port", str(ports.fcm)]
    executable = os.environ.get("FIRESUITE_FIREBASE_TOOLS") or str(find_executable(FIREBASE_TOOLS))
    start = [executable, "emulators:start", "--project", PROJECT, "--only"]
    return {
        "firesuite": Contender("firesuite: everything", firesuite, environment),
        "functions": Contender("firebase-tools: functions", [*start, "functions"], google),
        "auth,functions": Contender("firebase-tools: auth, functions", [*start, "auth,functions"], google),
    }


def imports(directory: Path, environment: Mapping[str, str]) -> list[float]:
    """Seconds in which Python starts and imports the project's main.py: a part of each start, whoever serves it."""
    seconds = []
    for _ in range(STARTS):
        started = time.perf_counter()
        subprocess.run(
            [sys.executable, "-c", "import main"],
            cwd=directory / "functions",
            env={**environment, "GCLOUD_PROJECT": PROJECT},
            check=True,
        )
        seconds.append(time.perf_counter() - started)
    return seconds


def report(
    results: Mapping[str, Result], named: Mapping[str, Contender], alone: list[float], say: Callable[[str], None]
) -> None:
    median = statistics.median
    ours, theirs = results["firesuite"], results["functions"]
    say(f"{'start until the first answer, s':<42}{'median':>9}{'max':>9}")
    for key, result in results.items():
        say(f"  {named[key].name:<40}{median(result.starts):>9.2f}{max(result.starts):>9.2f}")
    own = 'python -c "import main", in each of them'
    say(f"  {own:<40}{median(alone):>9.2f}{max(alone):>9.2f}")
    say("")
    columns = ("firesuite", "firebase-tools", "ratio", "goal")
    say(f"{'':<42}" + "".join(f"{column:>15}" for column in columns))

    def row(name: str, ours: float, theirs: float, goal: str = "") -> None:
        say(f"{name:<42}{ours:>15.2f}{theirs:>15.2f}{theirs / ours:>15.1f}{goal:>15}")

    row("start until the first answer, s", median(ours.starts), median(theirs.starts), ">= 3")
    row("save until the new code answers, s", median(ours.saves), median(theirs.saves))
    row("warm call, p50, ms", median(ours.calls), median(theirs.calls), ">= 1")
    row("warm call, p95, ms", *(statistics.quantiles(result.calls, n=20)[18] for result in (ours, theirs)))
    row(f"{CONCURRENT} calls at once, the first time, s", ours.bursts[0], theirs.bursts[0], ">= 5")
    row(f"{CONCURRENT} calls at once, the third time, s", ours.bursts[2], theirs.bursts[2])
    row("memory after the first call, PSS, MB", ours.idle.pss, theirs.idle.pss)
    row(f"memory after {CONCURRENT} calls at once, PSS, MB", ours.busy.pss, theirs.busy.pss)
    row("memory after them, RSS, MB", ours.busy.rss, theirs.busy.rss)
    row("processes then", ours.processes, theirs.processes)


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    lines: list[str] = []

    def say(text: str) -> None:
        print(text, flush=True)
        lines.append(text)

    say("firesuite beside firebase-tools' Functions emulator: suite/bench/firebase_tools.py")
    package = json.loads((FIREBASE_TOOLS / "node_modules" / "firebase-tools" / "package.json").read_text())
    say(machine(**{"firebase-tools": package["version"]}))
    say("")
    say(f"{STARTS} starts, {SAVES} saves. In calls at once the handler waits {HANDLER_SECONDS * 1000:.0f} ms.")
    say("")
    ports = Ports.free()
    with tempfile.TemporaryDirectory(prefix="firesuite-bench-") as name:
        ours, theirs = Path(name) / "firesuite", Path(name) / "firebase-tools"
        project(ours, ports)
        project(theirs, ports)
        add_environment(theirs)
        named = contenders(ports)
        results = {
            key: measure(contender, ours if key == "firesuite" else theirs, ports, fully=key != "auth,functions")
            for key, contender in named.items()
        }
        alone = imports(ours, named["firesuite"].environment)
    report(results, named, alone, say)
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
