"""The exported functions of a codebase, as its `functions.yaml` (manifest `v1alpha1`) describes them."""

import dataclasses
import enum
from collections.abc import Mapping
from typing import Any, Self

import yaml

from firesuite import params
from firesuite.errors import SuiteError
from firesuite.params import Parameter, Value

DEFAULT_REGION = "us-central1"
DEFAULT_CONCURRENCY = 80  # of a second generation function with at least one CPU
DEFAULT_TIMEOUT_SECONDS = 60

# Realtime Database, Remote Config, Test Lab and Data Connect: fireemu does not have the products.
_NOT_DELIVERED = (
    "google.firebase.database.",
    "google.firebase.remoteconfig.",
    "google.firebase.testlab.",
    "google.firebase.dataconnect.",
)


class Kind(enum.Enum):
    """What starts a function; the value is the key of the manifest that says so."""

    HTTPS = "httpsTrigger"
    CALLABLE = "callableTrigger"
    EVENT = "eventTrigger"
    SCHEDULE = "scheduleTrigger"
    TASK_QUEUE = "taskQueueTrigger"
    BLOCKING = "blockingTrigger"

    @property
    def word(self) -> str:
        """What a person calls it."""
        return self.value.removesuffix("Trigger")

    @property
    def is_direct(self) -> bool:
        """Whether clients call it by URL, so that nothing has to deliver to it."""
        return self in {Kind.HTTPS, Kind.CALLABLE}


@dataclasses.dataclass(frozen=True, slots=True)
class Endpoint:
    """One exported function: `name` is its deployed name, `entry_point` what main.py calls it."""

    name: str
    entry_point: str
    regions: tuple[str, ...]
    kind: Kind
    trigger: Mapping[str, Any]
    concurrency: int
    cpus: int
    timeout_seconds: int
    spec: Mapping[str, Any] = dataclasses.field(repr=False, compare=False)
    """Its whole entry in the manifest."""

    @property
    def event_type(self) -> str:
        """The CloudEvents type of an event function, else empty."""
        return str(self.trigger.get("eventType", "")) if self.kind is Kind.EVENT else ""

    @property
    def is_deliverable(self) -> bool:
        """Whether fireemu has events of this type (its capability FN-EVT-1)."""
        return self.kind is not Kind.EVENT or not self.event_type.startswith(_NOT_DELIVERED)

    @classmethod
    def parse(cls, name: str, spec: Mapping[str, Any], where: str) -> Self:
        kind = next((kind for kind in Kind if kind.value in spec), None)
        if kind is None:
            known = ", ".join(kind.value for kind in Kind)
            raise SuiteError(f"{where}: endpoints.{name} has none of the triggers that are known here ({known}).")
        regions = spec.get("region") or [DEFAULT_REGION]
        cpu = spec.get("cpu")
        one_at_a_time = isinstance(cpu, int | float) and cpu < 1
        return cls(
            name=name,
            entry_point=spec.get("entryPoint") or name,
            regions=tuple([regions] if isinstance(regions, str) else regions),
            kind=kind,
            trigger=spec[kind.value] or {},
            concurrency=_whole(spec.get("concurrency")) or (1 if one_at_a_time else DEFAULT_CONCURRENCY),
            cpus=max(1, _whole(cpu) or 1),
            timeout_seconds=_whole(spec.get("timeoutSeconds")) or DEFAULT_TIMEOUT_SECONDS,
            spec=spec,
        )


@dataclasses.dataclass(frozen=True, slots=True)
class Manifest:
    """All functions of one codebase, in the manifest's order."""

    endpoints: tuple[Endpoint, ...]
    parameters: tuple[Parameter, ...] = ()

    @classmethod
    def parse(cls, text: str, where: str) -> Self:
        """Raises SuiteError, with `where` (a path) and the line, for a text that is not a manifest."""
        try:
            document = yaml.safe_load(text)
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            line = f", line {mark.line + 1}" if mark else ""
            raise SuiteError(f"{where}{line}: not valid YAML ({getattr(error, 'problem', error)}).") from None
        endpoints = document.get("endpoints") if isinstance(document, dict) else None
        if not isinstance(endpoints, dict):
            raise SuiteError(f"{where}: the key 'endpoints' is missing.")
        parameters = tuple(Parameter.parse(spec) for spec in document.get("params") or [])
        return cls(tuple(Endpoint.parse(name, spec, where) for name, spec in endpoints.items()), parameters)

    def resolved(self, known: Mapping[str, Value], where: str) -> Self:
        """The same with the expressions over parameters worked out. Raises SuiteError."""
        endpoints = tuple(
            Endpoint.parse(
                endpoint.name, params.resolve(endpoint.spec, known, f"{where}: endpoints.{endpoint.name}"), where
            )
            for endpoint in self.endpoints
        )
        return dataclasses.replace(self, endpoints=endpoints)

    @property
    def delivered(self) -> tuple[Endpoint, ...]:
        """Those to which something must deliver: events, schedules, tasks, blocking calls."""
        return tuple(endpoint for endpoint in self.endpoints if not endpoint.kind.is_direct)

    def endpoint(self, name: str) -> Endpoint:
        """Raises SuiteError, with the names there are, for a name that is not exported."""
        for endpoint in self.endpoints:
            if endpoint.name == name:
                return endpoint
        names = ", ".join(endpoint.name for endpoint in self.endpoints)
        raise SuiteError(f"There is no function {name!r}; there are: {names}.")


def _whole(value: object) -> int | None:
    """A number as it stands; a parameter expression or null leaves the default."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None
