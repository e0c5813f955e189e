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
    def parse(cls, name: str, spec: Mapping[str, Any]) -> Self:
        """`spec` is one that has a trigger that is known here."""
        kind = next(kind for kind in Kind if kind.value in spec)
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
        for name, spec in endpoints.items():
            if mistake := _mistake(spec):
                raise SuiteError(f"{_place(where, text, 'endpoints', name)}: endpoints.{name} {mistake}.")
        specs = document.get("params") or []
        if not isinstance(specs, list) or not all(isinstance(spec, dict) and "name" in spec for spec in specs):
            raise SuiteError(f"{_place(where, text, 'params')}: params must be a list of objects with a 'name'.")
        return cls(
            tuple(Endpoint.parse(name, spec) for name, spec in endpoints.items()),
            tuple(Parameter.parse(spec) for spec in specs),
        )

    def resolved(self, known: Mapping[str, Value], where: str) -> Self:
        """The same with the expressions over parameters worked out. Raises SuiteError."""
        endpoints = tuple(
            Endpoint.parse(endpoint.name, params.resolve(endpoint.spec, known, f"{where}: endpoints.{endpoint.name}"))
            for endpoint in self.endpoints
        )
        return dataclasses.replace(self, endpoints=endpoints)

    @property
    def secrets(self) -> tuple[Parameter, ...]:
        """Those that functions name as text, and not by a declared parameter."""
        declared = {parameter.name for parameter in self.parameters}
        named = {
            str(secret["key"]): None
            for endpoint in self.endpoints
            for secret in endpoint.spec.get("secretEnvironmentVariables") or []
        }
        return tuple(Parameter(name, "secret", None) for name in named if name not in declared)

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


def _mistake(spec: Any) -> str | None:
    """What is wrong with an entry of `endpoints`."""
    if not isinstance(spec, dict):
        return "must be an object"
    kind = next((kind for kind in Kind if kind.value in spec), None)
    if kind is None:
        return f"has none of the triggers that are known here ({', '.join(kind.value for kind in Kind)})"
    trigger, regions = spec[kind.value], spec.get("region") or ""
    needed = {Kind.SCHEDULE: "schedule", Kind.EVENT: "eventType"}.get(kind)
    if not isinstance(trigger, dict | None):
        return f"has a {kind.value} that is no object"
    if needed and needed not in (trigger or {}):
        return f"has a {kind.value} without '{needed}'"
    if not all(isinstance(region, str) for region in (regions if isinstance(regions, list) else [regions])):
        return "has a region that is no text"
    return None


def _place(where: str, text: str, *keys: str) -> str:
    """With the line of the last of these keys, each within the one before, where it is a file's own."""
    if not where.endswith(".yaml"):
        return where
    node: Any = yaml.compose(text, yaml.SafeLoader)
    line = 1
    for key in keys:
        found, node = next(pair for pair in node.value if pair[0].value == str(key))
        line = found.start_mark.line + 1
    return f"{where}, line {line}"


def _whole(value: object) -> int | None:
    """A number as it stands; a parameter expression or null leaves the default."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None
