"""Is each environment told what it needs, and nothing that belongs to a laptop?"""

import json
from collections.abc import Iterator
from typing import Any, Final

import yaml

from firesuite import dotenv
from firesuite.errors import SuiteError
from tools.doctor.report import Checkout, Problem
from tools.environments import shared
from wattle import config

# firebase-tools 15, lib/functions/env.js: it refuses a settings file with one of these.
_RESERVED_PREFIXES: Final = ("X_GOOGLE_", "FIREBASE_", "EXT_", "KIT_")
_RESERVED: Final = {
    "CLOUD_RUNTIME_CONFIG", "ENTRY_POINT", "EVENTARC_CLOUD_EVENT_SOURCE", "FUNCTION_IDENTITY", "FUNCTION_MEMORY_MB",
    "FUNCTION_NAME", "FUNCTION_REGION", "FUNCTION_SIGNATURE_TYPE", "FUNCTION_TARGET", "FUNCTION_TIMEOUT_SEC",
    "FUNCTION_TRIGGER_TYPE", "GCLOUD_PROJECT", "GCP_PROJECT", "GOOGLE_CLOUD_PROJECT", "K_CONFIGURATION", "K_REVISION",
    "K_SERVICE", "PORT",
}  # fmt: skip
# Known besides what config.py reads: gunicorn's threads, what functions.yaml asks for, OpenTelemetry's own settings.
_OTHERS: Final = frozenset({"THREADS", "MAX_INSTANCES"})
_OTHER_PREFIXES: Final = ("OTEL_",)


def emulator_variables(checkout: Checkout) -> Iterator[Problem]:
    """One of them in a settings file ends in a function that accepts unsigned tokens, or does not start."""
    for name in sorted(checkout.variables):
        if _is_emulators(name):
            yield Problem(
                f"{name} is set where this command runs: firebase and gcloud would speak to an emulator",
                f"unset {name}",
            )
    for path in sorted(checkout.functions.glob(".env*")):
        if path.name.startswith((".env.demo-", ".env.local")):
            continue
        for name in _read(path):
            if _is_emulators(name):
                yield Problem(f"functions/{path.name} sets {name}", f"take {name} out of functions/{path.name}")


def complete(checkout: Checkout) -> Iterator[Problem]:
    """Would the functions start with these settings?"""
    for environment in checkout.environments:
        file = f"functions/.env.{environment.alias}"
        if not (checkout.root / file).is_file():
            yield Problem(f"{file} is missing", f"copy functions/.env.example to {file} and fill it in")
            continue
        other = checkout.functions / f".env.{environment.project_id}"
        if other.is_file():
            yield Problem(
                f"both {file} and functions/{other.name} are there: firebase refuses that",
                f"move what functions/{other.name} says to {file}",
            )
        try:
            # Secrets come from Secret Manager at deployment; their form is what `make provision` made.
            known = config.read(
                {"K_SERVICE": "api", "GCLOUD_PROJECT": environment.project_id, "SIGNING_SECRET": "s" * 64}
                | environment.settings
            )
        except config.ConfigError as error:
            for line in str(error).splitlines()[1:]:
                yield Problem(f"{environment.alias}: {line.removeprefix('- ')}", f"mend it in {file}")
            continue
        if environment.alias == "production" and not known.confirmed_registration:
            yield Problem(
                "production: REGISTRATION=immediate tells everybody which addresses have an account",
                f"REGISTRATION=confirmed in {file}",
            )


def names(checkout: Checkout) -> Iterator[Problem]:
    """Names that firebase refuses, names that nothing reads, and secrets where they do not belong."""
    known = _read_by_the_functions(checkout) | _OTHERS
    secrets = {
        parameter["name"] for parameter in _manifest(checkout).get("params", ()) if parameter["type"] == "secret"
    }
    for path in sorted(checkout.functions.glob(".env*")):
        if path.name == ".env.example":
            continue
        try:
            settings = dotenv.read(path)
        except SuiteError as error:
            yield Problem(str(error), "write KEY=value, one a line")
            continue
        for name in settings:
            if name in secrets:
                yield Problem(
                    f"functions/{path.name} sets {name}, which is a secret",
                    f"take it out; `make provision` keeps {name} in Secret Manager",
                )
            elif name in _RESERVED or name.startswith(_RESERVED_PREFIXES):
                yield Problem(f"functions/{path.name} sets {name}: firebase keeps that name for itself", "rename it")
            elif name not in known and not name.startswith(_OTHER_PREFIXES) and not _is_emulators(name):
                yield Problem(
                    f"functions/{path.name} sets {name}, which nothing reads",
                    "correct the name, or take the line out: functions/.env.example lists all",
                )


def threads(checkout: Checkout) -> Iterator[Problem]:
    """gunicorn's threads and the platform's concurrency must agree, or requests queue behind 4 threads a CPU."""
    wanted = {str(endpoint.get("concurrency")) for endpoint in _manifest(checkout)["endpoints"].values()}
    for environment in checkout.environments or (shared(checkout.root),):
        said = environment.settings.get("THREADS", "")
        if wanted != {said}:
            yield Problem(
                f"{environment.alias}: THREADS is {said or 'not set'}, the functions' concurrency"
                f" {', '.join(sorted(wanted))}",
                "set THREADS in functions/.env to the concurrency of functions/wattle/exports.py",
            )


def regions(checkout: Checkout) -> Iterator[Problem]:
    """Functions, database and rewrites in one region: a request that crosses an ocean takes 200 ms more."""
    firebase = json.loads((checkout.root / "firebase.json").read_text(encoding="utf-8"))
    for name, endpoint in _manifest(checkout)["endpoints"].items():
        if endpoint["region"] != [config.REGION]:
            yield Problem(
                f"{name} is in {', '.join(endpoint['region'])}, not in {config.REGION}",
                "set it in functions/wattle/exports.py, then `make manifest`",
            )
    location = firebase["firestore"].get("location")
    if location != config.REGION:
        yield Problem(
            f"firebase.json puts the database in {location or 'nam5, which is where firebase puts one by itself'}",
            f'"firestore": {{"location": "{config.REGION}"}} in firebase.json; a database cannot be moved afterwards',
        )
    for rewrite in firebase.get("hosting", {}).get("rewrites", ()):
        function = rewrite.get("function", {})
        if function.get("region") != config.REGION:
            yield Problem(
                f"the rewrite of {rewrite.get('source')} goes to {function.get('region') or 'us-central1'}",
                f'"region": "{config.REGION}" in its function, in firebase.json',
            )
        elif function.get("functionId") not in _manifest(checkout)["endpoints"]:
            yield Problem(
                f"the rewrite of {rewrite.get('source')} names {function.get('functionId')}, which is no function",
                "name one of functions/functions.yaml",
            )


def _manifest(checkout: Checkout) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((checkout.functions / "functions.yaml").read_text(encoding="utf-8"))
    return document


def _read_by_the_functions(checkout: Checkout) -> set[str]:
    """The names in functions/.env.example, which a test holds against config.py."""
    text = (checkout.functions / ".env.example").read_text(encoding="utf-8")
    lines = (line.removeprefix("# ") for line in text.splitlines())
    example = {line.partition("=")[0] for line in lines if "=" in line and line.partition("=")[0].isupper()}
    return example | set(_read(checkout.functions / ".env"))


def _read(path: Any) -> dict[str, str]:
    try:
        return dotenv.read(path)
    except SuiteError:
        return {}  # `names` says so


def _is_emulators(name: str) -> bool:
    return name.endswith("_EMULATOR_HOST") or name == "FUNCTIONS_EMULATOR"
