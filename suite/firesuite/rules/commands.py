"""What `firesuite rules mutate`, `lint` and `explain` do with their arguments. Each returns an exit code."""

import argparse
import sys
from pathlib import Path
from typing import Any, TextIO

import yaml

from firesuite.errors import SuiteError
from firesuite.rules import explain as explanations
from firesuite.rules import lint as linter
from firesuite.rules.client import RequestFailedError
from firesuite.rules.engine import Engine, started
from firesuite.rules.location import project_rules
from firesuite.rules.mutate import Verdict, run
from firesuite.rules.parser import load
from firesuite.rules.tables import Table, load_table, parse_row
from firesuite.rules.testing import Rules
from firesuite.rules.tokens import Caller


def mutate(arguments: argparse.Namespace) -> int:
    """List the mutants that the tables do not notice; 1 if there are any without a written reason."""
    source, _ = load(_rules(arguments))
    tables = [load_table(path) for path in arguments.tables]

    def progress(verdict: Verdict) -> None:
        sys.stderr.write("S" if verdict.survived and verdict.mark is None else ".")
        sys.stderr.flush()

    report = run(source, tables, workers=arguments.workers, progress=progress if sys.stderr.isatty() else None)
    _say(report.text())
    return 0 if report.passed else 1


def lint(arguments: argparse.Namespace) -> int:
    """List what is wrong on sight; 1 if there is anything."""
    source, ruleset = load(_rules(arguments))
    findings = linter.lint(ruleset, source)
    for finding in findings:
        _say(finding.text(source))
    return 1 if findings else 0


def explain(arguments: argparse.Namespace) -> int:
    """Say step by step why a request is allowed or denied."""
    source, _ = load(_rules(arguments))
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
    _say(explanations.explain(outcome, rules.source, rules.ruleset))


def _rules(arguments: argparse.Namespace) -> Path:
    """The rules file: what the arguments name, else the project's."""
    if arguments.rules is not None:
        named: Path = arguments.rules
        return named
    return project_rules(Path.cwd())


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
