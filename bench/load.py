"""The load generator: an asyncio client in a process of its own, whose CPU is nobody's.

`run` is called by the benchmarks; the file is also the script that it starts.
"""

import asyncio
import base64
import json
import random
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

_SECONDS_FOR_ANSWER: Final = 60.0


@dataclass(frozen=True, slots=True)
class Request:
    """One request; `expect` is the status that it is to be answered with."""

    method: str
    path: str
    token: str
    body: Mapping[str, Any] | None = None
    headers: Mapping[str, str] | None = None
    expect: int = 200

    def encode(self) -> bytes:
        payload = b"" if self.body is None else json.dumps(self.body).encode()
        headers = {"Host": "127.0.0.1", "Authorization": f"Bearer {self.token}", **(self.headers or {})}
        if self.body is not None:
            headers |= {"Content-Type": "application/json", "Content-Length": str(len(payload))}
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return f"{self.method} {self.path} HTTP/1.1\r\n{head}\r\n".encode() + payload


@dataclass(frozen=True, slots=True)
class Result:
    """`times` are milliseconds of each answer, sorted; `statuses` how many there were of each; `numbers` which requests
    got a status that was not the expected one, by status; `seconds` in all."""

    times: Sequence[float]
    statuses: Mapping[int, int]
    numbers: Mapping[int, Sequence[int]]
    seconds: float

    @property
    def p50(self) -> float:
        return statistics.median(self.times)

    @property
    def p99(self) -> float:
        return self.times[min(len(self.times) - 1, int(len(self.times) * 0.99))]

    @property
    def count(self) -> int:
        return len(self.times)

    @property
    def in_flight(self) -> float:
        """How many were under way, on average (Little's law)."""
        return sum(self.times) / 1000 / self.seconds


def run(  # noqa: PLR0913 (what a load is)
    port: int,
    requests: Sequence[Request],
    *,
    clients: int,
    count: int,
    rate: float | None = None,
    also: Sequence[int] = (),
) -> Result:
    """Send `count` of the requests, in turn, from `clients` connections that each wait for their answer.

    With `rate` they are sent at random moments, so many a second on average (Poisson), whether or not answers come;
    `clients` is then how many may be under way at once. `also` are statuses that are no failure either. Raises
    RuntimeError for an answer of any other status than expected, quoting it.
    """
    expected = sorted({request.expect for request in requests})
    allowed = {*expected, *also}
    plan = {
        "port": port,
        "requests": [base64.b64encode(request.encode()).decode() for request in requests],
        "clients": clients,
        "count": count,
        "rate": rate,
        "expected": expected,
    }
    script = [sys.executable, "-I", str(Path(__file__).resolve())]
    done = subprocess.run(script, input=json.dumps(plan).encode(), capture_output=True, check=False)
    if done.returncode:
        raise RuntimeError(f"the load generator failed:\n{done.stderr.decode(errors='replace')[-3000:]}")
    answer = json.loads(done.stdout)
    statuses = {int(status): number for status, number in answer["statuses"].items()}
    unexpected = {status: number for status, number in statuses.items() if status not in allowed}
    if unexpected:
        raise RuntimeError(f"answers other than {sorted(allowed)}: {unexpected}, such as {answer['sample']}")
    numbers = {int(status): found for status, found in answer["numbers"].items()}
    return Result(answer["times"], statuses, numbers, answer["seconds"])


class _Connection(asyncio.Protocol):
    """One keep-alive connection, one request at a time."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._waiting: asyncio.Future[tuple[int, bytes]] | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    @property
    def usable(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    async def ask(self, data: bytes) -> tuple[int, bytes]:
        assert self._transport is not None
        self._buffer.clear()
        self._waiting = asyncio.get_running_loop().create_future()
        self._transport.write(data)
        return await self._waiting

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, separator, rest = self._buffer.partition(b"\r\n\r\n")
        if not separator or self._waiting is None:
            return
        lower = head.lower()
        at = lower.find(b"\r\ncontent-length:")
        # Answers without a length (204, 304) have no body; no server here sends chunks.
        length = int(lower[at + 17 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        if len(rest) >= length and not self._waiting.done():
            if b"\r\nconnection: close" in lower and self._transport is not None:
                self._transport.close()
            self._waiting.set_result((int(head[9:12]), bytes(rest[:length])))

    def connection_lost(self, exc: Exception | None) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(ConnectionError(f"closed before the answer: {exc}"))


class _Generator:
    def __init__(self, plan: Mapping[str, Any]) -> None:
        self._plan = plan
        self._requests = [base64.b64decode(text) for text in plan["requests"]]
        self._free: list[_Connection] = []
        self._left = iter(range(plan["count"]))
        self.times: list[float] = []
        self.statuses: Counter[int] = Counter()
        self.numbers: dict[int, list[int]] = {}
        self.sample = ""

    async def run(self) -> float:
        clients = self._plan["clients"]
        self._free = [await self._connect() for _ in range(clients)]
        started = time.perf_counter()
        if self._plan["rate"] is None:
            await asyncio.gather(*(self._client() for _ in range(clients)))
        else:
            await self._arrivals(self._plan["rate"])
        return time.perf_counter() - started

    async def _client(self) -> None:
        for number in self._left:
            await self._one(number, time.perf_counter())

    async def _arrivals(self, rate: float) -> None:
        dice = random.Random(1)  # noqa: S311 (the same moments for every server)
        slots = asyncio.Semaphore(self._plan["clients"])
        running = set()
        due = time.perf_counter()
        for number in self._left:
            due += dice.expovariate(rate)
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            await slots.acquire()
            task = asyncio.create_task(self._one(number, due))
            running.add(task)
            task.add_done_callback(lambda done: (running.discard(done), slots.release()))
        await asyncio.gather(*running)

    async def _one(self, number: int, since: float) -> None:
        connection = self._free.pop() if self._free else await self._connect()
        if not connection.usable:
            connection = await self._connect()
        data = self._requests[number % len(self._requests)]
        try:
            async with asyncio.timeout(_SECONDS_FOR_ANSWER):
                status, body = await connection.ask(data)
        except ConnectionError:
            # A server may close an idle connection at the moment it is used: RFC 9112 section 9.5 has it tried again.
            connection = await self._connect()
            status, body = await connection.ask(data)
        self.times.append((time.perf_counter() - since) * 1000)
        self.statuses[status] += 1
        if status not in self._plan["expected"]:
            self.numbers.setdefault(status, []).append(number)
            self.sample = self.sample or body[:500].decode(errors="replace")
        self._free.append(connection)

    async def _connect(self) -> _Connection:
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(_Connection, "127.0.0.1", self._plan["port"])
        return connection


def main() -> None:
    generator = _Generator(json.load(sys.stdin))
    seconds = asyncio.run(generator.run())
    answer = {
        "times": sorted(round(ms, 3) for ms in generator.times),
        "statuses": generator.statuses,
        "numbers": generator.numbers,
        "seconds": seconds,
        "sample": generator.sample,
    }
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
