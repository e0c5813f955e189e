"""What a benchmark stands on: the local Firestore with data, signed-in callers, and the servers."""

import dataclasses
import os
import platform
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from bench.identity import Issuer
from bench.scenarios import Caller
from bench.servers import ROOT, Kind, Server

from bench import data
from firesuite.ports import Ports
from firesuite.project import Project
from firesuite.suite import Suite
from wattle.adapters.firestore import Firestore
from wattle.adapters.firestore.client import open_channel

_WIDTH: Final = 120
RESULTS: Final = ROOT / "bench" / "results"


class Stage:
    """A suite without functions (nothing but the database is shared), and an issuer of tokens; a context manager."""

    def __init__(self) -> None:
        self._exit = ExitStack()
        project = Project.load(ROOT)
        self.project_id = project.project_id
        # Hosting leads to functions.
        settings = {name: part for name, part in project.firebase_json.items() if name != "hosting"}
        bare = dataclasses.replace(project, codebases=(), firebase_json=settings)
        self.suite = Suite(bare, ports=Ports.free())
        self.issuer = Issuer(self.project_id)

    def __enter__(self) -> Self:
        self.directory = Path(self._exit.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        self._exit.enter_context(self.suite)
        self._exit.enter_context(self.issuer)
        self.issuer.write_credentials(self.directory / "account.json")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._exit.close()

    @cached_property
    def firestore(self) -> Firestore:
        channel, credentials = open_channel(self.firestore_host)
        self._exit.callback(channel.close)
        return Firestore(self.project_id, channel, credentials)

    @property
    def firestore_host(self) -> str:
        return f"127.0.0.1:{self.suite.ports.firestore}"

    def server(self, kind: Kind, *, access_log: Path | None = None, **settings: str) -> Server:
        """A server of this kind, not started yet."""
        environment = {
            "GCLOUD_PROJECT": self.project_id,
            "GOOGLE_CLOUD_PROJECT": self.project_id,
            "FIRESTORE_EMULATOR_HOST": self.firestore_host,
            "GOOGLE_APPLICATION_CREDENTIALS": str(self.directory / "account.json"),
            "BENCH_CERTIFICATES": self.issuer.certificates_url,
        }
        return Server(kind, environment | settings, self.directory, access_log=access_log)

    def servers(self, kinds: Sequence[Kind], stack: ExitStack) -> list[Server]:
        return [stack.enter_context(self.server(kind)) for kind in kinds]

    def callers(self, count: int, uids: Sequence[str]) -> list[Caller]:
        """So many sign-ins, each with a token of its own, spread over the users."""
        return [
            Caller(uid := uids[number % len(uids)], self.issuer.token(uid, session=number)) for number in range(count)
        ]

    def reset(self, *, users: int, orders: int) -> list[str]:
        """Nothing but the shop and so many users with so many orders each; their ids."""
        data.clear(self.suite.ports.firestore, self.project_id)
        uids = data.user_ids(users)
        data.write(self.firestore, data.shop())
        data.write(self.firestore, data.people(uids, orders=orders))
        return uids


class Report:
    """A result: printed as it comes, and kept as text with the command, the machine, the versions and the date."""

    def __init__(self, name: str, title: str, *, keep: bool) -> None:
        self._path = RESULTS / f"{name}.txt" if keep else None
        self._lines: list[str] = []
        self.line(title)
        self.line(f"make bench SECTIONS={name}" if keep else f"python -m bench {name} --quick")
        self.line(machine())
        self.line()

    def line(self, text: str = "") -> None:
        print(text, flush=True)
        self._lines.append(text)

    def paragraph(self, text: str) -> None:
        self.line(textwrap.fill(" ".join(text.split()), _WIDTH, break_on_hyphens=False))

    def goal(self, text: str, missed: Sequence[str]) -> None:
        """A bound of the design: held, or `missed` by these."""
        self.line(f"Goal: {text}: {'MISSED (' + '; '.join(missed) + ')' if missed else 'held'}.")

    def close(self) -> None:
        if self._path is not None:
            self._path.write_text("\n".join(line.rstrip() for line in self._lines) + "\n", encoding="utf-8")


def machine() -> str:
    packages = ("firebase-functions", "functions-framework", "firebase-admin", "google-cloud-firestore", "grpcio")
    model = next(
        (line.partition(":")[2].strip() for line in _read("/proc/cpuinfo").splitlines() if "model name" in line),
        platform.machine(),
    )
    node = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout.strip()  # noqa: S607 (the user's own node)
    now = datetime.now(UTC)
    return "\n".join(
        (
            f"{now:%Y-%m-%d %H:%M} UTC, commit {_commit()}, load average {os.getloadavg()[0]:.1f} at first",
            f"{os.cpu_count()} x {model}, {platform.system()} {platform.release()}",
            # How Python was compiled is worth a tenth of its speed.
            f"Python {platform.python_version()} of {sys.base_prefix} ({platform.python_compiler()}), Node {node}, "
            + ", ".join(f"{name} {version(name)}" for name in packages),
        )
    )


def _commit() -> str:
    """The commit, and `-dirty` where more than results differs from it: a run writes those one after another."""
    changed = _git("status", "--porcelain", "--untracked-files=no", "--", ".", ":!bench/results", ":!docs/costs.md")
    return _git("rev-parse", "--short", "HEAD") + ("-dirty" if changed else "")


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=True, cwd=ROOT)  # noqa: S607 (the user's own git)
    return done.stdout.strip()


def _read(path: str) -> str:
    return Path(path).read_text(encoding="utf-8")
