"""Each command loads only what it needs: `dev` stays in memory for hours, beside the suite."""

import argparse
import sys
from collections.abc import Callable, Sequence
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import Any

# The deployed code is no package that could be installed: it is found where it lies.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "functions"))


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools", description="Wattle's own command line")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_deployment(commands)

    command = commands.add_parser("dev", help="run the whole backend on this machine, with demo data")
    command.add_argument("--free-ports", action="store_true", help="take any free ports instead of the usual ones")
    command.add_argument("--google", action="store_true", help="Auth and Functions by Google's own emulators")
    command.set_defaults(run=_of("dev"))

    command = commands.add_parser("seed", help="load the demo data into the emulators that the environment names")
    command.set_defaults(run=_of("seed"))

    command = commands.add_parser("manifest", help="write functions/functions.yaml from main.py")
    command.add_argument("--check", action="store_true", help="only compare")
    command.set_defaults(run=_of("manifest"))

    command = commands.add_parser("catalogues", help="bring the message catalogues up to date, and compile them")
    command.add_argument("--check", action="store_true", help="only compare")
    command.set_defaults(run=_of("catalogues"))

    command = commands.add_parser("migrate", help="bring stored documents up to date: shows what it would do first")
    command.add_argument("--project", help="the Firebase project; with an emulator that of the environment")
    command.add_argument("--only", metavar="NAME", help="one migration, such as 0001_order_shard")
    command.add_argument("--dry-run", action="store_true", help="only show what would be done")
    command.add_argument("--yes", action="store_true", help="do not ask")
    command.add_argument("--rate", type=_positive, default=200, help="documents a second at most (default 200)")
    command.set_defaults(run=_of("migrate"))

    command = commands.add_parser("openapi", help="write docs/openapi.json from the route table")
    command.add_argument("--check", action="store_true", help="only compare")
    command.add_argument("--breaking", action="store_true", help="also write what breaks apps")
    command.set_defaults(run=_of("openapi"))

    command = commands.add_parser("reference", help="write what of the documentation comes from the code")
    command.add_argument("--check", action="store_true", help="only compare")
    command.set_defaults(run=_of("reference"))

    command = commands.add_parser("docs", help="build the documentation's site")
    command.set_defaults(run=_of("docs"))

    command = commands.add_parser("contract", help="what docs/openapi.json changes against another description")
    command.add_argument("base", type=Path, help="the other, such as that of main")
    command.set_defaults(run=_of("contract"))

    command = commands.add_parser("protocol", help="write Firestore's messages from google-cloud-firestore")
    command.add_argument("--check", action="store_true", help="only compare")
    command.set_defaults(run=_of("protocol"))

    _add_operations(commands)
    options = vars(parser.parse_args(arguments))
    run: Callable[..., int] = options.pop("run")
    return run(**options)


def _add_deployment(commands: Any) -> None:
    command = commands.add_parser("doctor", help="what this machine lacks; with --deploy, what forbids a deployment")
    command.add_argument("--deploy", action="store_true", help="look at what would be deployed; asks no network")
    command.add_argument("--project", metavar="ALIAS", help="with --deploy: dev, staging or production (default: all)")
    command.set_defaults(run=_of("doctor"))

    command = commands.add_parser("provision", help="make what an environment's project needs; twice is once")
    command.add_argument("--project", metavar="ALIAS", required=True, help="dev, staging or production")
    command.add_argument("--plan", action="store_true", help="only say what would be made")
    command.set_defaults(run=_of("provision"))

    command = commands.add_parser("admin", help="make the first administrator of an environment")
    command.add_argument("--project", metavar="ALIAS", required=True, help="dev, staging or production")
    command.add_argument("--email", required=True, help="the address of an account that is there")
    command.set_defaults(run=_of("administrator"))

    command = commands.add_parser("deploy", help="deploy what is checked out, after the preflight")
    command.add_argument("--project", metavar="ALIAS", required=True, help="dev, staging or production")
    command.add_argument("--yes", action="store_true", help="do not ask before production")
    command.set_defaults(run=_of("release"))


def _add_operations(commands: Any) -> None:
    """What is for bad days, and for keeping them away: docs/operations."""
    command = commands.add_parser("audit", help="look for known vulnerabilities in what is pinned")
    command.set_defaults(run=_of("audit"))

    command = commands.add_parser("sbom", help="write the software bill of materials to .wattle/sbom")
    command.set_defaults(run=_of("sbom"))

    command = commands.add_parser("replay", help="have events that were given up handled once more")
    command.add_argument("--project", help="the Firebase project; with an emulator that of the environment")
    command.add_argument("--function", metavar="NAME", help="those of one function, such as onOrderWritten")
    command.add_argument("--dry-run", action="store_true", help="only list them")
    command.add_argument("--yes", action="store_true", help="do not ask")
    command.add_argument("--wait", type=_positive, default=120, help="seconds to wait for them (default 120)")
    command.set_defaults(run=_of("replay"))

    command = commands.add_parser("verify-restore", help="is a restored database complete, and does it hang together?")
    command.add_argument("--restored", required=True, metavar="PROJECT[/DATABASE]", help="the database to look at")
    command.add_argument(
        "--source", metavar="PROJECT[/DATABASE]", help="the one that the backup was made of, if it is there"
    )
    command.add_argument("--at", type=_moment, help="read the source as it was then: 2026-11-26T03:00:00Z")
    command.add_argument(
        "--state", type=Path, default=Path(".wattle/verify-restore.json"), help="where progress is kept"
    )
    command.set_defaults(run=_of("verify_restore"))


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("it must be 1 or more")
    return number


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise argparse.ArgumentTypeError("say the time zone, as in 2026-11-26T03:00:00Z")
    return moment


def _of(module: str) -> Callable[..., int]:
    def run(**options: Any) -> int:
        code: int = import_module(f"tools.{module}").run(**options)
        return code

    return run


if __name__ == "__main__":
    sys.exit(main())
