"""`firesuite rules mutate | lint | explain`, also as `python -m firesuite.rules`."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO

import yaml

from firesuite.errors import SuiteError
from firesuite.rules.client import RequestFailedError
from firesuite.rules.engine import Engine, started
from firesuite.rules.explain import explain
from firesuite.rules.lint import lint
from firesuite.rules.mutate import Verdict, run
from firesuite.rules.parser import load
from firesuite.rules.tables import Table, load_table, parse_row
from firesuite.rules.testing import Rules
from firesuite.rules.tokens import Caller

DEFAULT_RULES = Path("rules/firestore.rules")


def add_commands(subparsers: Any) -> None:
    """Adds the commands to what `add_subparsers()` gave; each sets `run`, from the arguments to an exit code."""
    mutate = subparsers.add_parser("mutate", help="list the mistakes in the rules that the tables would not notice")
    mutate.add_argument("tables", nargs="+", type=Path, metavar="TABLE", help="YAML tables that the mutants must fail")
    mutate.add_argument("--workers", type=int, default=2, help="fireemu processes side by side (default 2)")
    mutate.set_defaults(run=_mutate)
    check = subparsers.add_parser("lint", help="what is wrong with the rules on sight")
    check.set_defaults(run=_lint)
    why = subparsers.add_parser("explain", help="why a request is allowed or denied, step by step")
    why.add_argument("request", help="'get orders/o1', or a table's row: '{query: orders, limit: 5}'")
    why.add_argument("--as", dest="caller", metavar="CALLER", help="a uid, or the name of a caller in the table")
    why.add_argument("--claim", action="append", default=[], metavar="NAME=VALUE", help="a claim of the token (YAML)")
    why.add_argument("--table", type=Path, help="take documents and callers from this YAML table")
    why.add_argument("--emulator", metavar="HOST:PORT", help="ask this Firestore emulator (replaces its rules)")
    why.set_defaults(run=_explain)
    for parser in (mutate, check, why):
        parser.add_argument("--rules", type=Path, default=DEFAULT_RULES, help=f"default: {DEFAULT_RULES}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; 0 is success, 1 is findings, 2 is an error, told in one sentence."""
    parser = argparse.ArgumentParser(prog="firesuite rules", description="Firestore security rules, tested like code.")
    add_commands(parser.add_subparsers(required=True, metavar="COMMAND"))
    chosen = parser.parse_args(arguments)
    try:
        code: int = chosen.run(chosen)
    except SuiteError as error:
        _say(str(error), sys.stderr)
        return 2
    return code


def _mutate(arguments: argparse.Namespace) -> int:
    source, _ = load(arguments.rules)
    tables = [load_table(path) for path in arguments.tables]

    def progress(verdict: Verdict) -> None:
        sys.stderr.write("S" if verdict.survived and verdict.mark is None else ".")
        sys.stderr.flush()

    report = run(source, tables, workers=arguments.workers, progress=progress if sys.stderr.isatty() else None)
    _say(report.text())
    return 0 if report.passed else 1


def _lint(arguments: argparse.Namespace) -> int:
    source, ruleset = load(arguments.rules)
    findings = lint(ruleset, source)
    for finding in findings:
        _say(finding.text(source))
    return 1 if findings else 0


def _explain(arguments: argparse.Namespace) -> int:
    source, _ = load(arguments.rules)
    table = load_table(arguments.table) if arguments.table else None
    row = parse_row(arguments.request)
    caller = _caller(arguments, table)
    if arguments.emulator:
        engine = Engine(arguments.emulator, "demo-rules")
        try:
            _explain_on(Rules(engine, source), table, row, caller)
        finally:
            engine.close()
        return 0
    with started() as fireemu:
        _explain_on(Rules(fireemu, source), table, row, caller)
    return 0


def _explain_on(rules: Rules, table: Table | None, row: Any, caller: Caller) -> None:
    if table:
        rules.reset(table)
    try:
        outcome = row.send(rules.as_caller(caller))
    except RequestFailedError as error:
        _say(f"{error}\nThe rules allowed it: it failed for another reason. Documents come from --table.")
        return
    _say(explain(outcome, rules.source, rules.ruleset))


def _caller(arguments: argparse.Namespace, table: Table | None) -> Caller:
    claims = {}
    for claim in arguments.claim:
        name, equals, value = claim.partition("=")
        if not equals:
            raise SuiteError(f"--claim {claim}: write NAME=VALUE.")
        claims[name] = yaml.safe_load(value)
    named = table.callers.get(arguments.caller) if table else None
    if named:
        return Caller(named.uid, {**named.claims, **claims}, named.project, named.token)
    return Caller(arguments.caller, claims)


def _say(text: str, stream: TextIO | None = None) -> None:
    (stream or sys.stdout).write(f"{text}\n")
