"""Starts a Python server as production does, except for what the benchmark has to put in its place.

    python bench/launch.py --target api --source functions/main.py --port 8000

`BENCH_CERTIFICATES` is fetched in place of Google's certificates. With `BENCH_LATENCY_MS` each call to Firestore waits
so long, as it does for a database that is not on this machine; `BENCH_FAULTS` is the share of calls that fail with
DEADLINE_EXCEEDED before they leave. Both are an interceptor in the channel of Wattle's adapter. Modules are changed as
they are loaded, so that nothing is imported earlier or later than it would be.
"""

import importlib.abc
import importlib.machinery
import importlib.util
import os
import sys
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

CERTIFICATES = os.environ.get("BENCH_CERTIFICATES")
LATENCY = float(os.environ.get("BENCH_LATENCY_MS", "0")) / 1000
FAULTS = float(os.environ.get("BENCH_FAULTS", "0"))


def _wattle_tokens(module: Any) -> None:
    module.CERTIFICATES_URL = CERTIFICATES


def _admin_tokens(module: Any) -> None:
    module.ID_TOKEN_CERT_URI = CERTIFICATES


def _slow_channel(module: Any) -> None:
    import grpc  # noqa: PLC0415 (loaded by the module already; not before it)

    from firesuite.faults import Failure, Faults, at_random  # noqa: PLC0415

    faults = Faults(at_random(1, FAULTS, Failure(grpc.StatusCode.DEADLINE_EXCEEDED)))
    faults.slow(LATENCY)
    open_channel = module.open_channel

    def open_slow_channel(emulator: str | None) -> Any:
        channel, credentials = open_channel(emulator)
        return grpc.intercept_channel(channel, faults), credentials

    module.open_channel = open_slow_channel


CHANGES: dict[str, Callable[[Any], None]] = {}
if CERTIFICATES:
    CHANGES |= {"wattle.adapters.tokens": _wattle_tokens, "firebase_admin._token_gen": _admin_tokens}
if LATENCY or FAULTS:
    CHANGES["wattle.adapters.firestore.client"] = _slow_channel


class _Changed(importlib.abc.Loader):
    def __init__(self, loader: importlib.abc.Loader, change: Callable[[Any], None]) -> None:
        self._loader = loader
        self._change = change

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self._loader.exec_module(module)
        self._change(module)


class _Finder(importlib.abc.MetaPathFinder):
    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        change = CHANGES.get(name)
        if change is None:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _Changed(spec.loader, change)
        return spec


if __name__ == "__main__":
    sys.path.pop(0)
    # httpx, which firebase_admin imports, draws its command line with rich where that is installed: here for another
    # tool, in production not. It would make every start 20 % slower than it is.
    sys.modules["rich"] = None  # type: ignore[assignment]
    if CHANGES:
        sys.meta_path.insert(0, _Finder())
    from functions_framework._cli import _cli

    _cli()
