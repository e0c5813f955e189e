"""Settings, read from the environment once and checked as a whole: every problem is named in one message."""

import json
import os
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Final, NamedTuple

from wattle.kit import versions
from wattle.users.preferences import Kind

REGION: Final = "australia-southeast1"
"""Sydney. Every function and the database live here."""

_EMULATOR_VARIABLES: Final = (
    "FIRESTORE_EMULATOR_HOST",
    "FIREBASE_AUTH_EMULATOR_HOST",
    "FCM_EMULATOR_HOST",
    "FIREBASE_STORAGE_EMULATOR_HOST",
    "STORAGE_EMULATOR_HOST",
    "PUBSUB_EMULATOR_HOST",
    "CLOUD_TASKS_EMULATOR_HOST",
)
_LOG_LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR")
# NIST SP 800-107: an HMAC key shorter than the hash's security strength weakens it; 32 bytes for SHA-256.
_SECRET_LENGTH: Final = 32
# As browsers write them (RFC 6454 section 6.2): lower case, no path, no default port.
_ORIGIN: Final = re.compile(r"https?://[a-z0-9.-]+(:[0-9]{1,5})?")


class ConfigError(Exception):
    """Some settings are missing or wrong; the message lists all of them."""


class Maintenance(NamedTuple):
    """Nobody but administrators is served, until this moment; None: until the setting is taken back."""

    until: datetime | None


class Config(NamedTuple):
    """What differs between environments.

    `former_signing_secret` is still accepted and signs nothing. `tax_rate` is in basis points (1,000 is 10 %);
    `deletion_grace` is in days. With `confirmed_registration` who registers or signs in through this API has to prove
    his address before he gets a session, and no answer tells whether an address has an account; with `proven_addresses`
    so has everybody who signs in with a password, also past this API. Messages of the kinds in `quiet_hours_exempt` are
    pushed at night, too. The `*_emulator` fields are `host:port`, or None in production.
    `app_check_project` is the project's number, None where App Check is off. `trusted_proxies` are those of our own in
    front of Google's front end. `rate_limit_scale` multiplies every rate limit.
    """

    project_id: str
    web_api_key: str
    signing_secret: str
    former_signing_secret: str | None
    tax_rate: int
    confirmed_registration: bool
    proven_addresses: bool
    deletion_grace: int
    quiet_hours_exempt: frozenset[Kind]
    log_level: str
    version: str
    production: bool
    rate_limit_scale: int
    trusted_proxies: int
    allowed_origins: frozenset[str]
    min_app_version: versions.Version | None
    maintenance: Maintenance | None
    app_check_project: str | None
    tracing: bool
    firestore_emulator: str | None
    auth_emulator: str | None
    fcm_emulator: str | None
    tasks_emulator: str | None


class _Reader:
    """Collects what is wrong instead of stopping at the first problem."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self.problems: list[str] = []

    def text(self, name: str, hint: str) -> str:
        value = self._environment.get(name, "")
        if not value:
            self.problems.append(f"{name} is not set: {hint}")
        return value

    def secrets(self, name: str, hint: str, *, at_least: int) -> tuple[str, str | None]:
        """One secret, or the present one and in a second line the former one."""
        present, *former = self.text(name, hint).rstrip("\n").split("\n")
        if len(former) > 1:
            self.problems.append(f"{name} holds {len(former) + 1} secrets: at most the present and the former one")
        if any(len(secret) < at_least for secret in (present, *former)) and self._environment.get(name):
            self.problems.append(f"{name} is shorter than {at_least} characters: {hint}")
        return present, former[0] if former else None

    def whole(self, name: str, default: int, *, low: int, high: int) -> int:
        raw = self._environment.get(name) or str(default)
        if not raw.isascii() or not raw.isdigit() or not low <= int(raw) <= high:
            self.problems.append(f"{name} is {raw!r}: it must be a whole number from {low} to {high}")
            return default
        return int(raw)

    def choice(self, name: str, default: str, allowed: tuple[str, ...]) -> str:
        value = self._environment.get(name) or default
        if value not in allowed:
            self.problems.append(f"{name} is {value!r}: it must be one of {', '.join(allowed)}")
        return value

    def origins(self, name: str) -> frozenset[str]:
        given = [part.strip() for part in self._environment.get(name, "").split(",") if part.strip()]
        self.problems += [
            f"{name} has {origin!r}: an origin is a scheme and a host, and a port if need be: https://app.example.com"
            for origin in given
            if not _ORIGIN.fullmatch(origin)
        ]
        return frozenset(given)

    def version(self, name: str) -> versions.Version | None:
        raw = self._environment.get(name, "")
        parsed = versions.parse(raw)
        if raw and parsed is None:
            self.problems.append(f"{name} is {raw!r}: it must be a version such as 1.2.3")
        return parsed

    def maintenance(self, name: str) -> Maintenance | None:
        raw = self._environment.get(name, "")
        if raw in ("", "false"):
            return None
        if raw == "true":
            return Maintenance(None)
        try:
            until = datetime.fromisoformat(raw)
        except ValueError:
            until = None
        if until is None or until.tzinfo is None:
            self.problems.append(f"{name} is {raw!r}: it must be true, false, or an end such as 2027-01-31T04:00:00Z")
            return None
        return Maintenance(until)

    def digits(self, name: str) -> str | None:
        raw = self._environment.get(name, "")
        if raw and not (raw.isascii() and raw.isdigit()):
            self.problems.append(
                f"{name} is {raw!r}: it must be a number, from the Firebase console's project settings"
            )
        return raw or None

    def kinds(self, name: str) -> frozenset[Kind]:
        given = [part.strip() for part in self._environment.get(name, "").split(",") if part.strip()]
        known = [kind.value for kind in Kind]
        unknown = [part for part in given if part not in known]
        if unknown:
            self.problems.append(
                f"{name} names {', '.join(unknown)}: it must be a list of {', '.join(known)}, or empty"
            )
        return frozenset(Kind(part) for part in given if part in known)

    def project_id(self) -> str:
        for name in ("GCLOUD_PROJECT", "GOOGLE_CLOUD_PROJECT"):
            if self._environment.get(name):
                return self._environment[name]
        try:
            project = json.loads(self._environment.get("FIREBASE_CONFIG") or "{}").get("projectId")
        except (ValueError, AttributeError):
            project = None
        if isinstance(project, str) and project:
            return project
        self.problems.append("no project: none of GCLOUD_PROJECT, GOOGLE_CLOUD_PROJECT, FIREBASE_CONFIG names one")
        return ""


def read(environment: Mapping[str, str] = os.environ) -> Config:
    """Read the settings.

    Raises:
        ConfigError: naming every setting that is missing or wrong. In production (`K_SERVICE` set, `FUNCTIONS_EMULATOR`
            not) any emulator variable is wrong: with one set, the Admin SDK accepts unsigned tokens.
    """
    reader = _Reader(environment)
    emulated = environment.get("FUNCTIONS_EMULATOR") == "true"
    production = bool(environment.get("K_SERVICE")) and not emulated
    if production:
        reader.problems += [
            f"{name} is set: in production it would switch off the verification of ID tokens or send data elsewhere"
            for name in _EMULATOR_VARIABLES
            if environment.get(name)
        ]
    config = Config(
        project_id=reader.project_id(),
        web_api_key=reader.text("WEB_API_KEY", "the web API key of the Firebase project's settings page"),
        signing_secret=(
            secrets := reader.secrets(
                "SIGNING_SECRET",
                "make one with `openssl rand -hex 32` and keep it in Secret Manager",
                at_least=_SECRET_LENGTH,
            )
        )[0],
        former_signing_secret=secrets[1],
        tax_rate=reader.whole("TAX_RATE_BASIS_POINTS", 1000, low=0, high=10_000),
        confirmed_registration=(
            registration := reader.choice("REGISTRATION", "confirmed", ("confirmed", "proven", "immediate"))
        )
        != "immediate",
        proven_addresses=registration == "proven",
        # Two days at least: the records of idempotency keys, which hold answers, are gone by then.
        deletion_grace=reader.whole("DELETION_GRACE_DAYS", 30, low=2, high=365),
        quiet_hours_exempt=reader.kinds("QUIET_HOURS_EXEMPT"),
        log_level=reader.choice("LOG_LEVEL", "INFO", _LOG_LEVELS),
        version=environment.get("K_REVISION") or "local",
        production=production,
        rate_limit_scale=reader.whole("RATE_LIMIT_SCALE", 1, low=1, high=1000),
        trusted_proxies=reader.whole("TRUSTED_PROXIES", 0, low=0, high=5),
        allowed_origins=reader.origins("ALLOWED_ORIGINS"),
        min_app_version=reader.version("MIN_APP_VERSION"),
        maintenance=reader.maintenance("MAINTENANCE"),
        app_check_project=reader.digits("APP_CHECK_PROJECT_NUMBER"),
        tracing=reader.choice("TRACING", "off", ("off", "on")) == "on",
        firestore_emulator=environment.get("FIRESTORE_EMULATOR_HOST") or None,
        auth_emulator=environment.get("FIREBASE_AUTH_EMULATOR_HOST") or None,
        fcm_emulator=environment.get("FCM_EMULATOR_HOST") or None,
        tasks_emulator=environment.get("CLOUD_TASKS_EMULATOR_HOST") or None,
    )
    if reader.problems:
        raise ConfigError("Wattle cannot start:\n" + "\n".join(f"- {problem}" for problem in reader.problems))
    return config
