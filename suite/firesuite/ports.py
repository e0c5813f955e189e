"""Where each service of a suite listens."""

import dataclasses
import random
import socket
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


def free_ports(count: int) -> list[int]:
    """So many different ports of the loopback interface on which nobody listens now."""
    found: list[int] = []
    for port in random.sample(_FREE_RANGE, k=2000):
        if is_free(port):
            found.append(port)
            if len(found) == count:
                return found
    raise SuiteError(f"No {count} free ports between {_FREE_RANGE.start} and {_FREE_RANGE.stop}: stop some servers.")


def is_free(port: int) -> bool:
    """Whether a server could listen there now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True
