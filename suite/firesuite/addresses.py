"""Where the services of a suite are: for the SDKs, for a person, and whether the ports are free."""

import dataclasses
import json
import time
from collections.abc import Mapping

from firesuite.errors import SuiteError
from firesuite.ports import HOST, Ports, is_free, listened_on
from firesuite.project import firebase_config
from firesuite.relay import Relay

LABELS = {
    "auth": "Auth",
    "functions": "Functions",
    "firestore": "Firestore",
    "hub": "the hub",
    "ui": "the UI",
    "logging": "logging",
    "eventarc": "Eventarc",
    "tasks": "Tasks",
    "fcm": "FCM",
    "storage": "Storage",
    "pubsub": "Pub/Sub",
    "hosting": "Hosting",
}
"""What each of `Ports` is called in a sentence."""

# A suite that was killed a moment ago is cleared away by its reaper, which takes 0.1 s, and longer on a busy machine.
_PORTS_SECONDS = 3.0
_PROBE_SECONDS = 0.02


@dataclasses.dataclass(frozen=True, slots=True)
class Addresses:
    """Of a suite of this project, which listens on those of `ports` that `used` names."""

    project_id: str
    ports: Ports
    used: frozenset[str]

    @property
    def environment(self) -> Mapping[str, str]:
        """The variables by which Firebase's SDKs find the services."""
        ports = self.ports
        addresses = {
            "FIREBASE_EMULATOR_HUB": f"{HOST}:{ports.hub}",
            "FIRESTORE_EMULATOR_HOST": f"{HOST}:{ports.firestore}",
            "FIREBASE_AUTH_EMULATOR_HOST": f"{HOST}:{ports.auth}",
            "FUNCTIONS_EMULATOR_HOST": f"{HOST}:{ports.functions}",
            "CLOUD_TASKS_EMULATOR_HOST": f"{HOST}:{ports.tasks}",
            "CLOUD_EVENTARC_EMULATOR_HOST": f"http://{HOST}:{ports.eventarc}",
            "FCM_EMULATOR_HOST": f"{HOST}:{ports.fcm}",
        }
        if "storage" in self.used:
            addresses["FIREBASE_STORAGE_EMULATOR_HOST"] = f"{HOST}:{ports.storage}"
            addresses["STORAGE_EMULATOR_HOST"] = f"http://{HOST}:{ports.storage}"
        if "pubsub" in self.used:
            addresses["PUBSUB_EMULATOR_HOST"] = f"{HOST}:{ports.pubsub}"
        return {
            "GCLOUD_PROJECT": self.project_id,
            "GOOGLE_CLOUD_PROJECT": self.project_id,
            "FIREBASE_CONFIG": json.dumps(firebase_config(self.project_id)),
            **addresses,
        }

    def services(self) -> Mapping[str, str]:
        """The URL of each service, by the name a person knows it by."""
        ports = self.ports
        optional = ("storage", "pubsub", "hosting")
        return {
            "Firestore": f"http://{HOST}:{ports.firestore}",
            "Auth": f"http://{HOST}:{ports.auth}",
            "Functions": f"http://{HOST}:{ports.functions}",
            "Tasks": f"http://{HOST}:{ports.tasks}",
            "FCM": f"http://{HOST}:{ports.fcm}",
            **{LABELS[name]: f"http://{HOST}:{getattr(ports, name)}" for name in optional if name in self.used},
            "Hub": f"http://{HOST}:{ports.hub}",
            "UI": f"http://{HOST}:{ports.ui}/ui",
        }

    def relay(self, hosts: Mapping[str, str], bound: Ports) -> Relay:
        """From the hosts that firebase.json gives to services to where those are bound. Raises SuiteError."""
        relay = Relay()
        try:
            for name, host in hosts.items():
                for address in listened_on(host) if name in self.used else ():
                    relay.add(address, getattr(self.ports, name), LABELS[name], getattr(bound, name))
        except SuiteError:
            relay.stop()
            raise
        return relay

    def require_free(self, *, but: "Addresses | None" = None) -> None:
        """Raises SuiteError for a port that somebody listens on, or that two of the services are to listen on. What is
        used in `but` is listened on by this suite itself."""
        services: dict[int, str] = {}
        for name, label in LABELS.items():
            port = getattr(self.ports, name)
            if name in self.used and (other := services.setdefault(port, label)) != label:
                raise SuiteError(f"{other} and {label} are both to listen on port {port}: {_give_another(name)}.")
        deadline = time.monotonic() + _PORTS_SECONDS
        for name, label in LABELS.items():
            port = getattr(self.ports, name)
            if name not in self.used or (but is not None and name in but.used):
                continue
            while not (free := is_free(port)) and time.monotonic() < deadline:
                time.sleep(_PROBE_SECONDS)
            if not free:
                raise SuiteError(
                    f"Port {port} for {label} is taken by another program: stop it, or {_give_another(name)}."
                )


def _give_another(name: str) -> str:
    in_file = "" if name == "fcm" else f", or emulators.{name}.port in firebase.json"
    return f"give another port with --{name}-port{in_file}"
