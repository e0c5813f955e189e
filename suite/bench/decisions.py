# ruff: noqa: INP001, T201 - a script that prints tables, in no package
"""Measures what `suite/docs/decisions.md` decides: `python suite/bench/decisions.py [PROJECT_DIRECTORY]`.

1. A warm HTTP call, reached directly and through a Node twin behind fireemu's functions port, in one run.
2. All functions in one process, and a process for each: time until all answer, and resident memory.
3. Lending the suite a connection for the time of a request, so that it can be answered if its process dies.
4. The whole suite: time until ready, time from a save until the new code answers, memory of each process.

The project is the sample of tests/suite unless another is given; it needs an HTTP function named `web` for 1 and 4.
"""

import dataclasses
import json
import os
import platform
import shutil
import signal
import socket
import statistics
import sys
import tempfile
import time
from pathlib import Path

from measuring import Memory, answers, memory, session_members, until, warm_calls

from firesuite import fireemu
from firesuite.addresses import Addresses
from firesuite.functions import FunctionsHost, Runtime
from firesuite.functions_settings import HEALTH_PATH
from firesuite.in_flight import InFlight, Keeper
from firesuite.manifest import Manifest
from firesuite.ports import Ports, free_ports
from firesuite.processes import Processes
from firesuite.project import Project
from firesuite.suite import Suite

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "tests" / "suite" / "sample"

HTTP_TWIN = """\
const http = require('node:http');
const agent = new http.Agent({ keepAlive: true });
exports.web = Object.assign((request, response) => {
  const { connection, host, ...headers } = request.headers;
  const path = '/__PROJECT__/__REGION__/web' + request.url;
  const options = { agent, host: '127.0.0.1', port: __PORT__, method: request.method, path, headers };
  const onward = http.request(options, (answer) => {
    response.status(answer.statusCode);
    answer.pipe(response);
  });
  onward.end(request.rawBody);
}, { __endpoint: { platform: 'gcfv2', region: ['__REGION__'], httpsTrigger: {} } });
"""


def row(name: str, *cells: str) -> None:
    print(f"{name:<34}" + "".join(f"{cell:>14}" for cell in cells))


def direct_or_twin(directory: Path, project: Project) -> None:
    with Suite(project, ports=Ports.free()) as suite:
        path = suite.function_url("web").partition(str(suite.ports.functions))[2]
        region = project.codebases[0].manifest.endpoint("web").regions[0]
        twins = directory / "http-twin"
        twins.mkdir()
        values = {"__PROJECT__": project.project_id, "__REGION__": region, "__PORT__": str(suite.ports.functions)}
        source = HTTP_TWIN
        for name, value in values.items():
            source = source.replace(name, value)
        (twins / "index.js").write_text(source)
        package = {"main": "index.js", "engines": {"node": ">=20"}, "dependencies": {"firebase-functions": "*"}}
        (twins / "package.json").write_text(json.dumps(package))
        (twins / "node_modules").symlink_to(fireemu.find_node_modules(project.directory))
        functions, hub, tasks = free_ports(3)
        configuration = fireemu.Configuration(
            project, Ports.free(), "strict", twins, functions, hub, tasks, frozenset({"auth", "firestore", "functions"})
        )
        scratch = directory / "fireemu"
        scratch.mkdir()
        processes = Processes(scratch, lambda _service, _line: None)
        try:
            binary = fireemu.find_binary(project.directory)
            command = [binary, *configuration.write(scratch)]
            environment = fireemu.environment(os.environ, scratch)
            processes.start("fireemu", command, directory=scratch, environment=environment)
            until(lambda: answers(functions, path) is not None)
            row("warm HTTP call, ms", "p50", "p95")
            # Twice, in turn, so that a machine that slows down slows both.
            for name, port in (("directly", suite.ports.functions), ("through a twin", functions)) * 2:
                times = warm_calls(port, path)
                row(f"  {name}", f"{statistics.median(times):.2f}", f"{statistics.quantiles(times, n=20)[18]:.2f}")
        finally:
            processes.stop()


def one_or_many(directory: Path, project: Project) -> None:
    codebase = project.codebases[0]
    endpoints = codebase.manifest.endpoints
    row(f"{len(endpoints)} functions", "processes", "ready, s", "RSS, MB", "PSS, MB")
    splits = {"one process": [endpoints], "a process for each": [(endpoint,) for endpoint in endpoints]}
    for name, split in splits.items():
        scratch = directory / name
        scratch.mkdir()
        processes = Processes(scratch, lambda _service, _line: None)
        ports = free_ports(len(split))
        started = time.perf_counter()
        hosts = []
        for index, part in enumerate(split):
            settings = scratch / str(index)
            settings.mkdir()
            own = dataclasses.replace(codebase, manifest=Manifest(tuple(part)))
            services = Addresses(project.project_id, Ports(), frozenset()).environment
            runtime = Runtime(project.project_id, services, settings)
            host = FunctionsHost(own, runtime, ports[index])
            host.start(processes)
            hosts.append(host)
        until(lambda running=hosts: all(host.answers() for host in running))
        ready = time.perf_counter() - started
        workers = {int(json.loads(answers(port, HEALTH_PATH))["pid"]) for port in ports}
        everyone = list(session_members({os.getsid(worker) for worker in workers}))
        total = sum((memory(pid) for pid in everyone), Memory(0, 0))
        row(f"  {name}", str(len(everyone)), f"{ready:.2f}", f"{total.rss:.0f}", f"{total.pss:.0f}")
        processes.stop()


def lent_connection() -> None:
    keeper = Keeper(print)
    with keeper.remote as remote:
        worker = InFlight(remote.fileno())
    client, connection = socket.socketpair()
    with client, connection:
        times = []
        for _ in range(2000):
            started = time.perf_counter()
            worker.hold(connection, "web GET /")()
            times.append((time.perf_counter() - started) * 1_000_000)
    row("connection lent and back, µs", f"{statistics.median(times):.0f}")


def whole_suite(project: Project) -> None:
    times = []
    for _ in range(5):
        started = time.perf_counter()
        with Suite(project, ports=Ports.free()):
            times.append(time.perf_counter() - started)
    row("ready, s (5 starts)", f"{statistics.median(times):.2f}", f"max {max(times):.2f}")
    with Suite(project, ports=Ports.free(), watch=True) as suite:
        path = suite.function_url("web").partition(str(suite.ports.functions))[2]
        main = project.codebases[0].main
        reloads = []
        for _ in range(5):
            before = json.loads(answers(suite.ports.functions, path))["pid"]
            main.write_text(main.read_text() + "\n")
            reloads.append(
                until(
                    lambda old=before: (
                        (answer := answers(suite.ports.functions, path)) is not None
                        and json.loads(answer)["pid"] != old
                    )
                )
            )
        row("save to new code, s (5 saves)", f"{statistics.median(reloads):.2f}", f"max {max(reloads):.2f}")
        row("memory, MB", "RSS", "PSS")
        total = Memory(0, 0)
        mine = {os.getpid()} | set(session_members(set(children())))
        for pid in sorted(mine):
            used = memory(pid)
            total += used
            command = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
            label = next(
                (Path(part).name for part in command[1:] if part.endswith((".py", ".mjs"))), Path(command[0]).name
            )
            row(f"  {label}", f"{used.rss:.0f}", f"{used.pss:.0f}")
        row("  all", f"{total.rss:.0f}", f"{total.pss:.0f}")


def children() -> list[int]:
    own = os.getpid()
    return [int(pid) for task in Path(f"/proc/{own}/task").iterdir() for pid in (task / "children").read_text().split()]


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    source = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else SAMPLE
    print(f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPUs, Python {platform.python_version()}\n")
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        copy = directory / "project"
        shutil.copytree(source, copy, ignore=shutil.ignore_patterns("__pycache__", "node_modules", "venv", ".git"))
        (copy / "node_modules").symlink_to(fireemu.find_node_modules(ROOT))
        project = Project.load(copy)
        direct_or_twin(directory, project)
        print()
        one_or_many(directory, project)
        print()
        lent_connection()
        print()
        whole_suite(project)


if __name__ == "__main__":
    main()
