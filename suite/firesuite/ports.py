"""Where each service of a suite listens."""

import collections
import dataclasses
import os
import random
import socket
import threading
from collections.abc import Mapping
from typing import Any, Self

from firesuite.errors import SuiteError

HOST = "127.0.0.1"

# Linux hands out ephemeral ports from 32768 upwards, macOS from 49152: a port below is not taken by some client's
# outgoing connection between the moment it is chosen here and the moment its server binds it.
_FREE_RANGE = range(20_000, 32_768)


@dataclasses.dataclass(frozen=True, slots=True)
class Ports:
    """The ports of the Firebase emulator suite, with the numbers that Google's tool gives them, and FCM's beside."""

    auth: int = 9099
    functions: int = 5001
    firestore: int = 8080
    hub: int = 4400
    ui: int = 4000
    logging: int = 4500
    eventarc: int = 9299
    tasks: int = 9499
    fcm: int = 9399
    storage: int = 9199
    pubsub: int = 8085
    hosting: int = 5000

    @classmethod
    def from_firebase_json(cls, emulators: Mapping[str, Any]) -> Self:
        """The ports of the `emulators` section of firebase.json, the usual ones where it names none.

        Raises SuiteError for a port that is no port.
        """
        chosen = {}
        for field in dataclasses.fields(cls):
            section = emulators.get(field.name)
            port = section.get("port") if isinstance(section, Mapping) else None
            if port is None:
                continue
            if not isinstance(port, int) or not 0 < port < 65_536:
                raise SuiteError(f"firebase.json: emulators.{field.name}.port must be a port number, not {port!r}.")
            chosen[field.name] = port
        return cls(**chosen)

    @classmethod
    def free(cls) -> Self:
        """Ports that nobody listens on, for suites that run side by side."""
        names = [field.name for field in dataclasses.fields(cls)]
        return cls(**dict(zip(names, free_ports(len(names)), strict=True)))

    def others(self, count: int) -> list[int]:
        """So many free ports that are none of these."""
        taken = dataclasses.astuple(self)
        return [port for port in free_ports(count + len(taken)) if port not in taken][:count]

    def replace(self, **changed: int) -> Self:
        return dataclasses.replace(self, **changed)


_LOOPBACK = frozenset({HOST, "localhost", "::1"})
_EVERYWHERE = frozenset({"0.0.0.0", "::"})  # noqa: S104 - only where firebase.json asks for it


def hosts_beyond_loopback(emulators: Mapping[str, Any]) -> dict[str, str]:
    """The `host`s of the `emulators` section that are not this machine's own loopback interface, by service.

    Raises SuiteError for one that is no text.
    """
    found = {}
    for field in dataclasses.fields(Ports):
        section = emulators.get(field.name)
        host = section.get("host") if isinstance(section, Mapping) else None
        if host is None or host in _LOOPBACK:
            continue
        if not isinstance(host, str) or not host:
            raise SuiteError(f"firebase.json: emulators.{field.name}.host must be a host or an address, not {host!r}.")
        found[field.name] = host
    return found


def listened_on(host: str) -> tuple[str, ...]:
    """Where to listen for a service that firebase.json puts at `host`: there, and always on the loopback interface."""
    return (host,) if host in _EVERYWHERE else (host, HOST)


# What this process was given already and may not listen on yet. The oldest are given again once half of the range is.
_given: collections.deque[int] = collections.deque(maxlen=len(_FREE_RANGE) // 2)
_giving = threading.Lock()


def free_ports(count: int) -> list[int]:
    """So many different ports of the loopback interface on which nobody listens now, and none that was given before."""
    found: list[int] = []
    with _giving:
        known = set(_given)
        candidates = _candidates()
        for port in random.sample(candidates, k=len(candidates)):
            if port not in known and is_free(port):
                found.append(port)
                if len(found) == count:
                    _given.extend(found)
                    return found
    raise SuiteError(f"No {count} free ports between {_FREE_RANGE.start} and {_FREE_RANGE.stop}: stop some servers.")


def _candidates() -> range:
    """Workers of pytest-xdist start their suites at the same moment: each takes every nth port, or of eight workers two
    would choose the same one in every third run."""
    count = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    return _FREE_RANGE[number % count :: count]


def is_free(port: int) -> bool:
    """Whether a server could listen there now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True
