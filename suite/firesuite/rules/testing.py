"""What a test holds: callers, seeding with rules off, and assertions that say which rule decided."""

from collections.abc import Mapping
from typing import Any

from firesuite.rules.client import Client, Outcome
from firesuite.rules.engine import Engine
from firesuite.rules.explain import explain
from firesuite.rules.parser import parse
from firesuite.rules.source import Source
from firesuite.rules.tables import Table
from firesuite.rules.tokens import OWNER, Caller
from firesuite.rules.writes import replace

Documents = Mapping[str, Mapping[str, Any]]


class Rules:
    """A rules file on an engine. One of these serves many tests: `reset` between them takes about a millisecond."""

    def __init__(self, engine: Engine, source: Source) -> None:
        """Installs `source`. Raises `RulesSyntaxError`, or `RulesRefusedError` with the engine's message."""
        self.engine = engine
        self.source = source
        self.ruleset = parse(source)
        self._left: tuple[Documents, int] | None = None
        engine.load(source)

    def anonymous(self) -> Client:
        """Nobody signed in."""
        return Client(self.engine, Caller())

    def as_user(self, uid: str, **claims: Any) -> Client:
        """A signed-in user with these claims in his token."""
        return Client(self.engine, Caller(uid, claims))

    def as_caller(self, caller: Caller) -> Client:
        """Any `Caller`, for instance one with the token of another project."""
        return Client(self.engine, caller)

    def seed(self, documents: Documents) -> None:
        """Writes documents by path with rules off, each as a whole."""
        if documents:
            writes = [replace(path, data) for path, data in documents.items()]
            _ = self.owner().commit(writes).value

    def owner(self) -> Client:
        """The emulator's owner, whom no rule concerns: to look at what was written."""
        return Client(self.engine, Caller(token=OWNER))

    def reset(self, table: Table | None = None) -> None:
        """Leaves exactly the documents of `table`, or none.

        Nothing is sent where the last reset was for the same table and no commit went through from here since then.
        """
        if table is not None and self._left == (table.documents, self.engine.commits):
            return
        self.engine.clear()
        self._left = None
        if table is not None:
            self.seed(table.documents)
            self._left = (table.documents, self.engine.commits)

    def assert_allowed(self, outcome: Outcome) -> Any:
        """The outcome's value; AssertionError with the rules that were asked and why none allowed it."""
        __tracebackhide__ = True
        if not outcome.allowed:
            raise AssertionError(f"Expected allowed, was denied: {self.explain(outcome, failing=True)}")
        return outcome.value

    def assert_denied(self, outcome: Outcome) -> None:
        """AssertionError with the rule that allowed it."""
        __tracebackhide__ = True
        if outcome.allowed:
            raise AssertionError(f"Expected denied, was allowed: {self.explain(outcome)}")

    def explain(self, outcome: Outcome, *, failing: bool = False) -> str:
        """Why a request was decided as it was, step by step; ask right after the request.

        With `failing` only what was not true.
        """
        return explain(outcome, self.source, self.ruleset, failing=failing)
