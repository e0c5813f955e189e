"""`firesuite rules mutate | lint | explain`, also as `python -m firesuite.rules`."""

import argparse
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from firesuite.errors import SuiteError
from firesuite.output import while_read


def add_commands(subparsers: Any) -> None:
    """Adds the commands to what `add_subparsers()` gave; each sets `run`, from the arguments to an exit code."""
    mutate = subparsers.add_parser("mutate", help="list the mistakes in the rules that the tables would not notice")
    mutate.add_argument("tables", nargs="+", type=Path, metavar="TABLE", help="YAML tables that the mutants must fail")
    mutate.add_argument("--workers", type=int, default=2, help="fireemu processes side by side (default 2)")
    mutate.set_defaults(run=_of("mutate"))
    check = subparsers.add_parser("lint", help="what is wrong with the rules on sight")
    check.set_defaults(run=_of("lint"))
    why = subparsers.add_parser("explain", help="why a request is allowed or denied, step by step")
    why.add_argument("request", help="'get orders/o1', or a table's row: '{query: orders, limit: 5}'")
    why.add_argument("--as", dest="caller", metavar="CALLER", help="a uid, or the name of a caller in the table")
    why.add_argument("--claim", action="append", default=[], metavar="NAME=VALUE", help="a claim of the token (YAML)")
    why.add_argument("--table", type=Path, help="take documents and callers from this YAML table")
    why.add_argument("--emulator", metavar="HOST:PORT", help="ask this Firestore emulator (replaces its rules)")
    why.set_defaults(run=_of("explain"))
    for parser in (mutate, check, why):
        parser.add_argument("--rules", type=Path, help="default: what firebase.json names, else rules/firestore.rules")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; 0 is success, 1 is findings, 2 is an error, told in one sentence."""
    parser = argparse.ArgumentParser(prog="firesuite rules", description="Firestore security rules, tested like code.")
    add_commands(parser.add_subparsers(required=True, metavar="COMMAND"))
    chosen = parser.parse_args(arguments)
    try:
        return while_read(lambda: chosen.run(chosen))
    except SuiteError as error:
        sys.stderr.write(f"{error}\n")
        return 2


def _of(name: str) -> Callable[[argparse.Namespace], int]:
    """The command, loaded when it runs: `firesuite up` is to stay small and has no use for Firestore's client."""

    def run(arguments: argparse.Namespace) -> int:
        code: int = getattr(import_module("firesuite.rules.commands"), name)(arguments)
        return code

    return run
