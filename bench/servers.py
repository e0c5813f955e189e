"""The servers that are compared, each a process of its own, and what the kernel says of them."""

import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self

from firesuite import dotenv
from firesuite.ports import free_ports

ROOT: Final = Path(__file__).resolve().parent.parent
REFERENCE: Final = ROOT / "bench" / "reference"
START_SECONDS: Final = 60.0
_TICK: Final = os.sysconf("SC_CLK_TCK")
_MB: Final = 1024  # kB, in which /proc counts
# The first line of a mapping in /proc/PID/smaps: inode and path.
_MAPPING: Final = re.compile(r"[0-9a-f]+-[0-9a-f]+ \S+ \S+ \S+ (\d+) *(.*)")
_SHARED_MEMORY: Final = ("/memfd:", "/dev/", "/SYSV")


@dataclass(frozen=True, slots=True)
class Kind:
    """A way to serve the API. `cursor` pages by cursor, else by page number."""

    name: str
    title: str
    cursor: bool = False


WATTLE: Final = Kind("wattle", "Wattle", cursor=True)
EXPRESS: Final = Kind("express", "(a) Express 5")
FLASK: Final = Kind("flask", "(b) Flask")
EMPTY: Final = Kind("empty", "empty function")
ALL: Final = (WATTLE, EXPRESS, FLASK)


class Server:
    """One running server; a context manager."""

    def __init__(
        self, kind: Kind, environment: Mapping[str, str], directory: Path, *, access_log: Path | None = None
    ) -> None:
        """`environment` is what all servers are told; `directory` takes the log, `access_log` standard output."""
        self.kind = kind
        (self.port,) = free_ports(1)
        self._environment = environment
        self._log: Path = directory / f"{kind.name}-{self.port}.log"
        self._access_log = access_log or Path(os.devnull)
        self._output: IO[bytes] | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        try:
            self.await_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        command, own = _command(self.kind, self.port)
        self._output = self._log.open("wb")
        with self._access_log.open("ab") as access_log:
            self._process = subprocess.Popen(
                command,
                env={**_plain_environment(), **own, **self._environment, "PORT": str(self.port)},
                cwd=ROOT,
                stdout=access_log,
                stderr=self._output,
                start_new_session=True,
            )
        # One CPU, as the functions are deployed with. On two, threads that wait for Python's lock would wake each other
        # from one to the other.
        if sys.platform == "linux":
            os.sched_setaffinity(self._process.pid, {min(os.sched_getaffinity(0))})

    def await_ready(self) -> float:
        """Seconds from now until the first 200. Raises RuntimeError with the log where the process ends or hangs."""
        started = time.perf_counter()
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/health")
        while True:
            try:
                with urllib.request.urlopen(request, timeout=10) as response:
                    if response.status == 200:
                        return time.perf_counter() - started
            except urllib.error.HTTPError as error:
                raise RuntimeError(f"{self.kind.title} answers {error.code}: {error.read()!r}\n{self.log()}") from error
            except OSError:
                if self.ended or time.perf_counter() - started > START_SECONDS:
                    raise RuntimeError(f"{self.kind.title} does not start:\n{self.log()}") from None
            time.sleep(0.002)

    def stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGTERM)
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()
        if self._output is not None:
            self._output.close()

    @property
    def ended(self) -> bool:
        return self._process is None or self._process.poll() is not None

    def log(self) -> str:
        return self._log.read_text(errors="replace")[-4000:]

    def cpu(self) -> float:
        """Seconds of CPU that it and its children have used, in user and kernel mode."""
        return sum(_cpu(pid) for pid in self._pids())

    def resident(self) -> float:
        """MB resident, the sum over its processes: pages that they share count for each."""
        return sum(_rollup(pid)["Rss"] for pid in self._pids()) / _MB

    def charged(self) -> float:
        """MB that a container with nothing else in it is charged for.

        Pages that belong to no file count as PSS, which divides them among these processes alone: nobody else has them.
        Pages of files count whole, once for each file: PSS would divide them by whoever else on the machine maps them.
        """
        own = 0
        files: dict[str, int] = {}
        for pid in self._pids():
            sizes = _rollup(pid)
            own += sizes["Pss_Anon"] + sizes["Pss_Shmem"]
            for path, size in _file_pages(pid).items():
                files[path] = max(size, files.get(path, 0))
        return (own + sum(files.values())) / _MB

    def _pids(self) -> list[int]:
        if self._process is None:
            raise RuntimeError("the server was not started")
        return [self._process.pid, *_descendants(self._process.pid)]


def _command(kind: Kind, port: int) -> tuple[list[str], Mapping[str, str]]:
    """The command line of a server, and the environment that belongs to it."""
    if kind is EXPRESS:
        directory = REFERENCE / "express"
        node = ["node", "--import", str(directory / "certificates.mjs"), str(directory / "server.js")]
        return node, {"NODE_ENV": "production"}
    source = ROOT / "functions" if kind is WATTLE else REFERENCE / kind.name
    python = [sys.executable, str(ROOT / "bench" / "launch.py"), "--target", "api"]
    settings = {
        **dotenv.read(ROOT / "functions" / ".env"),
        **dotenv.read(ROOT / "functions" / ".env.demo-wattle"),
        **dotenv.read(ROOT / "functions" / ".secret.local"),
    }
    # The same number of threads for all: functions-framework's default of 4 a CPU would have requests queue.
    own = {"THREADS": settings["THREADS"]} if kind is not WATTLE else settings
    # A benchmark's user asks for more than a person does.
    own = {**own, "RATE_LIMIT_SCALE": "1000", "FUNCTION_SIGNATURE_TYPE": "http"}
    return [*python, "--source", str(source / "main.py"), "--host", "127.0.0.1", "--port", str(port)], own


def _plain_environment() -> dict[str, str]:
    keep = ("PATH", "HOME", "LANG", "TMPDIR")
    return {name: os.environ[name] for name in keep if name in os.environ}


def _descendants(pid: int) -> Iterator[int]:
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            children = (task / "children").read_text().split()
        except OSError:  # a thread that has ended meanwhile
            continue
        for child in map(int, children):
            yield child
            yield from _descendants(child)


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    # Fields 14 to 17 of proc(5): its own time and that of children it has waited for.
    return sum(map(int, fields[11:15])) / _TICK


def _rollup(pid: int) -> dict[str, int]:
    """Of all mappings of a process, kB by name."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    return {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines)}


def _file_pages(pid: int) -> Counter[str]:
    """kB resident of each file that a process maps, without the pages that it has a copy of its own of."""
    found: Counter[str] = Counter()
    path = ""
    for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
        if mapping := _MAPPING.fullmatch(line):
            path = mapping[2] if mapping[1] != "0" and not mapping[2].startswith(_SHARED_MEMORY) else ""
        elif path and line.startswith(("Rss:", "Anonymous:")):
            name, size, _ = line.split()
            found[path] += int(size) if name == "Rss:" else -int(size)
    return found
